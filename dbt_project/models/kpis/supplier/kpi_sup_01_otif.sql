{%- set grains = ['month', 'quarter', 'trailing_90d', 'trailing_365d'] -%}

with facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        supplier_id,
        sum(case when {{ is_kept('lines', 'promised_on') }} then 1 else 0 end) as numerator,
        count(*) as denominator,
        count(*) as n
    from {{ known_rows(ref('int_purchase_order_lines_versioned'), 'promised_on', longest_window(grains)) }} as lines
    where {{ is_owed('lines') }} and not {{ is_undated('lines') }}
    group by business_on, as_of_from, as_of_to, supplier_id
)

{{ kpi_values('facts', grains, segments=['supplier_id']) }}

{%- set grains = ['trailing_90d', 'trailing_365d'] -%}

with facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        supplier_id,
        sum(coalesce(quantity_rejected, 0)) * 1000000 as numerator,
        sum(quantity_received) as denominator,
        count(*) as n
    from {{ known_rows(ref('int_purchase_order_lines_versioned'), 'received_on', longest_window(grains)) }} as lines
    where quantity_received > 0
    group by business_on, as_of_from, as_of_to, supplier_id
)

{{ kpi_values('facts', grains, segments=['supplier_id']) }}

{%- set grains = ['trailing_90d', 'trailing_365d'] -%}

with facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        currency,
        supplier_id,
        sum({{ times('unit_price - contract_unit_price', 'quantity_ordered') }}) as numerator,
        sum({{ times('contract_unit_price', 'quantity_ordered') }}) as denominator,
        count(*) as n
    from {{ known_rows(ref('int_purchase_order_lines_versioned'), 'ordered_on', longest_window(grains)) }} as lines
    where contract_unit_price is not null and coalesce(status, 'open') not in ('cancelled', 'rejected')
    group by business_on, as_of_from, as_of_to, currency, supplier_id
)

{{ kpi_values('facts', grains, segments=['supplier_id'], money=['numerator', 'denominator']) }}

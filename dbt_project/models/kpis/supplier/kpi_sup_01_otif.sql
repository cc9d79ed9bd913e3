{%- set grains = ['month', 'quarter', 'trailing_90d', 'trailing_365d'] -%}

with facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        supplier_id,
        sum(
            case
                when received_on <= promised_on and quantity_received >= quantity_ordered then 1
                else 0
            end
        ) as numerator,
        count(*) as denominator,
        count(*) as n
    from {{ known_rows(ref('int_purchase_order_lines_versioned'), 'promised_on', longest_window(grains)) }} as lines
    where coalesce(status, 'open') not in ('cancelled', 'rejected')
    group by business_on, as_of_from, as_of_to, supplier_id
)

{{ kpi_values('facts', grains, segments=['supplier_id']) }}

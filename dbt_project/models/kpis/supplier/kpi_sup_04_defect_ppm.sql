{%- set grains = ['month', 'quarter', 'trailing_90d', 'trailing_365d'] -%}
{%- set rejected = 'coalesce(quantity_rejected, 0) * 1000000' -%}

with facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        supplier_id,
        sum({{ rejected }}) as numerator,
        sum(quantity_received) as denominator,
        count(*) as n,
        sum({{ spread_of(rejected, rejected) }}) as squares,
        sum({{ spread_of(rejected, 'quantity_received') }}) as products,
        sum({{ spread_of('quantity_received', 'quantity_received') }}) as denominator_squares
    from {{ known_rows(ref('int_purchase_order_lines_versioned'), 'received_on', longest_window(grains)) }} as lines
    where quantity_received > 0
    group by business_on, as_of_from, as_of_to, supplier_id
)

{{ kpi_values('facts', grains, segments=['supplier_id'], spread=spread_columns()) }}

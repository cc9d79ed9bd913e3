{%- set grains = ['day', 'week', 'month_to_date', 'month', 'quarter_to_date', 'quarter'] -%}

with lines as (
    select
        order_id,
        business_on,
        currency,
        channel_id,
        as_of_from,
        as_of_to,
        net_amount,
        case when quantity > 0 then 1 else 0 end as sold_lines
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', longest_window(grains)) }} as lines
    where is_revenue
),

orders as (
    select *, case when sold_lines > 0 then 1 else 0 end as orders
    from {{ overlapping('lines', ['order_id', 'business_on', 'currency', 'channel_id'], ['net_amount', 'sold_lines']) }}
        as orders
),

facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        currency,
        channel_id,
        sum(net_amount) as numerator,
        sum(orders) as denominator,
        sum(orders) as n,
        sum({{ spread_of('net_amount', 'net_amount') }}) as squares,
        sum({{ spread_of('net_amount', 'orders') }}) as products,
        sum(orders) as denominator_squares
    from orders
    group by business_on, as_of_from, as_of_to, currency, channel_id
)

{{ kpi_values(
    'facts', grains, segments=['channel_id'], money=['numerator'], spread=spread_columns()
) }}

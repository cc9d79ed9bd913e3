{%- set grains = ['day', 'week', 'month_to_date', 'month', 'quarter_to_date', 'quarter'] -%}

with lines as (
    select *
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', longest_window(grains)) }} as lines
    where is_revenue
),

amounts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        currency,
        channel_id,
        sum(net_amount) as amount
    from lines
    group by business_on, as_of_from, as_of_to, currency, channel_id
),

order_stretches as (
    select distinct order_id, business_on, currency, channel_id, as_of_from, as_of_to
    from lines
    where quantity > 0
),

orders as (
    select *
    from {{ overlapping('order_stretches', ['order_id', 'business_on', 'currency', 'channel_id']) }} as orders
    where total > 0
),

facts as (
    select business_on, as_of_from, as_of_to, currency, channel_id, amount as numerator, 0 as denominator, 0 as n
    from amounts
    union all
    select business_on, as_of_from, as_of_to, currency, channel_id, 0 as numerator, count(*) as denominator, count(*) as n
    from orders
    group by business_on, as_of_from, as_of_to, currency, channel_id
)

{{ kpi_values('facts', grains, segments=['channel_id'], money=['numerator']) }}

{%- set grain = 'trailing_365d' -%}

with purchases as (
    select
        customer_id,
        order_id,
        greatest(as_of_from, business_on) as as_of_from,
        least(as_of_to, {{ day_plus('business_on', grain_days(grain)) }}) as as_of_to
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', grain_days(grain)) }} as lines
    where is_revenue and quantity > 0 and customer_id is not null
),

orders as (
    select customer_id, as_of_from, as_of_to
    from {{ overlapping('purchases', ['customer_id', 'order_id']) }} as orders
    where total > 0
),

facts as (
    select
        as_of_from,
        as_of_to,
        sum(case when total >= 2 then 1 else 0 end) as numerator,
        count(*) as denominator,
        count(*) as n
    from {{ overlapping('orders', ['customer_id']) }} as customers
    where total > 0
    group by as_of_from, as_of_to
)

{{ kpi_values('facts', [grain], is_dated=false) }}

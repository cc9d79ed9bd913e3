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

{# Whose purchases are all known on the same as-of days bought again if not all are of one order: no need to tell orders
   apart, of which there are very many. #}
customers as (
    select
        customer_id,
        min(as_of_from) as as_of_from,
        max(as_of_to) as as_of_to,
        min(as_of_from) < max(as_of_from) or min(as_of_to) < max(as_of_to) as is_mixed,
        min(order_id) < max(order_id) as is_repeated
    from purchases
    where as_of_from < as_of_to
    group by customer_id
),

mixed as (
    select purchases.*
    from purchases
    inner join customers
        on purchases.customer_id = customers.customer_id and customers.is_mixed
),

orders as (
    select customer_id, as_of_from, as_of_to
    from {{ overlapping('mixed', ['customer_id', 'order_id']) }} as orders
    where total > 0
),

known as (
    select as_of_from, as_of_to, is_repeated
    from customers
    where not is_mixed
    union all
    select as_of_from, as_of_to, total >= 2 as is_repeated
    from {{ overlapping('orders', ['customer_id']) }} as mixed_customers
    where total > 0
),

facts as (
    select
        as_of_from,
        as_of_to,
        sum(case when is_repeated then 1 else 0 end) as numerator,
        count(*) as denominator,
        count(*) as n
    from known
    group by as_of_from, as_of_to
)

{{ kpi_values('facts', [grain], is_dated=false) }}

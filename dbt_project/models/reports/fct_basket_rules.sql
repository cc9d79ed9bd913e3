{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

{#- A pair must stand in this share of all orders, and in this many, to be a rule. #}
{%- set min_support = 0.005 -%}
{%- set fewest_orders = 5 -%}
{%- set most_pairs = 500 -%}

with days as (
    select as_of, month_start_on from {{ snapshot_days() }} as days
),

baskets as (
    select distinct days.as_of, lines.order_id, lines.product_id
    from {{ ref('int_order_lines_versioned') }} as lines
    inner join days
        on
            {{ is_known('lines', 'days') }}
            and {{ in_window('lines.ordered_on', 'days.as_of', 365) }}
    where lines.is_revenue and lines.quantity > 0
),

totals as (
    select
        as_of,
        count(distinct order_id) as orders,
        greatest(ceil({{ min_support }} * count(distinct order_id)), {{ fewest_orders }}) as min_orders
    from baskets
    group by as_of
),

{# A pair is never more frequent than its rarer half, so what is rare alone is left out before pairs are made. #}
items as (
    select baskets.as_of, baskets.product_id, count(*) as orders
    from baskets
    inner join totals
        on baskets.as_of = totals.as_of
    group by baskets.as_of, baskets.product_id, totals.min_orders
    having count(*) >= totals.min_orders
),

frequent as (
    select baskets.as_of, baskets.order_id, baskets.product_id
    from baskets
    inner join items
        on baskets.as_of = items.as_of and baskets.product_id = items.product_id
),

pairs as (
    select
        first.as_of,
        first.product_id as first_id,
        second.product_id as second_id,
        count(*) as orders
    from frequent as first
    inner join frequent as second
        on
            first.as_of = second.as_of
            and first.order_id = second.order_id
            and first.product_id < second.product_id
    group by first.as_of, first.product_id, second.product_id
),

{# Leverage times the square of the number of orders is a whole number, so pairs are ranked without rounding. #}
ranked as (
    select
        pairs.as_of,
        pairs.first_id,
        pairs.second_id,
        pairs.orders,
        firsts.orders as first_orders,
        seconds.orders as second_orders,
        totals.orders as all_orders,
        totals.min_orders,
        row_number() over (
            partition by pairs.as_of
            order by
                pairs.orders * totals.orders - firsts.orders * seconds.orders desc, pairs.first_id, pairs.second_id
        ) as pair_rank
    from pairs
    inner join totals
        on pairs.as_of = totals.as_of
    inner join items as firsts
        on pairs.as_of = firsts.as_of and pairs.first_id = firsts.product_id
    inner join items as seconds
        on pairs.as_of = seconds.as_of and pairs.second_id = seconds.product_id
    where
        pairs.orders >= totals.min_orders
        and pairs.orders * totals.orders > firsts.orders * seconds.orders
),

rules as (
    select
        as_of, pair_rank, first_id as lhs_product_id, second_id as rhs_product_id, first_orders as lhs_orders,
        second_orders as rhs_orders, orders, all_orders, min_orders
    from ranked
    where pair_rank <= {{ most_pairs }}
    union all
    select
        as_of, pair_rank, second_id as lhs_product_id, first_id as rhs_product_id, second_orders as lhs_orders,
        first_orders as rhs_orders, orders, all_orders, min_orders
    from ranked
    where pair_rank <= {{ most_pairs }}
),

names as (
    select days.as_of, products.product_id, products.product_name
    from days
    inner join {{ ref('int_products_versioned') }} as products
        on
            products.known_from <= days.as_of
            and (products.known_to is null or products.known_to > days.as_of)
)

select
    days.as_of,
    days.month_start_on,
    rules.pair_rank,
    rules.lhs_product_id,
    lhs.product_name as lhs_product_name,
    rules.rhs_product_id,
    rhs.product_name as rhs_product_name,
    rules.orders as orders_with_both,
    rules.lhs_orders as orders_with_lhs,
    rules.rhs_orders as orders_with_rhs,
    rules.all_orders as orders_of_all,
    cast(rules.min_orders as bigint) as min_orders,
    round(rules.orders / cast(rules.all_orders as double), 9) as support,
    round(rules.orders / cast(rules.lhs_orders as double), 9) as confidence,
    round(
        (
            rules.orders + 1.920729
            - 1.959964 * sqrt(rules.orders * (1 - rules.orders / cast(rules.lhs_orders as double)) + 0.960365)
        ) / (rules.lhs_orders + 3.841459),
        6
    ) as confidence_low,
    round(
        cast(rules.orders as double) * rules.all_orders / (cast(rules.lhs_orders as double) * rules.rhs_orders), 6
    ) as lift,
    round(
        (cast(rules.orders as double) * rules.all_orders - cast(rules.lhs_orders as double) * rules.rhs_orders)
        / (cast(rules.all_orders as double) * rules.all_orders),
        9
    ) as leverage
from rules
inner join days
    on rules.as_of = days.as_of
left join names as lhs
    on rules.as_of = lhs.as_of and rules.lhs_product_id = lhs.product_id
left join names as rhs
    on rules.as_of = rhs.as_of and rules.rhs_product_id = rhs.product_id

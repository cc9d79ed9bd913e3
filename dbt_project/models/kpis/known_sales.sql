{{ config(materialized='table', pre_hook="{{ plan_plainly() }}", post_hook="{{ plan_as_usual() }}") }}

{#- The year to date is compared with the year before it. -#}
{%- set days = longest_window(['year_to_date']) + comparable_year() -%}

with lines as (
    select * from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', days) }} as lines
    where is_revenue
),

products as (
    select * from {{ told(ref('int_products_versioned'), 'product_id', ['category', 'launched_on']) }} as products
),

customers as (
    select * from {{ told(ref('int_customers_versioned'), 'customer_id', ['country_code']) }} as customers
),

described as (
    select
        lines.business_on,
        greatest(
            lines.as_of_from,
            coalesce(products.told_from, lines.as_of_from),
            coalesce(customers.told_from, lines.as_of_from)
        ) as as_of_from,
        least(
            lines.as_of_to,
            coalesce(products.told_to, lines.as_of_to),
            coalesce(customers.told_to, lines.as_of_to)
        ) as as_of_to,
        lines.currency,
        lines.channel_id,
        products.category,
        customers.country_code,
        lines.business_on <= {{ day_plus('products.launched_on', 365) }} as is_new_product,
        lines.net_amount,
        case when lines.cost_amount is not null then lines.net_amount end as costed_amount,
        lines.net_amount - lines.cost_amount as margin_amount,
        case when lines.quantity > 0 then lines.gross_amount end as gross_amount,
        case when lines.quantity > 0 then lines.discount_amount end as discount_amount
    from lines
    left join products
        on {{ told_of_day('products', 'product_id', 'lines') }}
    left join customers
        on {{ told_of_day('customers', 'customer_id', 'lines') }}
)

select
    business_on,
    as_of_from,
    as_of_to,
    currency,
    channel_id,
    category,
    country_code,
    is_new_product,
    count(*) as lines,
    sum(net_amount) as net_amount,
    count(costed_amount) as costed_lines,
    sum(costed_amount) as costed_amount,
    sum(margin_amount) as margin_amount,
    sum({{ spread_of('costed_amount', 'costed_amount') }}) as costed_squares,
    sum({{ spread_of('margin_amount', 'costed_amount') }}) as margin_products,
    sum({{ spread_of('margin_amount', 'margin_amount') }}) as margin_squares,
    count(gross_amount) as sold_lines,
    sum(gross_amount) as gross_amount,
    sum(discount_amount) as discount_amount,
    sum({{ spread_of('gross_amount', 'gross_amount') }}) as gross_squares,
    sum({{ spread_of('discount_amount', 'gross_amount') }}) as discount_products,
    sum({{ spread_of('discount_amount', 'discount_amount') }}) as discount_squares
from described
where as_of_from < as_of_to
group by business_on, as_of_from, as_of_to, currency, channel_id, category, country_code, is_new_product

{{ config(materialized='table') }}

with days as (
    select as_of, month_start_on from {{ snapshot_days() }} as days
),

sale_days as (
    select product_id, ordered_on, known_from, known_to
    from {{ ref('int_order_lines_versioned') }}
    where is_revenue and quantity > 0
    group by product_id, ordered_on, known_from, known_to
),

sold as (
    select
        days.as_of,
        days.month_start_on,
        sale_days.product_id,
        min(sale_days.ordered_on) as first_sold_on,
        max(sale_days.ordered_on) as last_sold_on
    from sale_days
    inner join days
        on
            sale_days.known_from <= days.as_of
            and (sale_days.known_to is null or sale_days.known_to > days.as_of)
            and sale_days.ordered_on <= days.as_of
    group by days.as_of, days.month_start_on, sale_days.product_id
)

select
    sold.as_of,
    sold.month_start_on,
    sold.product_id,
    products.product_name,
    products.category,
    products.subcategory,
    products.discontinued_on,
    sold.first_sold_on,
    sold.last_sold_on,
    min(sold.first_sold_on) over (partition by sold.as_of) as company_first_sold_on
from sold
left join {{ ref('int_products_versioned') }} as products
    on
        sold.product_id = products.product_id
        and products.known_from <= sold.as_of
        and (products.known_to is null or products.known_to > sold.as_of)

with offers as (
    select
        *, lead(valid_from) over (partition by supplier_id, product_id order by valid_from) as next_offer_from
    from {{ ref('int_supplier_products_versioned') }}
    where known_to is null
),

-- An offer ends when it says so or when the next one of the same supplier begins, whichever is earlier.
bounded as (
    select
        product_id, supplier_id, valid_from, unit_price, currency, min_order_quantity, order_multiple, lead_time_days,
        known_from,
        least(
            coalesce(cast(valid_to + interval 1 day as date), date '9999-12-31'),
            coalesce(next_offer_from, date '9999-12-31')
        ) as valid_to
    from offers
),

products as (select * from {{ ref('dim_products') }} where is_current),

suppliers as (select * from {{ ref('dim_suppliers') }} where is_current),

newest_rates as (select * from {{ ref('int_base_rates') }} where valid_to = date '9999-12-31')

select
    products.product_key,
    bounded.product_id,
    suppliers.supplier_key,
    bounded.supplier_id,
    bounded.valid_from,
    bounded.valid_to,
    bounded.unit_price,
    bounded.currency,
    {{ to_base('bounded.unit_price', 'newest_rates') }} as unit_price_base,
    newest_rates.currency is null as is_rate_missing,
    bounded.min_order_quantity,
    bounded.order_multiple,
    bounded.lead_time_days,
    bounded.known_from
from bounded
inner join products on products.product_id = bounded.product_id
inner join suppliers on suppliers.supplier_id = bounded.supplier_id
left join newest_rates on newest_rates.currency = bounded.currency

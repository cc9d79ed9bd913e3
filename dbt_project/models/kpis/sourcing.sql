{{ config(materialized='table') }}

with known as (
    select * from {{ purchase_lines_known(source('ops', 'build_scope')) }} as lines
),

bought as (
    select
        known.as_of,
        known.product_id,
        known.supplier_id,
        cast(sum(known.ordered_amount * rates.rate_to_base) as decimal(28, 4)) as spend_base,
        count(*) as lines_ordered,
        cast(sum(known.quantity_ordered) as decimal(28, 3)) as quantity_ordered
    from known
    left join {{ ref('known_rates') }} as rates
        on known.as_of = rates.as_of and known.currency = rates.currency and known.ordered_on = rates.business_on
    where known.is_ordered
    group by known.as_of, known.product_id, known.supplier_id
),

offers as (
    select as_of, product_id, supplier_id from {{ standing_offers(source('ops', 'build_scope')) }} as standing
),

pairs as (
    select as_of, product_id, supplier_id from bought
    union
    select as_of, product_id, supplier_id from offers
)

select
    pairs.as_of,
    pairs.product_id,
    pairs.supplier_id,
    coalesce(bought.lines_ordered, 0) as lines_ordered,
    coalesce(bought.quantity_ordered, 0) as quantity_ordered,
    bought.spend_base,
    offers.supplier_id is not null as has_offer,
    coalesce(suppliers.is_approved, true) as is_qualified
from pairs
left join bought
    on
        pairs.as_of = bought.as_of
        and pairs.product_id = bought.product_id
        and pairs.supplier_id = bought.supplier_id
left join offers
    on
        pairs.as_of = offers.as_of
        and pairs.product_id = offers.product_id
        and pairs.supplier_id = offers.supplier_id
left join {{ ref('int_suppliers_versioned') }} as suppliers
    on pairs.supplier_id = suppliers.supplier_id and {{ is_known('suppliers', 'pairs') }}

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

with days as (
    select * from {{ snapshot_days() }} as newest
),

pairs as (
    select days.month_start_on, sourcing.*
    from {{ ref('sourcing') }} as sourcing
    inner join days
        on sourcing.as_of = days.as_of
),

products as (
    select
        as_of,
        month_start_on,
        product_id,
        sum(lines_ordered) as lines_ordered,
        sum(spend_base) as spend_base,
        sum(case when is_qualified then 1 else 0 end) as n_qualified_suppliers,
        sum(case when is_qualified and has_offer then 1 else 0 end) as n_offering_suppliers,
        sum(case when lines_ordered > 0 then 1 else 0 end) as n_used_suppliers,
        max(case when is_qualified and lines_ordered = 0 then supplier_id end) as candidate_supplier_id,
        sum(case when is_qualified and lines_ordered = 0 then 1 else 0 end) as n_candidates
    from pairs
    group by as_of, month_start_on, product_id
),

{# The supplier of a product's largest spend: who is missed if he fails. #}
leaders as (
    select
        as_of,
        product_id,
        supplier_id,
        spend_base,
        row_number() over (
            partition by as_of, product_id order by coalesce(spend_base, 0) desc, lines_ordered desc, supplier_id
        ) as place
    from pairs
    where lines_ordered > 0
)

select
    products.as_of,
    products.month_start_on,
    products.product_id,
    names.product_name,
    names.category,
    cast(products.n_qualified_suppliers as bigint) as n_qualified_suppliers,
    cast(products.n_offering_suppliers as bigint) as n_offering_suppliers,
    cast(products.n_used_suppliers as bigint) as n_used_suppliers,
    products.n_qualified_suppliers <= 1 as is_single_source,
    products.n_used_suppliers > products.n_qualified_suppliers - products.n_candidates as is_bought_unqualified,
    cast(products.n_candidates as bigint) as n_candidates,
    products.candidate_supplier_id,
    leaders.supplier_id as main_supplier_id,
    cast(products.lines_ordered as bigint) as lines_ordered,
    cast(products.spend_base as decimal(28, 4)) as spend_base,
    cast(leaders.spend_base as decimal(28, 4)) as main_supplier_spend_base,
    round(cast(leaders.spend_base as double) / nullif(cast(products.spend_base as double), 0), 6)
        as main_supplier_share
from products
left join leaders
    on products.as_of = leaders.as_of and products.product_id = leaders.product_id and leaders.place = 1
left join {{ ref('int_products_versioned') }} as names
    on products.product_id = names.product_id and {{ is_known('names', 'products') }}

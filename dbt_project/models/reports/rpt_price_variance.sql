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

lines as (
    select * from {{ purchase_lines_known('days') }} as known
),

priced as (
    select
        days.month_start_on,
        lines.*,
        cast({{ dbt.date_trunc('month', 'lines.ordered_on') }} as date) as price_month_on,
        lines.ordered_amount * rates.rate_to_base as spend_base,
        lines.unit_price * rates.rate_to_base as unit_price_base,
        {{ times('lines.contract_unit_price', 'lines.quantity_ordered') }} * rates.rate_to_base as contract_base,
        {{ times('lines.unit_price - lines.contract_unit_price', 'lines.quantity_ordered') }} * rates.rate_to_base
            as variance_base
    from lines
    inner join days
        on lines.as_of = days.as_of
    left join {{ ref('known_rates') }} as rates
        on lines.as_of = rates.as_of and lines.currency = rates.currency and lines.ordered_on = rates.business_on
    where lines.is_ordered
),

months as (
    select
        as_of,
        month_start_on,
        price_month_on,
        supplier_id,
        product_id,
        count(*) as lines_ordered,
        sum(case when contract_unit_price is not null then 1 else 0 end) as lines_with_contract,
        sum(case when unit_price > contract_unit_price then 1 else 0 end) as lines_above_contract,
        sum(quantity_ordered) as quantity_ordered,
        sum(spend_base) as spend_base,
        min(unit_price_base) as lowest_price_base,
        max(unit_price_base) as highest_price_base,
        sum(contract_base) as contract_base,
        sum(case when contract_base is not null then variance_base end) as variance_base
    from priced
    group by as_of, month_start_on, price_month_on, supplier_id, product_id
),

averaged as (
    select
        *,
        cast(spend_base as double) / nullif(cast(quantity_ordered as double), 0) as average_price_base
    from months
)

select
    averaged.as_of,
    averaged.month_start_on,
    averaged.price_month_on,
    averaged.supplier_id,
    suppliers.supplier_name,
    averaged.product_id,
    products.product_name,
    cast(averaged.lines_ordered as bigint) as lines_ordered,
    cast(averaged.lines_with_contract as bigint) as lines_with_contract,
    cast(averaged.lines_above_contract as bigint) as lines_above_contract,
    cast(averaged.quantity_ordered as decimal(28, 3)) as quantity_ordered,
    cast(averaged.spend_base as decimal(28, 4)) as spend_base,
    round(averaged.average_price_base, 6) as average_price_base,
    round(cast(averaged.lowest_price_base as double), 6) as lowest_price_base,
    round(cast(averaged.highest_price_base as double), 6) as highest_price_base,
    cast(averaged.contract_base as decimal(28, 4)) as contract_base,
    cast(averaged.variance_base as decimal(28, 4)) as price_variance_base,
    round(cast(averaged.variance_base as double) / nullif(cast(averaged.contract_base as double), 0), 6)
        as purchase_price_variance,
    round(
        averaged.average_price_base / nullif(
            lag(averaged.average_price_base) over (
                partition by averaged.as_of, averaged.supplier_id, averaged.product_id
                order by averaged.price_month_on
            ),
            0
        ) - 1,
        6
    ) as price_change
from averaged
left join {{ ref('int_suppliers_versioned') }} as suppliers
    on averaged.supplier_id = suppliers.supplier_id and {{ is_known('suppliers', 'averaged') }}
left join {{ ref('int_products_versioned') }} as products
    on averaged.product_id = products.product_id and {{ is_known('products', 'averaged') }}

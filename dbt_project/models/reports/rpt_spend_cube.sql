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

bought as (
    select
        days.month_start_on,
        lines.as_of,
        lines.supplier_id,
        lines.product_id,
        lines.location_id,
        cast({{ dbt.date_trunc('month', 'lines.ordered_on') }} as date) as spend_month_on,
        lines.ordered_amount * rates.rate_to_base as spend_base,
        lines.quantity_ordered,
        rates.rate_to_base is null as is_rate_missing
    from lines
    inner join days
        on lines.as_of = days.as_of
    left join {{ ref('known_rates') }} as rates
        on lines.as_of = rates.as_of and lines.currency = rates.currency and lines.ordered_on = rates.business_on
    where lines.is_ordered
)

select
    bought.as_of,
    bought.month_start_on,
    bought.spend_month_on,
    bought.supplier_id,
    suppliers.supplier_name,
    coalesce(products.category, '(none)') as category,
    coalesce(bought.location_id, '(none)') as location_id,
    cast(count(*) as bigint) as lines_ordered,
    cast(sum(case when bought.is_rate_missing then 1 else 0 end) as bigint) as lines_without_rate,
    cast(sum(bought.quantity_ordered) as decimal(28, 3)) as quantity_ordered,
    cast(sum(bought.spend_base) as decimal(28, 4)) as spend_base
from bought
left join {{ ref('int_suppliers_versioned') }} as suppliers
    on bought.supplier_id = suppliers.supplier_id and {{ is_known('suppliers', 'bought') }}
left join {{ ref('int_products_versioned') }} as products
    on bought.product_id = products.product_id and {{ is_known('products', 'bought') }}
group by
    bought.as_of,
    bought.month_start_on,
    bought.spend_month_on,
    bought.supplier_id,
    suppliers.supplier_name,
    coalesce(products.category, '(none)'),
    coalesce(bought.location_id, '(none)')

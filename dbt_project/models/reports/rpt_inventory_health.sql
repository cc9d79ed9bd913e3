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

positions as (
    select days.month_start_on, stock.*
    from {{ ref('stock_positions') }} as stock
    inner join days
        on stock.as_of = days.as_of
),

margins as (
    select
        as_of,
        product_id,
        sum(net_amount_with_cost_base - cost_amount_base) as margin_base,
        sum(units_with_cost) as quantity
    from {{ ref('known_sales_daily') }}
    where lines_with_cost > 0 and rate_to_base is not null and {{ in_window('business_on', 'as_of', 365) }}
    group by as_of, product_id
),

{# A series without a row on a day had neither sales nor an empty shelf, so it lost nothing. #}
lost as (
    select
        demand.as_of,
        demand.product_id,
        demand.location_id,
        sum(greatest(cast(demand.demand_quantity as decimal(18, 6)) - demand.sales_quantity, 0)) as quantity,
        sum(demand.sales_quantity) as sales_quantity
    from {{ source('ml', 'unconstrained_demand') }} as demand
    inner join days
        on demand.as_of = days.as_of and {{ in_window('demand.demand_on', 'days.as_of', 28) }}
    group by demand.as_of, demand.product_id, demand.location_id
),

{# Where sales are booked by region and stock by site, no site sells anything and none seems to lose anything. #}
estimated as (
    select as_of
    from lost
    group by as_of
    having sum(sales_quantity) > 0
),

measured as (
    select
        positions.*,
        classes.abc,
        classes.xyz,
        classes.abc_xyz,
        case when estimated.as_of is not null then cast(coalesce(lost.quantity, 0) as double) end as lost_quantity,
        greatest(cast(margins.margin_base as double) / nullif(cast(margins.quantity as double), 0), 0) as unit_margin,
        products.product_name,
        products.category,
        cast(positions.value_days as double) / positions.days_counted as average_value,
        {#- Where nobody books issues: what customers ordered of the product, shared as the forecast is. #}
        case
            when positions.quantity_issued > 0 then cast(positions.quantity_issued as double)
            else cast(positions.quantity_demanded as double) * coalesce(positions.issue_share, 1.0 / positions.locations)
        end / {{ assumed('obsolete_days') }} as issued_a_day,
        cast(positions.quantity_issued as double) / positions.days_counted * cast(positions.unit_cost as double)
            as issued_value_a_day,
        cast(margins.margin_base as double) * coalesce(positions.issue_share, 1.0 / positions.locations)
            as margin_of_location
    from positions
    left join margins
        on positions.as_of = margins.as_of and positions.product_id = margins.product_id
    left join {{ ref('int_products_versioned') }} as products
        on positions.product_id = products.product_id and {{ is_known('products', 'positions') }}
    left join {{ ref('fct_product_abc_xyz') }} as classes
        on positions.as_of = classes.as_of and positions.product_id = classes.product_id
    left join lost
        on
            positions.as_of = lost.as_of
            and positions.product_id = lost.product_id
            and positions.location_id = lost.location_id
    left join estimated
        on positions.as_of = estimated.as_of
)

select
    as_of,
    month_start_on,
    product_id,
    product_name,
    category,
    abc,
    xyz,
    abc_xyz,
    location_id,
    measured_on,
    quantity_on_hand,
    quantity_on_order,
    quantity_allocated,
    unit_cost,
    value_base as inventory_value_base,
    quantity_on_hand - coalesce(quantity_allocated, 0) <= 0 as is_stockout,
    quantity_on_hand < 0 as is_negative,
    cast(days_counted_28d as bigint) as days_counted_28d,
    cast(days_out_28d as bigint) as stockout_days_28d,
    cast(lost_quantity as decimal(18, 3)) as lost_quantity_28d,
    cast(case when lost_quantity = 0 then 0 else lost_quantity * unit_margin end as decimal(18, 4)) as lost_margin_28d_base,
    cast(days_counted as bigint) as days_counted_365d,
    demand_basis,
    daily_demand,
    {#- The pace of forward_quantity: of slow movers a forecast can fade to nearly nothing, and their stock last for ever. #}
    case
        when demand_basis <> 'forecast' or issued_a_day > 0 then round(
            case when quantity_on_hand > 0 then cast(quantity_on_hand as double) else 0 end
            / nullif(greatest(daily_demand, issued_a_day), 0),
            3
        )
    end as days_of_supply_forward,
    round(average_value / nullif(issued_value_a_day, 0), 3) as days_of_supply_historical,
    round(365 * issued_value_a_day / nullif(average_value, 0), 6) as turns,
    cast(average_value as decimal(18, 4)) as average_value_base,
    cast(quantity_issued as decimal(28, 3)) as quantity_issued_365d,
    cast(quantity_demanded as decimal(28, 3)) as quantity_demanded_365d,
    cast(quantity_bought as decimal(28, 3)) as quantity_bought_365d,
    cast(margin_of_location as decimal(18, 4)) as gross_margin_365d_base,
    round(margin_of_location / nullif(average_value, 0), 6) as gmroi,
    forward_quantity,
    policy_quantity,
    excess_quantity,
    excess_value_base,
    is_obsolete,
    obsolete_quantity,
    obsolete_value_base
from measured

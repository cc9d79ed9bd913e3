{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

with health as (
    select stock.*
    from {{ ref('rpt_inventory_health') }} as stock
    inner join {{ snapshot_days() }} as days
        on stock.as_of = days.as_of
),

held as (
    select
        *,
        excess_value_base + obsolete_value_base as value_at_stake_base,
        sum(excess_value_base + obsolete_value_base) over (partition by as_of) as total_base
    from health
)

select
    as_of,
    month_start_on,
    product_id,
    product_name,
    category,
    location_id,
    case when is_obsolete then 'obsolete' else 'excess' end as reason,
    quantity_on_hand,
    cast(excess_quantity + obsolete_quantity as decimal(18, 3)) as quantity_at_stake,
    unit_cost,
    cast(value_at_stake_base as decimal(18, 4)) as value_at_stake_base,
    round(cast(value_at_stake_base as double) / nullif(cast(total_base as double), 0), 6) as share_of_total,
    cast(
        row_number() over (partition by as_of order by value_at_stake_base desc, product_id, location_id) as bigint
    ) as place,
    demand_basis,
    daily_demand,
    days_of_supply_forward,
    quantity_on_order,
    case
        when is_obsolete then 'write down or sell off'
        when quantity_on_order > 0 then 'cancel or put off what is on order'
        else 'stop buying until used up'
    end as recommended_action
from held
where excess_quantity + obsolete_quantity > 0

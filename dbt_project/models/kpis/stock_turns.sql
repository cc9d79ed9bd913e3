{{ config(materialized='table') }}
{%- set days = 365 %}

with counted as (
    select
        business_on,
        as_of_from,
        as_of_to,
        sum(case when quantity_on_hand > 0 then {{ times('quantity_on_hand', 'coalesce(unit_cost, 0)') }} else 0 end)
            as value_base
    from {{ known_rows(ref('int_inventory_levels_versioned'), 'measured_on', days) }} as levels
    group by business_on, as_of_from, as_of_to
),

days as (
    select scope.as_of, counted.business_on, sum(counted.value_base) as value_base
    from counted
    inner join {{ source('ops', 'build_scope') }} as scope
        on
            counted.as_of_from <= scope.as_of
            and counted.as_of_to > scope.as_of
            and {{ in_window('counted.business_on', 'scope.as_of', days) }}
    group by scope.as_of, counted.business_on
),

averages as (
    select
        as_of,
        min(business_on) as first_on,
        count(*) as days_counted,
        sum(value_base) as value_days
    from days
    group by as_of
),

sold as (
    select
        business_on,
        as_of_from,
        as_of_to,
        currency,
        sum(cost_amount) as cost_amount,
        sum(net_amount) as net_amount
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', days) }} as lines
    where is_revenue and cost_amount is not null
    group by business_on, as_of_from, as_of_to, currency
),

booked as (
    select
        averages.as_of,
        sum(sold.cost_amount * rates.rate_to_base) as cost_base,
        sum((sold.net_amount - sold.cost_amount) * rates.rate_to_base) as margin_base
    from averages
    inner join sold
        on
            sold.as_of_from <= averages.as_of
            and sold.as_of_to > averages.as_of
            and sold.business_on <= averages.as_of
            and sold.business_on >= averages.first_on
    inner join {{ ref('known_rates') }} as rates
        on
            averages.as_of = rates.as_of
            and sold.currency = rates.currency
            and sold.business_on = rates.business_on
    group by averages.as_of
)

select
    averages.as_of,
    averages.first_on,
    averages.days_counted,
    cast({{ dbt.datediff('averages.first_on', 'averages.as_of', 'day') }} + 1 as bigint) as days_spanned,
    cast(cast(averages.value_days as double) / averages.days_counted as decimal(28, 4)) as average_value_base,
    cast(booked.cost_base as decimal(28, 4)) as cost_base,
    cast(booked.margin_base as decimal(28, 4)) as margin_base
from averages
left join booked
    on averages.as_of = booked.as_of

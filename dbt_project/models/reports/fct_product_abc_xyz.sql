{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

{#- Fewer weeks of life than this say nothing about how steady a product sells. #}
{%- set fewest_weeks = 8 -%}

with lives as (
    select * from {{ ref('known_product_lives') }}
),

year_sales as (
    select as_of, product_id, sum(net_amount_base) as net_revenue_base
    from {{ ref('known_sales_daily') }}
    where business_on > {{ day_plus('as_of', -365) }}
    group by as_of, product_id
),

{# Fifty-two weeks of seven days that end with the as-of day; a week in which more was cancelled than ordered is one
   without demand. #}
weeks as (
    select
        as_of,
        product_id,
        floor({{ dbt.datediff('business_on', 'as_of', 'day') }} / 7) as weeks_ago,
        greatest(sum(units_demanded), 0) as units
    from {{ ref('known_sales_daily') }}
    where business_on > {{ day_plus('as_of', -364) }}
    group by as_of, product_id, floor({{ dbt.datediff('business_on', 'as_of', 'day') }} / 7)
),

demand as (
    select
        as_of,
        product_id,
        sum(units) as units_demanded,
        cast(sum(units * units) as double) as squares,
        sum(case when units > 0 then 1 else 0 end) as demand_weeks
    from weeks
    group by as_of, product_id
),

measured as (
    select
        lives.*,
        coalesce(year_sales.net_revenue_base, 0) as net_revenue_base,
        coalesce(demand.units_demanded, 0) as units_demanded,
        coalesce(demand.demand_weeks, 0) as demand_weeks,
        coalesce(demand.squares, 0) as squares,
        least(floor({{ dbt.datediff('lives.first_sold_on', 'lives.as_of', 'day') }} / 7) + 1, 52) as weeks_observed
    from lives
    left join year_sales
        on lives.as_of = year_sales.as_of and lives.product_id = year_sales.product_id
    left join demand
        on lives.as_of = demand.as_of and lives.product_id = demand.product_id
),

ranked as (
    select
        *,
        row_number() over (partition by as_of order by net_revenue_base desc, product_id) as revenue_rank,
        sum(greatest(net_revenue_base, 0)) over (
            partition by as_of order by net_revenue_base desc, product_id rows unbounded preceding
        ) as revenue_up_to_here,
        sum(greatest(net_revenue_base, 0)) over (partition by as_of) as revenue_of_all
    from measured
),

rated as (
    select
        *,
        case
            when last_sold_on <= {{ day_plus('as_of', -365) }} or discontinued_on <= as_of then 'dead'
            when weeks_observed < {{ fewest_weeks }} then 'new'
            else 'active'
        end as lifecycle,
        case
            when revenue_of_all > 0
                then cast(revenue_up_to_here - greatest(net_revenue_base, 0) as double) / cast(revenue_of_all as double)
        end as share_before,
        case
            when revenue_of_all > 0 then cast(net_revenue_base as double) / cast(revenue_of_all as double)
        end as revenue_share,
        case
            when revenue_of_all > 0 then cast(revenue_up_to_here as double) / cast(revenue_of_all as double)
        end as cumulative_revenue_share,
        cast(units_demanded as double) / weeks_observed as mean_weekly_units,
        case
            when weeks_observed > 1
                then greatest(
                    squares - cast(units_demanded as double) * cast(units_demanded as double) / weeks_observed, 0
                ) / (weeks_observed - 1)
        end as weekly_variance,
        case when demand_weeks > 0 then weeks_observed / cast(demand_weeks as double) end as demand_interval_weeks,
        case
            when demand_weeks > 0
                then greatest(
                    squares * demand_weeks
                    / (cast(units_demanded as double) * cast(units_demanded as double)) - 1, 0
                )
        end as squared_cv_of_demand
    from ranked
),

{# Rounded before they are compared, so that a class can be read off the figure beside it. #}
steadiness as (
    select
        *,
        case
            when units_demanded > 0 then round(sqrt(weekly_variance) / mean_weekly_units, 6)
        end as weekly_cv,
        round(demand_interval_weeks, 6) as interval_weeks,
        round(squared_cv_of_demand, 6) as squared_cv
    from rated
),

classed as (
    select
        *,
        case
            when net_revenue_base <= 0 then 'C'
            when share_before < 0.8 then 'A'
            when share_before < 0.95 then 'B'
            else 'C'
        end as abc,
        case
            when lifecycle <> 'active' or weekly_cv is null then null
            when weekly_cv <= 0.5 then 'X'
            when weekly_cv <= 1 then 'Y'
            else 'Z'
        end as xyz,
        case
            when lifecycle <> 'active' then lifecycle
            when interval_weeks is null then 'dead'
            when interval_weeks < 1.32 and squared_cv < 0.49 then 'smooth'
            when interval_weeks < 1.32 then 'erratic'
            when squared_cv < 0.49 then 'intermittent'
            else 'lumpy'
        end as demand_class
    from steadiness
)

select
    as_of,
    month_start_on,
    product_id,
    product_name,
    category,
    first_sold_on,
    last_sold_on,
    discontinued_on,
    cast(net_revenue_base as decimal(38, 6)) as net_revenue_base,
    round(revenue_share, 9) as revenue_share,
    revenue_rank,
    round(cumulative_revenue_share, 9) as cumulative_revenue_share,
    abc,
    cast(weeks_observed as integer) as weeks_observed,
    cast(units_demanded as decimal(38, 6)) as units_demanded,
    round(mean_weekly_units, 6) as mean_weekly_units,
    weekly_cv,
    xyz,
    cast(demand_weeks as integer) as demand_weeks,
    interval_weeks as demand_interval_weeks,
    squared_cv as squared_cv_of_demand,
    demand_class,
    case when xyz is not null then {{ dbt.concat(['abc', 'xyz']) }} end as abc_xyz,
    lifecycle <> 'active' as is_insufficient_data
from classed

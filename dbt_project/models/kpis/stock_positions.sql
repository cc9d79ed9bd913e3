{{ config(materialized='table') }}
{%- set year = assumed('obsolete_days') %}
{%- set cover = assumed('cover_days') %}

with counts as (
    select
        product_id,
        location_id,
        business_on,
        as_of_from,
        as_of_to,
        quantity_on_hand,
        quantity_on_order,
        quantity_allocated,
        unit_cost,
        1 as counted,
        case when quantity_on_hand - coalesce(quantity_allocated, 0) <= 0 then 1 else 0 end as is_out,
        coalesce(quantity_issued, 0) as quantity_issued,
        case when quantity_issued is null then 0 else 1 end as is_issue_known,
        cast(
            case
                when quantity_on_hand > 0
                    then {{ product_amount('quantity_on_hand', 'coalesce(unit_cost, 0)', decimals=7) }}
                else 0
            end as decimal(28, 4)
        ) as value_base
    from {{ known_rows(ref('int_inventory_levels_versioned'), 'measured_on', year) }} as levels
),

flows as (
    select *
    from {{ sliding_sums('counts', ['product_id', 'location_id'], {
        'days_counted': ['counted', year],
        'days_issue_known': ['is_issue_known', year],
        'quantity_issued': ['quantity_issued', year],
        'value_days': ['value_base', year],
        'days_counted_28d': ['counted', 28],
        'days_out_28d': ['is_out', 28],
    }) }} as sums
),

newest as (
    select
        scope.as_of,
        counts.*,
        row_number() over (
            partition by scope.as_of, counts.product_id, counts.location_id order by counts.business_on desc
        ) as recency
    from counts
    inner join {{ source('ops', 'build_scope') }} as scope
        on
            counts.as_of_from <= scope.as_of
            and counts.as_of_to > scope.as_of
            and {{ in_window('counts.business_on', 'scope.as_of', assumed('trusted_count_days')) }}
),

{# Since when a series is known to be counted: earlier counts that became known later replace it from then on. #}
first_counts as (
    select product_id, location_id, known_from, measured_on
    from (
        select
            product_id,
            location_id,
            known_from,
            measured_on,
            min(measured_on) over (
                partition by product_id, location_id order by known_from, measured_on
                rows between unbounded preceding and 1 preceding
            ) as first_before
        from {{ ref('int_inventory_levels_versioned') }}
    ) as ordered
    where first_before is null or measured_on < first_before
),

demand as (
    select
        product_id,
        ordered_on as business_on,
        as_of_from,
        as_of_to,
        sum(demand_quantity) as demand_quantity
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', year) }} as lines
    where demand_quantity > 0
    group by product_id, ordered_on, as_of_from, as_of_to
),

demanded as (
    select * from {{ sliding_sums('demand', ['product_id'], {'quantity_demanded': ['demand_quantity', year]}) }} as sums
),

bought as (
    select
        product_id,
        received_on as business_on,
        as_of_from,
        as_of_to,
        coalesce(quantity_received, 0) - coalesce(quantity_rejected, 0) as quantity_accepted
    from {{ known_rows(ref('int_purchase_order_lines_versioned'), 'received_on', year) }} as lines
    where quantity_received > 0
),

received as (
    select * from {{ sliding_sums('bought', ['product_id'], {'quantity_bought': ['quantity_accepted', year]}) }} as sums
),

forecasts as (
    select
        forecasts.as_of,
        forecasts.product_id,
        cast(sum(cast(forecasts.mean as decimal(18, 6))) as double) / count(distinct forecasts.target_on) as daily_quantity
    from {{ source('ml', 'demand_forecasts') }} as forecasts
    inner join {{ source('ops', 'build_scope') }} as scope
        on forecasts.as_of = scope.as_of
    where forecasts.is_selected
    group by forecasts.as_of, forecasts.product_id
),

{# Of a product's offers, the one with the least quantity on order says how much at least comes in at once. #}
offers as (
    select
        as_of,
        product_id,
        min(coalesce(min_order_quantity, 0)) as min_order_quantity,
        max(lead_time_days) as lead_time_days
    from {{ standing_offers(source('ops', 'build_scope')) }} as standing
    group by as_of, product_id
),

placed as (
    select
        newest.as_of,
        newest.product_id,
        newest.location_id,
        newest.business_on as measured_on,
        newest.quantity_on_hand,
        newest.quantity_on_order,
        newest.quantity_allocated,
        newest.unit_cost,
        newest.value_base,
        flows.days_counted,
        flows.days_issue_known,
        flows.quantity_issued,
        flows.value_days,
        flows.days_counted_28d,
        flows.days_out_28d,
        coalesce(demanded.quantity_demanded, 0) as quantity_demanded,
        coalesce(received.quantity_bought, 0) as quantity_bought,
        cast(flows.quantity_issued as double) / nullif(cast(
            sum(flows.quantity_issued) over (partition by newest.as_of, newest.product_id) as double
        ), 0) as issue_share,
        count(*) over (partition by newest.as_of, newest.product_id) as locations,
        forecasts.daily_quantity as forecast_quantity,
        offers.min_order_quantity,
        offers.lead_time_days
    from newest
    inner join flows
        on
            newest.as_of = flows.as_of
            and newest.product_id = flows.product_id
            and newest.location_id = flows.location_id
    left join demanded
        on newest.as_of = demanded.as_of and newest.product_id = demanded.product_id
    left join received
        on newest.as_of = received.as_of and newest.product_id = received.product_id
    left join forecasts
        on newest.as_of = forecasts.as_of and newest.product_id = forecasts.product_id
    left join offers
        on newest.as_of = offers.as_of and newest.product_id = offers.product_id
    where newest.recency = 1
),

aged as (
    select
        placed.as_of,
        placed.product_id,
        placed.location_id,
        min(first_counts.measured_on) as first_counted_on
    from placed
    inner join first_counts
        on
            placed.product_id = first_counts.product_id
            and placed.location_id = first_counts.location_id
            and first_counts.known_from <= placed.as_of
    group by placed.as_of, placed.product_id, placed.location_id
),

{# A product that is sold is forecast; its locations share the forecast as they shared its issues. A component that only
   production takes has no forecast: what went out a day says what will, or, where nobody books what production takes, what
   was bought. #}
paced as (
    select
        placed.*,
        aged.first_counted_on,
        case
            when placed.forecast_quantity is not null then 'forecast'
            when placed.quantity_issued > 0 then 'issues'
            when placed.quantity_bought > 0 then 'purchases'
            else 'none'
        end as demand_basis,
        case
            when placed.forecast_quantity is not null
                then placed.forecast_quantity * coalesce(placed.issue_share, 1.0 / placed.locations)
            when placed.quantity_issued > 0
                then cast(placed.quantity_issued as double) / placed.days_issue_known
            when placed.quantity_bought > 0
                then cast(placed.quantity_bought as double) / {{ year }} / placed.locations
            else 0.0
        end as daily_demand
    from placed
    inner join aged
        on
            placed.as_of = aged.as_of
            and placed.product_id = aged.product_id
            and placed.location_id = aged.location_id
),

judged as (
    select
        *,
        greatest(cast(quantity_on_hand as double), 0) as stock,
        quantity_on_hand > 0
        and first_counted_on <= {{ day_plus('as_of', 1 - year) }}
        and quantity_demanded <= 0
        and quantity_issued <= 0
        and quantity_bought <= 0 as is_obsolete,
        {#- A forecast reaches a month ahead and may stand in the low season: what went out in a year counts as well. #}
        {{ cover }} * greatest(daily_demand, cast(quantity_issued as double) / {{ year }}) as forward_quantity,
        daily_demand * (coalesce(lead_time_days, 0) + {{ assumed('safety_days') }})
        + coalesce(cast(min_order_quantity as double), 0) as policy_quantity
    from paced
),

{# Nothing is called excess that nothing is known of: a product without demand is either obsolete or too young to say. #}
weighed as (
    select
        *,
        case when is_obsolete then stock else 0 end as obsolete_units,
        case
            when is_obsolete or demand_basis = 'none' then 0
            else greatest(stock - greatest(forward_quantity, policy_quantity), 0)
        end as excess_units
    from judged
)

select
    as_of,
    product_id,
    location_id,
    measured_on,
    first_counted_on,
    quantity_on_hand,
    quantity_on_order,
    quantity_allocated,
    unit_cost,
    value_base,
    days_counted,
    quantity_issued,
    value_days,
    days_counted_28d,
    days_out_28d,
    quantity_demanded,
    quantity_bought,
    issue_share,
    locations,
    demand_basis,
    round(daily_demand, 6) as daily_demand,
    round(forward_quantity, 3) as forward_quantity,
    round(policy_quantity, 3) as policy_quantity,
    is_obsolete,
    cast(excess_units as decimal(18, 3)) as excess_quantity,
    cast(excess_units * cast(coalesce(unit_cost, 0) as double) as decimal(18, 4)) as excess_value_base,
    cast(obsolete_units as decimal(18, 3)) as obsolete_quantity,
    cast(obsolete_units * cast(coalesce(unit_cost, 0) as double) as decimal(18, 4)) as obsolete_value_base
from weighed

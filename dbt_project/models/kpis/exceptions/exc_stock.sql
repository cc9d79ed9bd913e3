{%- set demand_days = 90 -%}
{%- set wanted_days = 28 -%}
{#- What lies there, how much of it is excess and what is obsolete is that of the tables of stock (stock_positions): a part
    that is never sold is wanted by production, or by whoever keeps buying it. -#}

with lines as (
    select
        product_id, location_id, business_on, currency, as_of_from, as_of_to,
        sum(demand_quantity) as units,
        sum(case when is_revenue then net_amount end) as net_amount
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', demand_days) }} as lines
    group by product_id, location_id, business_on, currency, as_of_from, as_of_to
),

sold as (
    select
        scope.as_of, lines.product_id, lines.location_id,
        sum(case when lines.business_on > {{ day_plus('scope.as_of', -wanted_days) }} then lines.units end) as recent_units,
        cast(sum(lines.net_amount * rates.rate_to_base) as decimal(38, 6)) as net_amount_base
    from lines
    inner join {{ source('ops', 'build_scope') }} as scope
        on
            lines.as_of_from <= scope.as_of
            and lines.as_of_to > scope.as_of
            and lines.business_on <= scope.as_of
            and lines.business_on > {{ day_plus('scope.as_of', -demand_days) }}
    inner join {{ ref('known_rates') }} as rates
        on
            scope.as_of = rates.as_of
            and lines.currency = rates.currency
            and lines.business_on = rates.business_on
    group by scope.as_of, lines.product_id, lines.location_id
),

{#- Sales name another kind of place than stock does in some companies; then all places are one. -#}
places as (
    select stock.as_of, max(case when sold.product_id is not null then 1 else 0 end) = 1 as is_by_place
    from {{ ref('stock_positions') }} as stock
    left join sold
        on
            stock.as_of = sold.as_of
            and stock.product_id = sold.product_id
            and stock.location_id = sold.location_id
    group by stock.as_of
),

demand as (
    select
        sold.as_of, sold.product_id,
        case when places.is_by_place then sold.location_id else '(all)' end as place,
        sum(sold.recent_units) as recent_units,
        sum(sold.net_amount_base) as net_amount_base
    from sold
    inner join places
        on sold.as_of = places.as_of
    group by sold.as_of, sold.product_id, case when places.is_by_place then sold.location_id else '(all)' end
),

empty as (
    select
        stock.as_of, stock.product_id,
        case when places.is_by_place then stock.location_id else '(all)' end as place
    from {{ ref('stock_positions') }} as stock
    inner join places
        on stock.as_of = places.as_of
    group by stock.as_of, stock.product_id, case when places.is_by_place then stock.location_id else '(all)' end
    having max(stock.quantity_on_hand - coalesce(stock.quantity_allocated, 0)) <= 0
),

{#- Since when: the day after the last on which less than `enough` lay there, or any, as far as ninety days back. -#}
flagged as (
    select
        empty.as_of, empty.product_id, empty.place, true as is_empty, false as is_obsolete, 0.0 as enough,
        7.0 * cast(coalesce(demand.net_amount_base, 0) as double) / {{ demand_days }} as at_stake
    from empty
    inner join demand
        on empty.as_of = demand.as_of and empty.product_id = demand.product_id and empty.place = demand.place
    where demand.recent_units > 0
    union all
    select
        as_of, product_id, location_id, false, is_obsolete,
        case when is_obsolete then 0.0 else greatest(forward_quantity, policy_quantity) end,
        cast(excess_value_base + obsolete_value_base as double)
    from {{ ref('stock_positions') }}
    where excess_value_base + obsolete_value_base > 0
),

known_levels as (
    select *
    from {{ known_rows(ref('int_inventory_levels_versioned'), 'measured_on', demand_days) }} as levels
),

days as (
    select
        flagged.as_of, flagged.product_id, flagged.place, flagged.is_empty, flagged.enough, known_levels.business_on,
        sum(greatest(
            known_levels.quantity_on_hand
            - case when flagged.is_empty then coalesce(known_levels.quantity_allocated, 0) else 0 end, 0
        )) as quantity
    from flagged
    inner join known_levels
        on
            flagged.product_id = known_levels.product_id
            and (flagged.place = '(all)' or flagged.place = known_levels.location_id)
            and known_levels.as_of_from <= flagged.as_of
            and known_levels.as_of_to > flagged.as_of
            and known_levels.business_on <= flagged.as_of
            and known_levels.business_on > {{ day_plus('flagged.as_of', -demand_days) }}
    group by
        flagged.as_of, flagged.product_id, flagged.place, flagged.is_empty, flagged.enough, known_levels.business_on
),

well as (
    select as_of, product_id, place, is_empty, max(business_on) as last_well_on
    from days
    where case when is_empty then quantity > 0 else cast(quantity as double) <= enough end
    group by as_of, product_id, place, is_empty
),

beginnings as (
    select days.as_of, days.product_id, days.place, days.is_empty, min(days.business_on) as first_seen_on
    from days
    left join well
        on
            days.as_of = well.as_of
            and days.product_id = well.product_id
            and days.place = well.place
            and days.is_empty = well.is_empty
    where well.last_well_on is null or days.business_on > well.last_well_on
    group by days.as_of, days.product_id, days.place, days.is_empty
)

select
    flagged.as_of,
    case when flagged.is_empty then 'stock_out' else 'excess_stock' end as exception_type,
    'product_location' as entity_type,
    {{ dbt.concat(['flagged.product_id', "' @ '", 'flagged.place']) }} as entity_id,
    cast(null as {{ dbt.type_string() }}) as kpi_id,
    'supply_chain' as owner_department,
    case when flagged.is_empty then 'critical' else 'warning' end as severity,
    case
        when flagged.is_empty
            then {{ dbt.concat(["'Nothing left of '", 'flagged.product_id', "' at '", 'flagged.place', "', and it is wanted'"]) }}
        when flagged.is_obsolete
            then {{ dbt.concat(["'Nobody wants '", 'flagged.product_id', "' at '", 'flagged.place', "' any more'"]) }}
        else {{ dbt.concat(["'More than half a year of '", 'flagged.product_id', "' at '", 'flagged.place']) }}
    end as title,
    cast(flagged.at_stake as decimal(28, 4)) as value_at_stake_base,
    beginnings.first_seen_on,
    cast(null as date) as due_by,
    case
        when flagged.is_empty then 'Reorder or move stock from another place; at stake is a week of its revenue.'
        when flagged.is_obsolete then 'Return, mark down or write off; at stake is its cost.'
        else 'Stop reordering, move or mark down; at stake is the cost of what half a year will not need.'
    end as recommended_action,
    'marts.fct_inventory_snapshot_daily' as evidence_table,
    {{ evidence_key({'product_id': 'flagged.product_id', 'location_id': 'flagged.place'}) }} as evidence_key
from flagged
inner join beginnings
    on
        flagged.as_of = beginnings.as_of
        and flagged.product_id = beginnings.product_id
        and flagged.place = beginnings.place
        and flagged.is_empty = beginnings.is_empty

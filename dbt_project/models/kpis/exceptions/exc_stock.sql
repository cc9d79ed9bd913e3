{%- set trusted_days = 7 -%}
{%- set demand_days = 90 -%}
{%- set wanted_days = 28 -%}
{#- Stock for longer than half a year ties up money. -#}
{%- set excess_days = 180 -%}

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
        sum(lines.units) as units,
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

known_levels as (
    select *, quantity_on_hand - coalesce(quantity_allocated, 0) as available
    from {{ known_rows(ref('int_inventory_levels_versioned'), 'measured_on', demand_days) }} as levels
),

newest as (
    select *
    from (
        select
            scope.as_of, known_levels.product_id, known_levels.location_id, known_levels.available,
            known_levels.unit_cost, known_levels.business_on,
            row_number() over (
                partition by scope.as_of, known_levels.product_id, known_levels.location_id
                order by known_levels.business_on desc
            ) as recency
        from known_levels
        inner join {{ source('ops', 'build_scope') }} as scope
            on
                known_levels.as_of_from <= scope.as_of
                and known_levels.as_of_to > scope.as_of
                and known_levels.business_on <= scope.as_of
                and known_levels.business_on > {{ day_plus('scope.as_of', -trusted_days) }}
    ) as ranked
    where recency = 1
),

{#- Sales name another kind of place than stock does in some companies; then all places are one. -#}
places as (
    select newest.as_of, max(case when sold.product_id is not null then 1 else 0 end) = 1 as is_by_place
    from newest
    left join sold
        on
            newest.as_of = sold.as_of
            and newest.product_id = sold.product_id
            and newest.location_id = sold.location_id
    group by newest.as_of
),

stock as (
    select
        newest.as_of, newest.product_id,
        case when places.is_by_place then newest.location_id else '(all)' end as place,
        sum(greatest(newest.available, 0)) as available,
        max(newest.unit_cost) as unit_cost
    from newest
    inner join places
        on newest.as_of = places.as_of
    group by newest.as_of, newest.product_id, case when places.is_by_place then newest.location_id else '(all)' end
),

demand as (
    select
        sold.as_of, sold.product_id,
        case when places.is_by_place then sold.location_id else '(all)' end as place,
        sum(sold.units) as units,
        sum(sold.recent_units) as recent_units,
        sum(sold.net_amount_base) as net_amount_base
    from sold
    inner join places
        on sold.as_of = places.as_of
    group by sold.as_of, sold.product_id, case when places.is_by_place then sold.location_id else '(all)' end
),

flagged as (
    select
        stock.as_of, stock.product_id, stock.place, stock.available, stock.unit_cost,
        coalesce(demand.units, 0) as units,
        coalesce(demand.net_amount_base, 0) as net_amount_base,
        stock.available <= 0 as is_empty,
        greatest(coalesce(demand.units, 0), 0) * {{ excess_days }} / {{ demand_days }} as enough
    from stock
    left join demand
        on stock.as_of = demand.as_of and stock.product_id = demand.product_id and stock.place = demand.place
    where
        (stock.available <= 0 and demand.recent_units > 0)
        or (
            stock.unit_cost > 0
            and stock.available > greatest(coalesce(demand.units, 0), 0) * {{ excess_days }} / {{ demand_days }}
        )
),

{#- Since when: the day after the last on which it was not so, as far as ninety days back. -#}
days as (
    select
        flagged.as_of, flagged.product_id, flagged.place, flagged.is_empty, flagged.enough, known_levels.business_on,
        sum(greatest(known_levels.available, 0)) as available
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
    select as_of, product_id, place, max(business_on) as last_well_on
    from days
    where case when is_empty then available > 0 else available <= enough end
    group by as_of, product_id, place
),

beginnings as (
    select days.as_of, days.product_id, days.place, min(days.business_on) as first_seen_on
    from days
    left join well
        on days.as_of = well.as_of and days.product_id = well.product_id and days.place = well.place
    where well.last_well_on is null or days.business_on > well.last_well_on
    group by days.as_of, days.product_id, days.place
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
        when flagged.units > 0
            then {{ dbt.concat(["'More than half a year of '", 'flagged.product_id', "' at '", 'flagged.place']) }}
        else {{ dbt.concat(["'Nobody wants '", 'flagged.product_id', "' at '", 'flagged.place', "' any more'"]) }}
    end as title,
    cast(case
        when flagged.is_empty then 7.0 * cast(flagged.net_amount_base as double) / {{ demand_days }}
        else cast(flagged.available - flagged.enough as double) * cast(flagged.unit_cost as double)
    end as decimal(28, 4)) as value_at_stake_base,
    beginnings.first_seen_on,
    cast(null as date) as due_by,
    case
        when flagged.is_empty then 'Reorder or move stock from another place; at stake is a week of its revenue.'
        when flagged.units > 0 then 'Stop reordering, move or mark down; at stake is the cost of what half a year will not need.'
        else 'Return, mark down or write off; at stake is its cost.'
    end as recommended_action,
    'marts.fct_inventory_snapshot_daily' as evidence_table,
    {{ evidence_key({'product_id': 'flagged.product_id', 'location_id': 'flagged.place'}) }} as evidence_key
from flagged
inner join beginnings
    on
        flagged.as_of = beginnings.as_of
        and flagged.product_id = beginnings.product_id
        and flagged.place = beginnings.place

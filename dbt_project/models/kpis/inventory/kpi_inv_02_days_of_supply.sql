{%- set days_a_count_is_trusted = 7 -%}

with levels as (
    select
        scope.as_of,
        counts.product_id,
        counts.quantity_on_hand,
        row_number() over (
            partition by scope.as_of, counts.product_id, counts.location_id
            order by counts.business_on desc
        ) as recency
    from {{ known_rows(ref('int_inventory_levels_versioned'), 'measured_on', days_a_count_is_trusted) }} as counts
    inner join {{ source('ops', 'build_scope') }} as scope
        on
            counts.as_of_from <= scope.as_of
            and counts.as_of_to > scope.as_of
            and counts.business_on <= scope.as_of
            and counts.business_on > {{ day_plus('scope.as_of', -days_a_count_is_trusted) }}
),

stock as (
    select
        as_of,
        product_id,
        sum(case when quantity_on_hand > 0 then quantity_on_hand else 0 end) as quantity_on_hand
    from levels
    where recency = 1
    group by as_of, product_id
),

forecasts as (
    select
        forecasts.as_of,
        forecasts.product_id,
        forecasts.target_on,
        cast(forecasts.mean as decimal(18, 6)) as quantity
    from {{ source('ml', 'demand_forecasts') }} as forecasts
    inner join {{ source('ops', 'build_scope') }} as scope
        on forecasts.as_of = scope.as_of
    where forecasts.is_selected
),

horizons as (
    select as_of, count(distinct target_on) as days
    from forecasts
    group by as_of
),

demand as (
    select as_of, product_id, sum(quantity) as quantity
    from forecasts
    group by as_of, product_id
)

select
    stock.as_of,
    'as_of' as period_grain,
    stock.as_of as period_start,
    stock.as_of as period_end,
    'all' as segment_type,
    'all' as segment_value,
    cast(sum(stock.quantity_on_hand) as decimal(38, 6)) as numerator,
    cast(sum(demand.quantity) / max(horizons.days) as decimal(38, 6)) as denominator,
    count(*) as n,
    {{- no_spread() }}
from stock
inner join demand
    on stock.as_of = demand.as_of and stock.product_id = demand.product_id
inner join horizons
    on stock.as_of = horizons.as_of
group by stock.as_of

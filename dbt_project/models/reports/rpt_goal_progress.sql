{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

{%- set accumulating = "('" ~ accumulating_kpis() | join("', '") ~ "')" -%}
{%- set key = ['as_of', 'kpi_id', 'segment_type', 'segment_value', 'period_start', 'period_end'] -%}
{#- A goal that is over is shown for a month. -#}
{%- set shown_days = 31 -%}
{#- The same weekday a year before. -#}
{%- set year_days = 364 -%}
{%- set weekday_days = 91 -%}

with own as (
    select
        scope.as_of, targets.kpi_id, targets.segment_type, targets.segment_value, targets.period_start,
        targets.period_end, cast(targets.target_value as double) as target_value,
        cast(targets.lower_value as double) as lower_value, cast(targets.upper_value as double) as upper_value,
        targets.direction, targets.owner, targets.known_from as target_known_from
    from {{ ref('int_kpi_targets_versioned') }} as targets
    inner join {{ source('ops', 'build_scope') }} as scope
        on
            targets.known_from <= scope.as_of
            and (targets.known_to is null or targets.known_to > scope.as_of)
            and targets.period_start <= scope.as_of
            and targets.period_end > {{ day_plus('scope.as_of', -shown_days) }}
),

kpis as (
    select * from {{ ref('dim_kpis') }}
),

own_goals as (
    select
        {% for column in key %}own.{{ column }}, {% endfor %}
        own.target_value, own.lower_value, own.upper_value,
        coalesce(own.direction, kpis.direction, 'up') as direction,
        coalesce(own.owner, kpis.owner_department) as owner,
        own.target_known_from, false as is_default_target
    from own
    left join kpis
        on own.kpi_id = kpis.kpi_id
),

{#- What the KPI itself measures as of the day: levels, and the sums of whole periods. -#}
measured as (
    select
        kpi_values.*,
        case
            when period_grain like 'trailing%'
                then 1000 + {{ dbt.datediff('period_start', 'period_end', 'day') }}
            when period_grain = 'as_of' then 2000
            when period_grain = 'year_to_date' then 3000
            when period_grain = 'quarter_to_date' then 4000
            when period_grain = 'month_to_date' then 5000
        end as preference
    from {{ ref('fct_kpi_values') }} as kpi_values
    where as_of in (select as_of from {{ source('ops', 'build_scope') }})
),

levels as (
    select *
    from (
        select
            *,
            row_number() over (
                partition by as_of, kpi_id, segment_type, segment_value order by preference, period_grain
            ) as choice
        from measured
        where preference is not null
    ) as ranked
    where choice = 1
),

default_goals as (
    select
        levels.as_of, levels.kpi_id, levels.segment_type, levels.segment_value, levels.period_start, levels.period_end,
        kpis.default_target as target_value,
        case
            when kpis.direction in ('zero', 'band') then kpis.default_target - {{ default_half_width('kpis.kpi_id') }}
        end as lower_value,
        case
            when kpis.direction in ('zero', 'band') then kpis.default_target + {{ default_half_width('kpis.kpi_id') }}
        end as upper_value,
        kpis.direction, kpis.owner_department as owner, cast(null as date) as target_known_from,
        true as is_default_target
    from levels
    inner join kpis
        on levels.kpi_id = kpis.kpi_id
    left join own_goals
        on
            levels.as_of = own_goals.as_of
            and levels.kpi_id = own_goals.kpi_id
            and own_goals.segment_type = 'all'
            and own_goals.period_end >= levels.as_of
    where levels.segment_type = 'all' and kpis.default_target is not null and own_goals.kpi_id is null
),

{#- A band needs bounds: a twentieth around the target where none is given. -#}
goals as (
    select
        {{ key | join(', ') }}, target_value, direction, owner, target_known_from, is_default_target,
        case
            when direction in ('zero', 'band') and lower_value is null and upper_value is null
                then target_value - {{ goal_tolerance() }} * abs(target_value)
            else lower_value
        end as lower_value,
        case
            when direction in ('zero', 'band') and lower_value is null and upper_value is null
                then target_value + {{ goal_tolerance() }} * abs(target_value)
            else upper_value
        end as upper_value,
        kpi_id in {{ accumulating }} and not is_default_target as is_accumulating
    from (
        select * from own_goals
        union all
        select
            as_of, kpi_id, segment_type, segment_value, period_start, period_end, target_value, lower_value, upper_value,
            direction, owner, target_known_from, is_default_target
        from default_goals
    ) as told
),

daily as (
    select * from {{ ref('known_daily_values') }} where kpi_id in {{ accumulating }}
),

ends as (
    select as_of, kpi_id, min(business_on) as first_known_on, max(business_on) as last_known_on
    from daily
    where segment_type = 'all'
    group by as_of, kpi_id
),

prices as (
    select *, cast(net_amount_base as double) / cast(demand_units as double) as price
    from {{ ref('known_recent_prices') }}
    where demand_units > 0 and net_amount_base > 0
),

forecasts as (
    select
        forecasts.as_of, forecasts.channel_id, forecasts.target_on,
        sum(cast(forecasts.mean * prices.price as decimal(28, 6))) as amount
    from {{ source('ml', 'demand_forecasts') }} as forecasts
    inner join prices
        on
            forecasts.as_of = prices.as_of
            and forecasts.product_id = prices.product_id
            and forecasts.channel_id = prices.channel_id
    where forecasts.is_selected
    group by forecasts.as_of, forecasts.channel_id, forecasts.target_on
),

forecast_series as (
    select distinct as_of, product_id, channel_id
    from {{ source('ml', 'demand_forecasts') }}
    where is_selected and as_of in (select as_of from {{ source('ops', 'build_scope') }})
),

{#- Not every product has a forecast: those that have stand for the revenue of their channel. -#}
coverage as (
    select
        prices.as_of, prices.channel_id,
        cast(sum(case when forecast_series.product_id is not null then prices.net_amount_base end) as double)
        / cast(sum(prices.net_amount_base) as double) as covered
    from prices
    left join forecast_series
        on
            prices.as_of = forecast_series.as_of
            and prices.product_id = forecast_series.product_id
            and prices.channel_id = forecast_series.channel_id
    group by prices.as_of, prices.channel_id
),

forecast_days as (
    select
        forecasts.as_of, forecasts.channel_id, forecasts.target_on,
        cast(cast(forecasts.amount as double) / coverage.covered as decimal(28, 6)) as amount
    from forecasts
    inner join coverage
        on forecasts.as_of = coverage.as_of and forecasts.channel_id = coverage.channel_id
    where coverage.covered > 0
),

bounded as (
    select
        {% for column in key %}goals.{{ column }}, {% endfor %}
        ends.first_known_on,
        least(ends.last_known_on, goals.period_end) as elapsed_on,
        least(goals.as_of, goals.period_end) as today_on
    from goals
    inner join ends
        on goals.as_of = ends.as_of and goals.kpi_id = ends.kpi_id
    where goals.is_accumulating
),

remainders as (
    select
        {% for column in key %}bounded.{{ column }}, {% endfor %}
        max(forecast_days.target_on) as forecast_until,
        sum(forecast_days.amount) as forecast_amount
    from bounded
    inner join forecast_days
        on
            bounded.as_of = forecast_days.as_of
            and (bounded.segment_type = 'all' or bounded.segment_value = forecast_days.channel_id)
            and forecast_days.target_on > bounded.today_on
            and forecast_days.target_on <= bounded.period_end
    group by {% for column in key %}bounded.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
),

spans as (
    select
        bounded.*,
        remainders.forecast_amount,
        coalesce(remainders.forecast_until, bounded.today_on) as reached_on
    from bounded
    left join remainders
        on {% for column in key %}bounded.{{ column }} = remainders.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
),

{#- The same days of the year before, as far as the goal's last day. -#}
sums as (
    select
        {% for column in key %}spans.{{ column }}, {% endfor %}
        sum(case when daily.business_on >= spans.period_start and daily.business_on <= spans.period_end
            then daily.numerator end) as actual,
        sum(case when daily.business_on >= spans.period_start and daily.business_on <= spans.period_end
            then daily.n end) as n,
        {%- for name, last_on in (
            ('elapsed', 'elapsed_on'), ('today', 'today_on'), ('reached', 'reached_on'), ('whole', 'period_end')
        ) %}
        sum(case
            when
                daily.business_on >= {{ day_plus('spans.period_start', -year_days) }}
                and daily.business_on <= {{ day_plus('spans.' ~ last_on, -year_days) }}
                and spans.first_known_on <= {{ day_plus('spans.period_start', -year_days) }}
                then greatest(daily.numerator, 0)
        end) as year_{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from spans
    left join daily
        on
            spans.as_of = daily.as_of
            and spans.kpi_id = daily.kpi_id
            and spans.segment_type = daily.segment_type
            and spans.segment_value = daily.segment_value
    group by {% for column in key %}spans.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
),

{#- Without a year of history the season is the week. -#}
weekdays as (
    select
        daily.as_of, daily.kpi_id, daily.segment_type, daily.segment_value,
        {{ weekday_of('daily.business_on') }} as weekday,
        sum(greatest(daily.numerator, 0)) as weight
    from daily
    where daily.business_on > {{ day_plus('daily.as_of', -weekday_days) }}
    group by
        daily.as_of, daily.kpi_id, daily.segment_type, daily.segment_value, {{ weekday_of('daily.business_on') }}
),

goal_bounds as (
    select min(period_start) as first_on, max(period_end) as last_on from spans
),

goal_days as (
    {{ days_between('goal_bounds', 'first_on', 'last_on') }}
),

weeks as (
    select
        {% for column in key %}spans.{{ column }}, {% endfor %}
        {%- for name, last_on in (
            ('elapsed', 'elapsed_on'), ('today', 'today_on'), ('reached', 'reached_on'), ('whole', 'period_end')
        ) %}
        sum(case when goal_days.date_on <= spans.{{ last_on }} then weekdays.weight end) as week_{{ name }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from spans
    inner join goal_days
        on goal_days.date_on >= spans.period_start and goal_days.date_on <= spans.period_end
    inner join weekdays
        on
            spans.as_of = weekdays.as_of
            and spans.kpi_id = weekdays.kpi_id
            and spans.segment_type = weekdays.segment_type
            and spans.segment_value = weekdays.segment_value
            and {{ weekday_of('goal_days.date_on') }} = weekdays.weekday
    group by {% for column in key %}spans.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
),

shares as (
    select
        {% for column in key %}sums.{{ column }}, {% endfor %}
        sums.actual, sums.n,
        case
            when sums.year_whole > 0 then 'last_year'
            when weeks.week_whole > 0 then 'weekday'
        end as pace_method,
        {%- for name in ('elapsed', 'today', 'reached') %}
        case
            when sums.year_whole > 0
                then cast(coalesce(sums.year_{{ name }}, 0) as double) / cast(sums.year_whole as double)
            when weeks.week_whole > 0
                then cast(coalesce(weeks.week_{{ name }}, 0) as double) / cast(weeks.week_whole as double)
        end as {{ name }}_share{{ ',' if not loop.last }}
        {%- endfor %}
    from sums
    left join weeks
        on {% for column in key %}sums.{{ column }} = weeks.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
),

{#- Days between the newest known one and the as-of day are in neither actuals nor forecast. -#}
projected as (
    select
        shares.*,
        spans.elapsed_on,
        cast(spans.forecast_amount as double) as forecast_amount,
        shares.elapsed_share + shares.reached_share - shares.today_share as covered_share
    from shares
    inner join spans
        on {% for column in key %}shares.{{ column }} = spans.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
),

sums_to_date as (
    select
        goals.*, 'to_date' as measured_grain, cast(coalesce(projected.actual, 0) as double) as actual_value,
        coalesce(projected.n, 0) as n, false as is_insufficient_data,
        cast(null as double) as ci_low, cast(null as double) as ci_high,
        projected.elapsed_on as measured_until, projected.pace_method, projected.elapsed_share,
        projected.forecast_amount,
        case
            when goals.as_of > goals.period_end then cast(coalesce(projected.actual, 0) as double)
            when projected.covered_share >= {{ least_covered_share() }}
                then
                    (cast(coalesce(projected.actual, 0) as double) + coalesce(projected.forecast_amount, 0))
                    / projected.covered_share
        end as projected_end,
        goals.as_of > goals.period_end as is_period_over
    from goals
    inner join projected
        on {% for column in key %}goals.{{ column }} = projected.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
    where goals.is_accumulating
),

{#- A level is measured by the KPI's value of just this timeframe where there is one, else by its standing window. -#}
candidates as (
    select
        goals.*, measured.period_grain as measured_grain, measured.value as actual_value, measured.n,
        measured.is_insufficient_data, measured.ci_low, measured.ci_high, measured.period_end as measured_until,
        goals.as_of > goals.period_end and not goals.is_default_target as is_period_over,
        row_number() over (
            partition by {% for column in key %}goals.{{ column }}, {% endfor %} goals.is_default_target
            order by
                case
                    when
                        measured.period_start = goals.period_start
                        and measured.period_end = least(goals.as_of, goals.period_end)
                        then 0
                    else measured.preference
                end,
                measured.period_grain
        ) as choice
    from goals
    inner join measured
        on
            goals.as_of = measured.as_of
            and goals.kpi_id = measured.kpi_id
            and goals.segment_type = measured.segment_type
            and goals.segment_value = measured.segment_value
            and (
                (
                    measured.period_start = goals.period_start
                    and measured.period_end = least(goals.as_of, goals.period_end)
                )
                or (measured.preference is not null and (goals.as_of <= goals.period_end or goals.is_default_target))
            )
    where not goals.is_accumulating
),

standing as (
    select
        {% for column in key %}goals.{{ column }}, {% endfor %}
        goals.target_value, goals.direction, goals.owner, goals.target_known_from, goals.is_default_target,
        goals.lower_value, goals.upper_value, goals.is_accumulating,
        candidates.measured_grain, candidates.actual_value, coalesce(candidates.n, 0) as n,
        coalesce(candidates.is_insufficient_data, true) as is_insufficient_data, candidates.ci_low, candidates.ci_high,
        candidates.measured_until, cast(null as {{ dbt.type_string() }}) as pace_method,
        cast(null as double) as elapsed_share, cast(null as double) as forecast_amount,
        candidates.actual_value as projected_end,
        goals.as_of > goals.period_end and not goals.is_default_target as is_period_over
    from goals
    left join candidates
        on
            {% for column in key %}goals.{{ column }} = candidates.{{ column }} and {% endfor %}
            candidates.choice = 1
    where
        not goals.is_accumulating
        or not exists (
            select 1 from projected
            where {% for column in key %}projected.{{ column }} = goals.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
        )
),

judged as (
    select
        *,
        {{ shortfall('projected_end') }} as shortfall,
        case
            when actual_value is null or is_insufficient_data then 'insufficient_data'
            when is_period_over and {{ shortfall('actual_value') }} = 0 then 'achieved'
            when is_period_over then 'missed'
            when is_accumulating and direction = 'up' and actual_value >= target_value then 'achieved'
            when projected_end is null then 'insufficient_data'
            else {{ track_status('projected_end') }}
        end as status
    from (
        select * from sums_to_date
        union all
        select
            {{ key | join(', ') }}, target_value, direction, owner, target_known_from, is_default_target,
            lower_value, upper_value, is_accumulating, measured_grain, actual_value, n, is_insufficient_data,
            ci_low, ci_high, measured_until, pace_method, elapsed_share, forecast_amount, projected_end, is_period_over
        from standing
    ) as all_goals
),

{#- The night before is the newest as-of day before, whether this run computes it or an earlier one did: the hook has
    taken the days of this run out of the table, and the days of a run need not be neighbours. Of a default target the
    window moves with the day, so it is not part of what makes it the same goal. -#}
nights as (
    select
        as_of, kpi_id, segment_type, segment_value, is_default_target, status, period_start, period_end,
        case when is_default_target then date '1900-01-01' else period_start end as since,
        case when is_default_target then date '9999-12-31' else period_end end as until
    from judged
    {%- if is_incremental() %}
    union all
    select
        as_of, kpi_id, segment_type, segment_value, is_default_target, status, period_start, period_end,
        case when is_default_target then date '1900-01-01' else period_start end as since,
        case when is_default_target then date '9999-12-31' else period_end end as until
    from {{ this }}
    {%- endif %}
),

compared as (
    select
        *,
        lag(as_of) over (
            partition by kpi_id, segment_type, segment_value, is_default_target, since, until order by as_of
        ) as previous_as_of,
        lag(status) over (
            partition by kpi_id, segment_type, segment_value, is_default_target, since, until order by as_of
        ) as previous_status
    from nights
)

select
    judged.as_of,
    judged.kpi_id,
    coalesce(kpis.title, judged.kpi_id) as title,
    kpis.unit,
    kpis.owner_department,
    judged.owner,
    judged.segment_type,
    judged.segment_value,
    judged.period_start,
    judged.period_end,
    judged.direction,
    judged.target_value,
    judged.lower_value,
    judged.upper_value,
    judged.is_default_target,
    judged.target_known_from,
    judged.measured_grain,
    judged.measured_until,
    judged.actual_value,
    cast(judged.n as bigint) as n,
    judged.ci_low,
    judged.ci_high,
    round(case judged.direction
        when 'up' then judged.actual_value / nullif(judged.target_value, 0)
        when 'down' then judged.target_value / nullif(judged.actual_value, 0)
    end, 9) as attainment_pct,
    judged.pace_method,
    round(judged.elapsed_share, 9) as elapsed_share,
    round(judged.actual_value / nullif(judged.target_value * judged.elapsed_share, 0), 9) as pace_pct,
    round(judged.forecast_amount, 4) as forecast_amount,
    round(judged.projected_end, 6) as projected_end,
    round(judged.shortfall, 6) as shortfall,
    judged.is_period_over,
    judged.status,
    compared.previous_as_of,
    compared.previous_status,
    coalesce(judged.status <> compared.previous_status, false) as status_changed
from judged
inner join compared
    on
        judged.as_of = compared.as_of
        and judged.kpi_id = compared.kpi_id
        and judged.segment_type = compared.segment_type
        and judged.segment_value = compared.segment_value
        and judged.period_start = compared.period_start
        and judged.period_end = compared.period_end
        and judged.is_default_target = compared.is_default_target
left join kpis
    on judged.kpi_id = kpis.kpi_id

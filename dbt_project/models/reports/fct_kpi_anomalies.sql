{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

{#- A day is judged against the thirteen weeks before it; each night the newest week is. -#}
{%- set baseline_days = 91 -%}
{%- set judged_days = 7 -%}
{%- set least_same_weekdays = 6 -%}
{%- set warning_z = 3.5 -%}
{%- set critical_z = 6 -%}
{%- set series = ['as_of', 'kpi_id', 'segment_type', 'segment_value'] -%}

with daily as (
    select
        {{ series | join(', ') }},
        business_on,
        numerator,
        denominator,
        n,
        case
            when denominator is null then cast(numerator as double)
            else cast(numerator as double) / nullif(greatest(cast(denominator as double), 0), 0)
        end as value
    from {{ ref('known_daily_values') }}
    where business_on > {{ day_plus('as_of', -(baseline_days + judged_days)) }}
),

{#- Days after the newest known one are not empty, they have not been told yet. -#}
ends as (
    select as_of, kpi_id, max(business_on) as last_known_on
    from daily
    where segment_type = 'all'
    group by as_of, kpi_id
),

judged_on as (
    select ends.as_of, ends.kpi_id, {{ day_plus('ends.last_known_on', '-back.days') }} as business_on
    from ends
    cross join (
        {%- for days in range(judged_days) %}
        select {{ days }} as days{{ ' union all' if not loop.last }}
        {%- endfor %}
    ) as back
),

baseline as (
    select
        {% for column in series %}daily.{{ column }}, {% endfor %}
        judged_on.business_on,
        daily.business_on as baseline_on,
        daily.value,
        {{ weekday_of('daily.business_on') }} = {{ weekday_of('judged_on.business_on') }} as is_same_weekday,
        median(daily.value) over (
            partition by {% for column in series %}daily.{{ column }}, {% endfor %} judged_on.business_on,
                {{ weekday_of('daily.business_on') }}
        ) as usual
    from daily
    inner join judged_on
        on
            daily.as_of = judged_on.as_of
            and daily.kpi_id = judged_on.kpi_id
            and daily.business_on < judged_on.business_on
            and daily.business_on >= {{ day_plus('judged_on.business_on', -baseline_days) }}
    where daily.value is not null
),

deseasonalised as (
    select
        baseline.*,
        {{ weekless('baseline.value', 'baseline.usual') }} as deviation
    from baseline
    inner join {{ ref('dim_kpis') }} as kpis
        on baseline.kpi_id = kpis.kpi_id
),

moved as (
    select
        *,
        abs(deviation - lag(deviation) over (
            partition by {{ series | join(', ') }}, business_on order by baseline_on
        )) as moving_range
    from deseasonalised
    where deviation is not null
),

limits as (
    select
        {{ series | join(', ') }},
        business_on,
        max(case when is_same_weekday then usual end) as expected,
        sum(case when is_same_weekday then 1 else 0 end) as same_weekdays,
        count(*) as baseline_days,
        median(abs(deviation)) as median_deviation,
        {#- Decimals, because the last digit of a sum of doubles depends on the order of the rows. #}
        cast(sum(cast(deviation as decimal(28, 12))) as double) / count(*) as mean_deviation,
        cast(sum(cast(moving_range as decimal(28, 12))) as double) / nullif(count(moving_range), 0) as mean_moving_range
    from moved
    group by {{ series | join(', ') }}, business_on
),

judged as (
    select
        limits.*,
        kpis.direction,
        kpis.aggregation = 'sum' as is_sum,
        {#- A day on which this weekday usually sells and nothing is known is a day of nothing. #}
        coalesce(daily.value, case when kpis.aggregation = 'sum' then 0 end) as value,
        {{ weekless("coalesce(daily.value, 0)", 'limits.expected') }} as deviation,
        coalesce(daily.n, 0) as n,
        daily.denominator
    from limits
    inner join {{ ref('dim_kpis') }} as kpis
        on limits.kpi_id = kpis.kpi_id
    left join daily
        on
            {% for column in series %}limits.{{ column }} = daily.{{ column }} and {% endfor %}
            limits.business_on = daily.business_on
    where limits.expected is not null
),

scored as (
    select
        *,
        same_weekdays < {{ least_same_weekdays }} as is_insufficient_data,
        {{ control_limit('-') }} as lower_limit,
        {{ control_limit('+') }} as upper_limit,
        deviation / nullif(1.4826 * median_deviation, 0) as robust_z
    from judged
    where value is not null
),

graded as (
    select
        *,
        case
            when is_insufficient_data or (value >= lower_limit and value <= upper_limit) then 'none'
            when abs(round(robust_z, 6)) >= {{ critical_z }} then 'critical'
            when abs(round(robust_z, 6)) >= {{ warning_z }} then 'warning'
            else 'none'
        end as severity
    from scored
)

select
    as_of,
    kpi_id,
    segment_type,
    segment_value,
    'day' as period_grain,
    business_on as period_start,
    business_on as period_end,
    value,
    round(expected, 6) as expected,
    round(lower_limit, 6) as lower_limit,
    round(upper_limit, 6) as upper_limit,
    round(robust_z, 6) as robust_z,
    cast(baseline_days as bigint) as baseline_days,
    cast(n as bigint) as n,
    is_insufficient_data,
    severity,
    severity <> 'none' as is_anomaly,
    case direction when 'up' then value < expected when 'down' then value > expected end as is_unfavourable,
    {#- A ratio is worth its distance times what it is a ratio of. #}
    cast(abs(value - expected) * case when is_sum then 1 else cast(denominator as double) end as decimal(28, 4))
        as amount_at_stake_base
from graded
union all
{#- Of shares of counts the spread follows from the counts, and the limits are three standard deviations. #}
select
    as_of,
    kpi_id,
    segment_type,
    segment_value,
    period_grain,
    period_start,
    period_end,
    value,
    expected,
    lower_limit,
    upper_limit,
    z as robust_z,
    cast(baseline_days as bigint) as baseline_days,
    cast(n as bigint) as n,
    is_insufficient_data,
    case
        when is_insufficient_data or abs(z) <= 3 then 'none'
        when abs(z) >= {{ critical_z }} then 'critical'
        else 'warning'
    end as severity,
    not is_insufficient_data and abs(z) > 3 as is_anomaly,
    value > expected as is_unfavourable,
    cast(null as decimal(28, 4)) as amount_at_stake_base
from {{ ref('complaint_limits') }}

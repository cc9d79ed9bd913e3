{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

{#- Older figures describe another market. -#}
{%- set stale_months = 24 -%}

{#- A figure counts from the day it was public, so an as-of day of 2011 is not compared with 2024. -#}
with public as (
    select
        scope.as_of,
        benchmarks.*,
        max(benchmarks.source_date) over (partition by scope.as_of, benchmarks.kpi_id, benchmarks.scope) as newest_date
    from {{ ref('industry_benchmarks') }} as benchmarks
    inner join {{ source('ops', 'build_scope') }} as scope
        on benchmarks.source_date <= scope.as_of
),

benchmarks as (
    select
        as_of,
        kpi_id,
        scope,
        source_date,
        min(source) as source,
        min(licence) as licence,
        min(note) as note,
        min(unit) as unit,
        min(case when is_comparable then 1 else 0 end) = 1 as is_comparable,
        {%- for statistic in ('p25', 'median', 'p75', 'mean') %}
        cast(max(case when statistic = '{{ statistic }}' then value end) as double) as {{ statistic }}_value,
        {%- endfor %}
        source_date <= cast({{ dbt.dateadd('month', -stale_months, 'as_of') }} as date) as is_stale
    from public
    where source_date = newest_date
    group by as_of, kpi_id, scope, source_date
),

compared as (
    select
        benchmarks.*,
        scorecard.title,
        scorecard.direction,
        scorecard.period_start,
        scorecard.period_end,
        scorecard.value as actual_value,
        scorecard.n,
        coalesce(benchmarks.median_value, benchmarks.mean_value) as centre_value,
        coalesce(scorecard.n < kpis.min_n, true) as is_insufficient_data
    from benchmarks
    inner join {{ ref('rpt_department_scorecard') }} as scorecard
        on benchmarks.as_of = scorecard.as_of and benchmarks.kpi_id = scorecard.kpi_id
    inner join {{ ref('dim_kpis') }} as kpis
        on benchmarks.kpi_id = kpis.kpi_id
),

judged as (
    select
        *,
        actual_value is not null and is_comparable and not is_stale and not is_insufficient_data
        and direction in ('up', 'down') as has_verdict,
        case direction when 'up' then 1 when 'down' then -1 end as sign
    from compared
)

select
    as_of,
    kpi_id,
    title,
    scope,
    unit,
    period_start,
    period_end,
    actual_value,
    cast(n as bigint) as n,
    p25_value,
    median_value,
    p75_value,
    mean_value,
    case when has_verdict then round(sign * (actual_value - centre_value), 9) end as gap,
    case
        when not has_verdict then 'no_verdict'
        when sign * (actual_value - case when sign = 1 then p75_value else p25_value end) >= 0 then 'best_quarter'
        when sign * (actual_value - case when sign = 1 then p25_value else p75_value end) < 0 then 'worst_quarter'
        when sign * (actual_value - centre_value) >= 0 then 'better_half'
        when sign * (actual_value - centre_value) < 0 then 'worse_half'
        else 'no_verdict'
    end as percentile_band,
    case
        when has_verdict then null
        when actual_value is null or is_insufficient_data then 'insufficient_data'
        when not is_comparable then 'other_definition'
        when is_stale then 'benchmark_too_old'
        else 'no_direction'
    end as no_verdict_reason,
    is_stale,
    is_comparable,
    source,
    source_date,
    licence,
    note
from judged

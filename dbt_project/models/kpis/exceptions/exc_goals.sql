{#- Money at stake: of a sum what it falls short; of a ratio of money its shortfall times what it is a ratio of; of a
    forecast that leans to one side the revenue of four weeks it is wrong about. -#}
{%- set money_ratios = "('SAL-02', 'SAL-03', 'SAL-06', 'SUP-05')" -%}
{%- set unmet = "('off_track', 'missed')" -%}

with nights as (
    select
        *,
        case when is_default_target then date '1900-01-01' else period_start end as since,
        case when is_default_target then date '9999-12-31' else period_end end as until
    from {{ ref('rpt_goal_progress') }}
),

unmet as (
    select * from nights
    where status in {{ unmet }} and as_of in (select as_of from {{ source('ops', 'build_scope') }})
),

{#- The first night of those in a row on which it was not met: what was known each night is in the table. -#}
first_nights as (
    select unmet.as_of, unmet.kpi_id, unmet.segment_type, unmet.segment_value, unmet.since, unmet.until,
        min(case when earlier.as_of > coalesce(met.met_as_of, date '1900-01-01') then earlier.as_of end) as first_seen_on
    from unmet
    left join (
        select
            unmet.as_of, unmet.kpi_id, unmet.segment_type, unmet.segment_value, unmet.since, unmet.until,
            max(nights.as_of) as met_as_of
        from unmet
        inner join nights
            on
                {{ same_goal('unmet', 'nights') }}
                and nights.as_of < unmet.as_of
                and nights.status not in {{ unmet }}
        group by unmet.as_of, unmet.kpi_id, unmet.segment_type, unmet.segment_value, unmet.since, unmet.until
    ) as met
        on {{ same_goal('unmet', 'met') }} and unmet.as_of = met.as_of
    inner join nights as earlier
        on {{ same_goal('unmet', 'earlier') }} and earlier.as_of <= unmet.as_of and earlier.status in {{ unmet }}
    group by unmet.as_of, unmet.kpi_id, unmet.segment_type, unmet.segment_value, unmet.since, unmet.until
),

{#- One row per KPI and segment: of several timeframes the nearest that still can be met. -#}
nearest as (
    select *
    from (
        select
            *,
            row_number() over (
                partition by as_of, kpi_id, segment_type, segment_value
                order by is_period_over, {{ dbt.datediff('period_start', 'period_end', 'day') }}, period_end desc
            ) as choice
        from unmet
    ) as ranked
    where choice = 1
),

{#- What a segment falls short is in what the whole does: it is named there, or the same money would be listed twice. A
    default of the catalogue says less than the owner's own target of a segment, so it takes none of those in. -#}
folded as (
    select segments.as_of, segments.kpi_id, segments.segment_type, segments.segment_value
    from nearest as segments
    inner join nearest as wholes
        on
            segments.as_of = wholes.as_of
            and segments.kpi_id = wholes.kpi_id
            and wholes.segment_type = 'all'
            and (segments.is_default_target or not wholes.is_default_target)
    where segments.segment_type <> 'all'
),

named as (
    select as_of, kpi_id, {{ dbt.listagg('segment_value', "', '", 'order by segment_type, segment_value') }} as segment_values
    from folded
    group by as_of, kpi_id
),

recent_revenue as (
    select as_of, cast(sum(numerator) as double) as amount
    from {{ ref('known_daily_values') }}
    where kpi_id = 'SAL-01' and segment_type = 'all' and business_on > {{ day_plus('as_of', -28) }}
    group by as_of
)

select
    nearest.as_of,
    'goal_off_track' as exception_type,
    nearest.segment_type as entity_type,
    nearest.segment_value as entity_id,
    nearest.kpi_id,
    nearest.owner_department,
    case when nearest.is_default_target then 'warning' else 'critical' end as severity,
    {{ dbt.concat([
        'nearest.title', "' of '", 'nearest.segment_value', "' '", "replace(nearest.status, '_', ' ')",
        "case when nearest.segment_type = 'all' and named.segment_values is not null then "
        ~ dbt.concat(["': also '", 'named.segment_values']) ~ " else '' end"
    ]) }} as title,
    cast(case
        when nearest.kpi_id = 'SAL-01' then nearest.shortfall
        when nearest.kpi_id in {{ money_ratios }} then nearest.shortfall * cast(measured.denominator as double)
        when nearest.kpi_id = 'FCS-02' then abs(nearest.actual_value) * recent_revenue.amount
    end as decimal(28, 4)) as value_at_stake_base,
    first_nights.first_seen_on,
    case when not nearest.is_default_target then nearest.period_end end as due_by,
    case
        when nearest.is_default_target
            then 'Measured against a default of the catalogue: set your own target, or find out why it is missed.'
        when nearest.is_period_over then 'The timeframe is over: say why it was missed and what the next target is.'
        else 'Decide what closes the gap before the timeframe ends, or change the target and say why.'
    end as recommended_action,
    'reports.rpt_goal_progress' as evidence_table,
    {{ evidence_key({
        'kpi_id': 'nearest.kpi_id', 'segment_type': 'nearest.segment_type', 'segment_value': 'nearest.segment_value',
        'period_start': 'nearest.period_start', 'period_end': 'nearest.period_end'
    }) }} as evidence_key
from nearest
inner join first_nights
    on {{ same_goal('nearest', 'first_nights') }} and nearest.as_of = first_nights.as_of
left join {{ ref('fct_kpi_values') }} as measured
    on
        nearest.as_of = measured.as_of
        and nearest.kpi_id = measured.kpi_id
        and nearest.segment_type = measured.segment_type
        and nearest.segment_value = measured.segment_value
        and nearest.measured_grain = measured.period_grain
        and nearest.measured_until = measured.period_end
left join recent_revenue
    on nearest.as_of = recent_revenue.as_of
left join named
    on nearest.as_of = named.as_of and nearest.kpi_id = named.kpi_id
left join folded
    on
        nearest.as_of = folded.as_of
        and nearest.kpi_id = folded.kpi_id
        and nearest.segment_type = folded.segment_type
        and nearest.segment_value = folded.segment_value
where folded.as_of is null

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

{#- Of several goals for a KPI the one of the shortest timeframe that has not ended speaks for it. -#}
with goals as (
    select *
    from (
        select
            *,
            row_number() over (
                partition by as_of, kpi_id
                order by
                    is_period_over, {{ dbt.datediff('period_start', 'period_end', 'day') }}, period_end desc,
                    is_default_target
            ) as choice
        from {{ ref('rpt_goal_progress') }}
        where segment_type = 'all' and as_of in (select as_of from {{ source('ops', 'build_scope') }})
    ) as ranked
    where choice = 1
),

levels as (
    select *
    from (
        select
            *,
            row_number() over (
                partition by as_of, kpi_id
                order by
                    case
                        when period_grain like 'trailing%' then 0
                        when period_grain = 'as_of' then 1
                        when period_grain = 'month_to_date' then 2
                        else 3
                    end,
                    {{ dbt.datediff('period_start', 'period_end', 'day') }}, period_grain, period_end desc
            ) as choice
        from {{ ref('fct_kpi_values') }}
        where segment_type = 'all' and as_of in (select as_of from {{ source('ops', 'build_scope') }})
    ) as ranked
    where choice = 1
),

entries as (
    select
        scope.as_of,
        kpis.owner_department as department_id,
        coalesce(departments.title, kpis.owner_department) as department_title,
        kpis.kpi_id,
        kpis.title,
        kpis.unit,
        kpis.direction,
        coalesce(goals.period_start, levels.period_start) as period_start,
        coalesce(goals.period_end, levels.period_end) as period_end,
        coalesce(goals.actual_value, levels.value) as value,
        coalesce(goals.n, levels.n, 0) as n,
        goals.target_value,
        goals.is_default_target,
        goals.attainment_pct,
        case
            when goals.kpi_id is not null then goals.status
            when levels.kpi_id is not null then 'no_target'
            else 'insufficient_data'
        end as status
    from {{ source('ops', 'build_scope') }} as scope
    cross join {{ ref('dim_kpis') }} as kpis
    left join {{ ref('dim_departments') }} as departments
        on kpis.owner_department = departments.department_id
    left join goals
        on scope.as_of = goals.as_of and kpis.kpi_id = goals.kpi_id
    left join levels
        on scope.as_of = levels.as_of and kpis.kpi_id = levels.kpi_id
),

counted as (
    select
        *,
        sum(case when status in ('on_track', 'achieved') then 1 else 0 end)
            over (partition by as_of, department_id) as goals_met,
        sum(case when status in ('on_track', 'achieved', 'at_risk', 'off_track', 'missed') then 1 else 0 end)
            over (partition by as_of, department_id) as goals_judged,
        row_number() over (
            partition by as_of, department_id
            order by
                case status
                    when 'missed' then 1 when 'off_track' then 2 when 'at_risk' then 3 when 'insufficient_data' then 5
                    when 'no_target' then 6 else 4
                end,
                attainment_pct, kpi_id
        ) as worst_rank
    from entries
),

shares as (
    select
        *,
        cast(goals_met as double) / nullif(cast(goals_judged as double), 0) as share_of_goals_met
    from counted
)

select
    as_of,
    department_id,
    department_title,
    kpi_id,
    title,
    unit,
    direction,
    period_start,
    period_end,
    value,
    cast(n as bigint) as n,
    target_value,
    is_default_target,
    attainment_pct,
    status,
    cast(worst_rank as integer) as worst_rank,
    cast(goals_met as integer) as goals_met,
    cast(goals_judged as integer) as goals_judged,
    share_of_goals_met,
    case when share_of_goals_met is not null then
        cast(dense_rank() over (partition by as_of order by coalesce(share_of_goals_met, -1) desc) as integer)
    end as department_rank
from shares

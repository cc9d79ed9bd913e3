{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

with links as (
    select
        scorecard.as_of,
        objectives.objective_id,
        objectives.title as objective_title,
        objectives.perspective,
        objectives.owner_department,
        bridge.kpi_id,
        bridge.process,
        bridge.report_table,
        bridge.weight
    from (select as_of from {{ source('ops', 'build_scope') }}) as scorecard
    cross join {{ ref('dim_objectives') }} as objectives
    left join {{ ref('bridge_objective_kpis') }} as bridge
        on objectives.objective_id = bridge.objective_id
),

statuses as (
    select
        links.*,
        scorecard.title as kpi_title,
        kpis.model_name,
        scorecard.value,
        scorecard.target_value,
        scorecard.is_default_target,
        scorecard.target_value is not null as has_target,
        case
            when links.kpi_id is null then 'no_kpi'
            when kpis.kpi_id is null then 'not_computed'
            else scorecard.status
        end as status
    from links
    left join {{ ref('dim_kpis') }} as kpis
        on links.kpi_id = kpis.kpi_id
    left join {{ ref('rpt_department_scorecard') }} as scorecard
        on links.as_of = scorecard.as_of and links.kpi_id = scorecard.kpi_id
),

weighed as (
    select
        *,
        case when status in ('on_track', 'achieved', 'at_risk', 'off_track', 'missed') then weight else 0 end
            as judged_weight,
        case when status in ('on_track', 'achieved') then weight else 0 end as met_weight
    from statuses
),

objectives as (
    select
        as_of,
        objective_id,
        count(kpi_id) as kpis,
        sum(case when has_target then 1 else 0 end) as kpis_with_target,
        sum(judged_weight) as judged_weight,
        cast(sum(met_weight) as double) / nullif(cast(sum(judged_weight) as double), 0) as effectiveness
    from weighed
    group by as_of, objective_id
),

coverage as (
    select
        as_of,
        cast(sum(case when kpis_with_target > 0 then 1 else 0 end) as double) / count(*) as objective_coverage
    from objectives
    group by as_of
)

select
    weighed.as_of,
    weighed.objective_id,
    weighed.objective_title,
    weighed.perspective,
    weighed.owner_department,
    coalesce(weighed.kpi_id, '(none)') as kpi_id,
    weighed.kpi_title,
    weighed.process,
    weighed.model_name,
    weighed.report_table,
    weighed.weight,
    weighed.value,
    weighed.target_value,
    weighed.is_default_target,
    weighed.has_target,
    weighed.status,
    cast(objectives.kpis as integer) as objective_kpis,
    cast(objectives.kpis_with_target as integer) as objective_kpis_with_target,
    objectives.effectiveness as objective_effectiveness,
    case
        when objectives.judged_weight = 0 then 'insufficient_data'
        when objectives.effectiveness = 1 then 'on_track'
        when objectives.effectiveness >= 0.5 then 'at_risk'
        else 'off_track'
    end as objective_status,
    coverage.objective_coverage
from weighed
inner join objectives
    on weighed.as_of = objectives.as_of and weighed.objective_id = objectives.objective_id
inner join coverage
    on weighed.as_of = coverage.as_of

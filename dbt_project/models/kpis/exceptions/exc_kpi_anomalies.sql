with unfavourable as (
    select *
    from {{ ref('fct_kpi_anomalies') }}
    where is_anomaly and is_unfavourable and as_of in (select as_of from {{ source('ops', 'build_scope') }})
),

{#- Where a part is out of its limits, it explains the whole. -#}
explained as (
    select distinct as_of, kpi_id
    from unfavourable
    where segment_type <> 'all'
)

select
    unfavourable.as_of,
    'kpi_anomaly' as exception_type,
    unfavourable.segment_type as entity_type,
    unfavourable.segment_value as entity_id,
    unfavourable.kpi_id,
    kpis.owner_department,
    case when max(case unfavourable.severity when 'critical' then 1 else 0 end) = 1 then 'critical' else 'warning' end
        as severity,
    case
        when unfavourable.kpi_id = 'FBK-04'
            then {{ dbt.concat([
                'min(kpis.title)', "' of '", 'unfavourable.segment_value', "' above its limit in the last 28 days'"
            ]) }}
        else {{ dbt.concat([
            'min(kpis.title)', "' of '", 'unfavourable.segment_value', "' outside its limits on '", 'cast(count(*) as '
            ~ dbt.type_string() ~ ')', "' of the last 7 days'"
        ]) }}
    end as title,
    cast(sum(unfavourable.amount_at_stake_base) as decimal(28, 4)) as value_at_stake_base,
    min(unfavourable.period_start) as first_seen_on,
    cast(null as date) as due_by,
    case
        when unfavourable.kpi_id = 'FBK-04'
            then 'Read what they write, and tell the department whose doing it is.'
        else 'Look at the day: a file that is late or cut, a closed shop, a price or promotion that went wrong.'
    end as recommended_action,
    'reports.fct_kpi_anomalies' as evidence_table,
    {{ evidence_key({
        'kpi_id': 'unfavourable.kpi_id', 'segment_type': 'unfavourable.segment_type',
        'segment_value': 'unfavourable.segment_value'
    }) }} as evidence_key
from unfavourable
inner join {{ ref('dim_kpis') }} as kpis
    on unfavourable.kpi_id = kpis.kpi_id
left join explained
    on unfavourable.as_of = explained.as_of and unfavourable.kpi_id = explained.kpi_id
{#- A topic that is emerging is on the list as such. #}
left join {{ ref('exc_feedback_topics') }} as topics
    on
        unfavourable.as_of = topics.as_of
        and unfavourable.kpi_id = topics.kpi_id
        and unfavourable.segment_value = topics.entity_id
where (unfavourable.segment_type <> 'all' or explained.kpi_id is null) and topics.entity_id is null
group by
    unfavourable.as_of, unfavourable.segment_type, unfavourable.segment_value, unfavourable.kpi_id,
    kpis.owner_department

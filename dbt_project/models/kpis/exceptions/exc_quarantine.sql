{%- set days = 28 -%}

select
    scope.as_of,
    'quarantined_records' as exception_type,
    'feed' as entity_type,
    files.feed as entity_id,
    'DAT-02' as kpi_id,
    'data' as owner_department,
    case when max(case when files.status = 'refused' then 1 else 0 end) = 1 then 'critical' else 'warning' end as severity,
    {{ dbt.concat([
        'cast(sum(files.records_quarantined) as ' ~ dbt.type_string() ~ ')', "' records of '", 'files.feed',
        "' refused in 28 days, and '", "cast(sum(case when files.status = 'refused' then 1 else 0 end) as "
        ~ dbt.type_string() ~ ')', "' files'"
    ]) }} as title,
    {#- The control amounts of a file are a sum over currencies nobody wrote down: no rate makes base currency of it. #}
    cast(null as decimal(28, 4)) as value_at_stake_base,
    min(files.delivered_on) as first_seen_on,
    cast(null as date) as due_by,
    'Look into the quarantine: mend and release, or have it sent again.'
        as recommended_action,
    'ops.files' as evidence_table,
    {{ evidence_key({'feed': 'files.feed'}) }} as evidence_key
from {{ source('ops', 'files') }} as files
inner join {{ source('ops', 'build_scope') }} as scope
    on files.delivered_on <= scope.as_of and files.delivered_on > {{ day_plus('scope.as_of', -days) }}
where (files.status = 'loaded_with_quarantine' and files.records_quarantined > 0) or files.status = 'refused'
group by scope.as_of, files.feed

with newest as (
    select *
    from (
        select
            *,
            row_number() over (partition by as_of, topic order by week_start_on desc) as recency
        from {{ ref('rpt_topic_trends') }}
        where as_of in (select as_of from {{ source('ops', 'build_scope') }})
    ) as ranked
    where recency = 1
)

select
    as_of,
    'emerging_complaint' as exception_type,
    'topic' as entity_type,
    topic as entity_id,
    'FBK-04' as kpi_id,
    'customer_care' as owner_department,
    'warning' as severity,
    {{ dbt.concat(["'Customers complain more often about: '", 'topic_label']) }} as title,
    cast(null as decimal(28, 4)) as value_at_stake_base,
    week_start_on as first_seen_on,
    cast(null as date) as due_by,
    'Read what they write this week, and tell the department whose doing it is.' as recommended_action,
    'reports.rpt_topic_trends' as evidence_table,
    {{ evidence_key({'topic': 'topic', 'week_start_on': 'week_start_on'}) }} as evidence_key
from newest
where is_emerging and negative_mentions > positive_mentions

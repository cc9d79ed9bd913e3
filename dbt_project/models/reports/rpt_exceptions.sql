{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

{#- A list for one morning: the most money first, and no more than can be read. -#}
{%- set longest_list = 100 -%}

with told as (
    {%- for model in exception_models() %}
    select
        as_of, exception_type, entity_type, entity_id, kpi_id, owner_department, severity, title, value_at_stake_base,
        first_seen_on, due_by, recommended_action, evidence_table, evidence_key
    from {{ ref(model) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

ranked as (
    select
        *,
        {{ dbt.datediff('first_seen_on', 'as_of', 'day') }} + 1 as nights_open,
        row_number() over (
            partition by as_of
            order by
                coalesce(value_at_stake_base, 0) desc, case severity when 'critical' then 0 else 1 end, first_seen_on,
                exception_type, entity_type, entity_id, coalesce(kpi_id, '')
        ) as value_rank,
        count(*) over (partition by as_of) as exceptions_tonight
    from told
)

select
    as_of,
    cast(value_rank as integer) as value_rank,
    exception_type,
    entity_type,
    entity_id,
    kpi_id,
    owner_department,
    severity,
    title,
    value_at_stake_base,
    first_seen_on,
    cast(nights_open as integer) as nights_open,
    nights_open = 1 as is_new,
    due_by,
    recommended_action,
    evidence_table,
    evidence_key,
    cast(exceptions_tonight as integer) as exceptions_tonight
from ranked
where value_rank <= {{ longest_list }}

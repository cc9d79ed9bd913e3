{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

{#- A list for one morning: the most money first, no more than can be read, and not all of it of one kind: stock that is
    too much is worth more than what is missing, and has been so for months. -#}
{%- set longest_list = 100 -%}
{%- set most_of_a_type = 25 -%}
{%- set by_money -%}
    order by
        coalesce(value_at_stake_base, 0) desc, case severity when 'critical' then 0 else 1 end, first_seen_on,
        exception_type, entity_type, entity_id, coalesce(kpi_id, '')
{%- endset %}

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

placed as (
    select
        *,
        {{ dbt.datediff('first_seen_on', 'as_of', 'day') }} + 1 as nights_open,
        row_number() over (partition by as_of, exception_type {{ by_money }}) as place_in_type,
        count(*) over (partition by as_of) as exceptions_tonight
    from told
),

ranked as (
    select
        *,
        row_number() over (partition by as_of {{ by_money }}) as value_rank
    from placed
    where place_in_type <= {{ most_of_a_type }}
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

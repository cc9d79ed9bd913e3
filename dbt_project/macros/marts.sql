{# How dimensions and facts are built from versions. #}

{# A slowly changing dimension: one row per member and stretch of what was known, without gaps.

   The first version holds since ever, so that facts older than the first delivery find it; a withdrawn member keeps
   its last version. `mentions` is a list of [relation, column] where ids may stand that no master delivered. #}
{% macro dimension(versions, id, key, attributes, mentions) %}
    with versions as (
        select
            {{ id }}, {{ attributes | join(', ') }}, known_from, known_to,
            lag(known_from) over (partition by {{ id }} order by known_from) as previous_from,
            lead(known_from) over (partition by {{ id }} order by known_from) as next_from
        from {{ versions }}
    ),

    mentioned as (
        {% for relation, column in mentions %}
        select {{ column }} as {{ id }} from {{ relation }} where {{ column }} is not null
        {{ 'union' if not loop.last }}
        {% endfor %}
    ),

    members as (
        select
            {{ id }}, {{ attributes | join(', ') }},
            case when previous_from is null then date '1900-01-01' else known_from end as valid_from,
            coalesce(next_from, date '9999-12-31') as valid_to,
            next_from is null as is_current,
            next_from is null and known_to is not null as is_withdrawn,
            false as is_inferred,
            known_from
        from versions
        union all
        select
            {{ id }}, {% for _ in attributes %}null, {% endfor %}
            date '1900-01-01', date '9999-12-31', true, false, true, null
        from mentioned
        where {{ id }} not in (select {{ id }} from versions)
    )

    select {{ hash_key(dbt.concat([id, "'|'", 'cast(valid_from as ' ~ dbt.type_string() ~ ')'])) }} as {{ key }}, *
    from members
    union all
    select
        -1, '(unknown)', {% for _ in attributes %}null, {% endfor %}
        date '1900-01-01', date '9999-12-31', true, false, true, null
{% endmacro %}

{# Pre-hook of a fact: drop the rows that are no longer right. Wrong are rows whose version is not the current one any
   more or was read anew, and rows of business days from which on a dimension or rate they use may have changed.
   What is dropped here and still known is missing afterwards, and `missing_rows` adds it. #}
{% macro forget_outdated(feed, day, uses) %}
    {% if is_incremental() %}
        {% set key = config.get('unique_key') %}
        delete from {{ this }} as fact
        where fact.known_from in ({{ stale_days([feed]) }})
            or fact.{{ day }} >= (
                select min(least(delivered_on, business_from))
                from {{ source('ops', 'stale_days') }}
                where feed in ('{{ uses | join("', '") }}')
            )
            or not exists (
                select 1
                from {{ ref('int_' ~ feed ~ '_versioned') }} as known
                where known.known_to is null
                    and {{ same_key('known', 'fact', key) }}
                    and known.known_from = fact.known_from
                    and known._file_id = fact.file_id
                    and known._record_no = fact.record_no
            )
    {% endif %}
{% endmacro %}

{# The current version of every key that the fact does not hold yet. #}
{% macro missing_rows(feed) %}
    select *
    from {{ ref('int_' ~ feed ~ '_versioned') }} as known
    where known_to is null
    {% if is_incremental() %}
        and not exists (select 1 from {{ this }} as fact where {{ same_key('fact', 'known', config.get('unique_key')) }})
    {% endif %}
{% endmacro %}

{# Join condition: the version of a dimension's member that holds on a day. #}
{% macro version_of_day(dimension, id, day) -%}
    {{ dimension }}.{{ id.split('.')[-1] }} = {{ id }} and {{ day }} >= {{ dimension }}.valid_from and {{ day }} < {{ dimension }}.valid_to
{%- endmacro %}

{# The history of what was known, per business key: one rule for all feeds.

   A night writes again the keys whose raw records of a stale day changed, all their versions. What is touched is read
   from the tables as they stand, so a run that crashed is simply repeated by the next one. #}

{% macro stale_days(feeds) -%}
    select delivered_on
    from {{ source('ops', 'stale_days') }}
    where feed in ('{{ feeds | join("', '") }}')
{%- endmacro %}

{# Pre-hook: collect the keys a night writes again. A key whose records are gone from raw is found through the
   versions that began or ended on the stale day. #}
{% macro collect_touched_keys() %}
    {% if is_incremental() %}
        {% set feed = config.get('meta')['feed'] %}
        {% set columns = config.get('unique_key') | join(', ') %}
        create or replace temporary table keys_to_write as
        select {{ columns }}
        from {{ ref('stg_' ~ feed) }}
        where _delivered_on in ({{ stale_days([feed]) }})
        union
        select {{ columns }}
        from {{ this }}
        where known_from in ({{ stale_days([feed]) }}) or known_to in ({{ stale_days([feed]) }})
    {% endif %}
{% endmacro %}

{# All versions of the keys to write: key, content, known_from, known_to, provenance, and the file whose record ended
   the version (_ended_by_file_id), be it a correction or a withdrawal.

   Records of a key are ordered by delivery day, path and record number. Only the last of a day counts; a record that
   says what the one before it said changes nothing; a withdrawal ends a version and begins none. Most keys have one
   record and need none of this; sending them around it saves a quarter of a full build. #}
{% macro versioned(feed, key, content) %}
    {% set partition = 'partition by ' ~ key | join(', ') %}
    {% set in_order = '(' ~ partition ~ ' order by _delivered_on, _source_path, _record_no)' %}
    {% set columns = (key + content) | join(', ') %}
    {% set said = record_of(content + ['is_deleted']) %}
    with records as (
        select
            {{ columns }}, is_deleted, _file_id, _record_no,
            _delivered_on as known_from,
            lag(_delivered_on) over {{ in_order }} as previous_delivered_on,
            lead(_delivered_on) over {{ in_order }} as next_delivered_on
        from {{ ref('stg_' ~ feed) }}
        where {{ is_to_write(key) }}
    ),

    days as (
        select *, lag({{ said }}) over ({{ partition }} order by known_from) as said_before
        from records
        where (previous_delivered_on is not null or next_delivered_on is not null)
            and (next_delivered_on is null or next_delivered_on <> known_from)
    ),

    changes as (
        select
            *,
            lead(known_from) over ({{ partition }} order by known_from) as known_to,
            lead(_file_id) over ({{ partition }} order by known_from) as _ended_by_file_id
        from days
        where said_before is distinct from {{ said }}
    )

    select {{ columns }}, known_from, known_to, _file_id, _record_no, _ended_by_file_id
    from changes
    where not is_deleted
    union all
    select
        {{ columns }}, known_from, cast(null as date) as known_to, _file_id, _record_no,
        cast(null as {{ dbt.type_string() }}) as _ended_by_file_id
    from records
    where previous_delivered_on is null and next_delivered_on is null and not is_deleted
{% endmacro %}

{# Condition: two relations speak of the same key. #}
{% macro same_key(left, right, key) -%}
    {% for column in key %}{{ left }}.{{ column }} = {{ right }}.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
{%- endmacro %}

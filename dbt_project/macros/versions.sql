{# The history of what was known, per business key. One rule for all feeds.

   A night forgets the keys that were delivered on (or taken back from) a stale day, then adds every key that is
   missing. Both steps look only at what stands in the tables, so a crash between runs leaves nothing to repair. #}

{% macro stale_days(feeds) -%}
    select delivered_on
    from {{ source('ops', 'stale_days') }}
    where feed in ('{{ feeds | join("', '") }}')
{%- endmacro %}

{% macro same_key(left, right, key) -%}
    {% for column in key %}{{ left }}.{{ column }} = {{ right }}.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
{%- endmacro %}

{# Pre-hook: drop the versions of every key whose raw records of a stale day changed. A key whose records are gone
   from raw is found through the versions that began or ended on that day. #}
{% macro forget_touched(feed) %}
    {% if is_incremental() %}
        {% set key = config.get('unique_key') %}
        {% set columns = key | join(', ') %}
        with touched as (
            select {{ columns }} from {{ ref('stg_' ~ feed) }} where _delivered_on in ({{ stale_days([feed]) }})
            union
            select {{ columns }}
            from {{ this }}
            where known_from in ({{ stale_days([feed]) }}) or known_to in ({{ stale_days([feed]) }})
        )
        delete from {{ this }}
        where ({{ columns }}) in (select {{ columns }} from touched)
    {% endif %}
{% endmacro %}

{# All versions of the keys that are not in the table yet: key, content, known_from, known_to and provenance.

   Records of a key are ordered by delivery day, path and record number. Only the last of a day counts; a record that
   says what the one before it said changes nothing; a withdrawal ends a version and begins none. #}
{% macro versioned(feed, key, content) %}
    {% set partition = 'partition by ' ~ key | join(', ') %}
    {% set columns = (key + content) | join(', ') %}
    {% set said = record_of(content + ['is_deleted']) %}
    select {{ columns }}, known_from, known_to, _file_id, _record_no
    from (
        select *, lead(known_from) over ({{ partition }} order by known_from) as known_to
        from (
            select *, lag({{ said }}) over ({{ partition }} order by known_from) as said_before
            from (
                select
                    {{ columns }}, is_deleted, _file_id, _record_no,
                    _delivered_on as known_from,
                    lead(_delivered_on) over (
                        {{ partition }} order by _delivered_on, _source_path, _record_no
                    ) as next_delivered_on
                from {{ ref('stg_' ~ feed) }} as staged
                {% if is_incremental() %}
                where not exists (select 1 from {{ this }} as known where {{ same_key('known', 'staged', key) }})
                {% endif %}
            ) as records
            where next_delivered_on is null or next_delivered_on <> known_from
        ) as days
        where said_before is distinct from {{ said }}
    ) as changes
    where not is_deleted
{% endmacro %}

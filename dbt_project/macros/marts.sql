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

{# Pre-hook: collect the keys of a fact that a night writes again: those whose version of a stale day was read anew,
   those of business days from which on a dimension or rate they use may have changed, and those whose current version
   is another one. The last are looked for only in delivery days whose keys, taken together, differ between versions
   and fact; comparing all keys took five times as long on five million.

   With each key comes every delivery day whose rows it touches, and these partitions of the fact get a new version:
   a changed dimension or rate writes rows of old days again, and what was judged before must be judged anew. #}
{% macro collect_outdated_keys() %}
    {% if execute %}
    {% set fact = config.get('meta')['fact'] %}
    {% set columns = fact['key'] | join(', ') %}
    {% if is_incremental() %}
    {% set changed %}
        known_from in ({{ stale_days([fact['feed']]) }})
        or {{ fact['business_day'] }} >= (
            select min(least(delivered_on, business_from))
            from {{ source('ops', 'stale_days') }}
            where feed in ('{{ fact['uses'] | join("', '") }}')
        )
    {% endset %}
    create or replace temporary table keys_to_write as
    with current_versions as (
        select {{ columns }}, {{ fact['business_day'] }}, known_from
        from {{ ref('int_' ~ fact['feed'] ~ '_versioned') }}
        where known_to is null
    ),

    digests as (
        select known_from, {{ digest_of(fact['key']) }} as digest from current_versions group by known_from
        union all
        select known_from, {{ digest_of(fact['key']) }} as digest from {{ this }} group by known_from
    ),

    differing_days as (
        select known_from from digests group by known_from having count(*) <> 2 or min(digest) <> max(digest)
    ),

    held as (
        select {{ columns }}, known_from from current_versions
        where known_from in (select known_from from differing_days)
        union all
        select {{ columns }}, known_from from {{ this }}
        where known_from in (select known_from from differing_days)
    )

    select {{ columns }}, known_from from current_versions where {{ changed }}
    union
    select {{ columns }}, known_from from {{ this }} where {{ changed }}
    union
    select {{ columns }}, known_from from held group by {{ columns }}, known_from having count(*) = 1;
    {{ stamp_days_of('keys_to_write') }}
    {% else %}
    {{ stamp_days_of(ref('int_' ~ fact['feed'] ~ '_versioned')) }}
    {% endif %}
    {% endif %}
{% endmacro %}

{# A new version for the partitions of this table that hold rows of the relation, in the transaction that writes them. #}
{% macro stamp_days_of(relation) %}
    {% set versions = source('ops', 'table_versions') %}
    {% set table_name = this.schema ~ '.' ~ this.identifier %}
    delete from {{ versions }}
    where table_name = '{{ table_name }}' and partition_on in (select known_from from {{ relation }});
    insert into {{ versions }} (table_name, partition_on, version, written_at)
    select distinct
        '{{ table_name }}', known_from, 'dbt/{{ invocation_id }}', cast('{{ run_started_at.isoformat()[:19] }}' as timestamp)
    from {{ relation }}
{% endmacro %}

{# The current version of every key that the fact has to write. `fact` is a dict: the feed, its key, its business_day
   and the feeds of the dimensions and rates it uses. #}
{% macro current_rows(fact) %}
    select *
    from {{ ref('int_' ~ fact['feed'] ~ '_versioned') }}
    where known_to is null and {{ is_to_write(fact['key']) }}
{% endmacro %}

{# Join condition: the version of a dimension's member that holds on a day. #}
{% macro version_of_day(dimension, id, day) -%}
    {{ dimension }}.{{ id.split('.')[-1] }} = {{ id }} and {{ day }} >= {{ dimension }}.valid_from and {{ day }} < {{ dimension }}.valid_to
{%- endmacro %}

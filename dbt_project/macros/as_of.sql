{#
    As-of mechanics: which facts were known on which as-of day, and which as-of days a period ends on.

    Every row of an `int_*_versioned` table was known on the days [known_from, known_to). The days to compute are in
    ops.build_scope. Facts are summed per business day and stretch of knowledge before they meet the as-of days, so the
    cost of many as-of days is that of one scan, not of one scan each.

    What is summed must be DECIMAL or integer: sums of DOUBLE depend on the order of the rows, and two runs would differ.
#}

{% macro day_plus(day, days) -%}
    cast({{ dbt.dateadd('day', days, day) }} as date)
{%- endmacro %}


{# The UTC moment at which a day of the company's calendar ends. #}
{% macro end_of_local_day(day) %}{{ return(adapter.dispatch('end_of_local_day')(day)) }}{% endmacro %}

{% macro duckdb__end_of_local_day(day) -%}
    timezone(
        'UTC',
        timezone((select time_zone from {{ source('ops', 'company') }}), cast({{ day_plus(day, 1) }} as timestamp))
    )
{%- endmacro %}

{% macro spark__end_of_local_day(day) -%}
    to_utc_timestamp({{ day_plus(day, 1) }}, (select time_zone from {{ source('ops', 'company') }}))
{%- endmacro %}


{#  One row: the first as-of day of the scope and the day after its last. #}
{% macro scope_bounds() -%}
    (
        select
            min(as_of) as first_as_of,
            {{ day_plus('max(as_of)', 1) }} as end_as_of
        from {{ source('ops', 'build_scope') }}
    )
{%- endmacro %}


{#
    Rows of a versioned relation that some as-of day of the scope knows and whose business day lies within the `days`
    days up to that as-of day. Adds `business_on` and the as-of days of the scope that know the row, [as_of_from, as_of_to).
#}
{% macro known_rows(relation, business_day, days) -%}
    (
        select
            versions.*,
            versions.{{ business_day }} as business_on,
            greatest(versions.known_from, bounds.first_as_of) as as_of_from,
            least(coalesce(versions.known_to, bounds.end_as_of), bounds.end_as_of) as as_of_to
        from {{ relation }} as versions
        cross join {{ scope_bounds() }} as bounds
        where
            versions.known_from < bounds.end_as_of
            and (versions.known_to is null or versions.known_to > bounds.first_as_of)
            and versions.{{ business_day }} < bounds.end_as_of
            and versions.{{ business_day }} > {{ day_plus('bounds.first_as_of', -days) }}
    )
{%- endmacro %}


{#
    How many of the stretches of as-of days [as_of_from, as_of_to) in `stretches` each key has, as `total` per key and
    stretch, with the sums of the columns `sums`: the basis of distinct counts (a key counts once where the total is at
    least 1) that needs no row per as-of day. A null is a key like any other. Keys whose stretches are all the same,
    which is nearly every key, cost one grouping and skip the sort that the others need.
#}
{% macro overlapping(stretches, keys, sums=[]) -%}
    {%- set key = keys | join(', ') -%}
    {%- set measures = ['total'] + sums -%}
    (
        with spans as (
            select
                {{ key }},
                min(as_of_from) as as_of_from,
                max(as_of_to) as as_of_to,
                min(as_of_from) < max(as_of_from) or min(as_of_to) < max(as_of_to) as is_mixed,
                count(*) as total
                {%- for column in sums %}, sum({{ column }}) as {{ column }}{% endfor %}
            from {{ stretches }}
            where as_of_from < as_of_to
            group by {{ key }}
        ),

        mixed as (
            select {% for column in keys %}stretches.{{ column }}, {% endfor -%}
                stretches.as_of_from, stretches.as_of_to, 1 as total
                {%- for column in sums %}, stretches.{{ column }}{% endfor %}
            from {{ stretches }} as stretches
            inner join spans
                on {% for column in keys %}stretches.{{ column }} is not distinct from spans.{{ column }} and {% endfor -%}
                    spans.is_mixed
            where stretches.as_of_from < stretches.as_of_to
        ),

        changes as (
            select {{ key }}, at_as_of{% for column in measures %}, sum({{ column }}) as {{ column }}{% endfor %}
            from (
                select {{ key }}, as_of_from as at_as_of{% for column in measures %}, {{ column }}{% endfor %} from mixed
                union all
                select {{ key }}, as_of_to as at_as_of{% for column in measures %}, -{{ column }}{% endfor %} from mixed
            ) as events
            group by {{ key }}, at_as_of
        )

        select {{ key }}, as_of_from, as_of_to, {{ measures | join(', ') }}
        from spans
        where not is_mixed
        union all
        select {{ key }}, as_of_from, as_of_to, {{ measures | join(', ') }}
        from (
            select
                {{ key }},
                at_as_of as as_of_from,
                lead(at_as_of) over knowledge as as_of_to
                {%- for column in measures %},
                sum({{ column }}) over knowledge as {{ column }}
                {%- endfor %}
            from changes
            window knowledge as (partition by {{ key }} order by at_as_of)
        ) as running
        where total > 0
    )
{%- endmacro %}


{#
    The same where nearly every key has one stretch only, as the items of orders have: those are let through as they are.
    Hashes of keys are far cheaper to group than keys and sums; keys that share a hash, mostly as they are the same, are
    told apart by what they are.
#}
{% macro overlapping_few(stretches, keys, sums=[]) -%}
    {%- set columns = (keys + ['as_of_from', 'as_of_to']) | join(', ') -%}
    (
        with hashed as (
            select {{ columns }}{% for column in sums %}, {{ column }}{% endfor %}, {{ row_hash(keys) }} as key_hash
            from {{ stretches }}
            where as_of_from < as_of_to
        ),

        shared as (
            select key_hash
            from hashed
            group by key_hash
            having count(*) > 1
        ),

        told_apart as (
            select hashed.*
            from hashed
            inner join shared
                on hashed.key_hash = shared.key_hash
        )

        select {{ columns }}, 1 as total{% for column in sums %}, {{ column }}{% endfor %}
        from hashed
        where key_hash not in (select key_hash from shared)
        union all
        select *
        from {{ overlapping('told_apart', keys, sums) }} as overlapping_of_few
    )
{%- endmacro %}


{#
    What a master said of its members, per business day and as-of day: one row per member and version with the business
    days [valid_from, valid_to) it speaks for and the as-of days [told_from, told_to) that have been told. A version
    speaks from its delivery day on, the first one since ever, as in the dimensions; but an as-of day before its
    delivery knows nothing of it, so the first has a second row of nulls. Join with told_of_day; members that no master
    names find no row.
#}
{% macro told(versions, id, attributes) -%}
    (
        with versions as (
            select
                {{ id }}, {{ attributes | join(', ') }}, known_from,
                lag(known_from) over (partition by {{ id }} order by known_from) is null as is_first,
                lead(known_from) over (partition by {{ id }} order by known_from) as next_from
            from {{ versions }}
        )

        select
            {{ id }}, {{ attributes | join(', ') }},
            case when is_first then date '1900-01-01' else known_from end as valid_from,
            coalesce(next_from, date '9999-12-31') as valid_to,
            case when is_first then known_from else date '1900-01-01' end as told_from,
            date '9999-12-31' as told_to
        from versions
        union all
        select
            {{ id }}, {% for _ in attributes %}null, {% endfor %}
            date '1900-01-01', coalesce(next_from, date '9999-12-31'), date '1900-01-01', known_from
        from versions
        where is_first and known_from > (select min(as_of) from {{ source('ops', 'build_scope') }})
    )
{%- endmacro %}


{# Join condition of rows from known_rows and a relation of `told`. #}
{% macro told_of_day(told, id, rows) -%}
    {{ told }}.{{ id }} = {{ rows }}.{{ id }}
    and {{ rows }}.business_on >= {{ told }}.valid_from
    and {{ rows }}.business_on < {{ told }}.valid_to
    and {{ rows }}.as_of_from < {{ told }}.told_to
    and {{ rows }}.as_of_to > {{ told }}.told_from
{%- endmacro %}

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
    Running totals in knowledge time. `events` has the `keys`, `at_as_of` and `change`; the result has, per key and stretch of
    as-of days [as_of_from, as_of_to) of the scope, the `total` of the changes so far. Stretches without events before
    them are absent; stretches whose total is zero are kept.
#}
{% macro running_totals(events, keys) -%}
    (
        select
            {{ keys | join(', ') }},
            at_as_of as as_of_from,
            coalesce(lead(at_as_of) over knowledge, bounds.end_as_of) as as_of_to,
            sum(change) over knowledge as total
        from (
            select {{ keys | join(', ') }}, at_as_of, sum(change) as change
            from {{ events }}
            group by {{ keys | join(', ') }}, at_as_of
        ) as changes
        cross join {{ scope_bounds() }} as bounds
        window knowledge as (partition by {{ keys | join(', ') }} order by at_as_of)
    )
{%- endmacro %}


{#
    How many of the stretches [as_of_from, as_of_to) of `stretches` each key has on each as-of day: the basis of distinct
    counts (a key counts once where the total is at least 1) that costs no row per as-of day.
#}
{% macro overlapping(stretches, keys) -%}
    {%- set events -%}
        (
            select {{ keys | join(', ') }}, as_of_from as at_as_of, 1 as change
            from {{ stretches }}
            where as_of_from < as_of_to
            union all
            select {{ keys | join(', ') }}, as_of_to as at_as_of, -1 as change
            from {{ stretches }}
            where as_of_from < as_of_to
        ) as events
    {%- endset -%}
    {{ running_totals(events, keys) }}
{%- endmacro %}

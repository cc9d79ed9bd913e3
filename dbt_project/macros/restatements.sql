{#
    Restatements: numbers per business day that a delivery changed after they could be read, and the files that did it.

    A delivery day is compared with the day before it, both from the versions alone. The number of a business day could
    be read once it, or a later day, was known of; what comes after the last known business day is news and restates
    nothing. Measures are additive, so the changes of the files add up to the change of the number; amounts are rounded
    per row, as in the marts.

    Rows that were known keep their old content while the rates change, then get their new content at the new rates:
    that parts a change between the file of the rates and the file of the row.
#}

{# Ranges of base rates before (`is_after` false) and after each delivery day of the scope. #}
{% macro rates_around_delivery() %}
    select *
    from (
        with states as (
            select as_of, true as is_after, as_of as known_on
            from {{ source('ops', 'build_scope') }}
            union all
            select as_of, false as is_after, {{ day_plus('as_of', -1) }} as known_on
            from {{ source('ops', 'build_scope') }}
        ),

        known as (
            select states.as_of, states.is_after, rates.*
            from states
            inner join {{ ref('int_exchange_rates_versioned') }} as rates
                on
                    rates.known_from <= states.known_on
                    and (rates.known_to is null or rates.known_to > states.known_on)
        )

        {{ base_rates(
            'known', per=['as_of', 'is_after'], states='states', carried=['known_from', '_file_id', '_ended_by_file_id']
        ) }}
    ) as ranges
{% endmacro %}


{# The CTEs of one fact, the last of them <feed>_numbers. `fact` is a dict: feed, key, business_day, the segment that the
   numbers are given by, the currency of its amounts, and its measures (name: SQL over `versions` and `rates`). #}
{% macro restated_numbers(fact) %}
{%- set feed = fact.feed -%}
{%- set measures = fact.measures.keys() | list -%}
{%- set cell = ['as_of', 'business_on', 'segment_value'] | join(', ') -%}
{%- set versions -%}
    (
        select
            *, {{ fact.business_day }} as business_on, {{ fact.segment }} as segment_value
            {%- if not fact.has_currency %}, (select base_currency from {{ source('ops', 'company') }}) as currency {%- endif %}
        from {{ ref('int_' ~ feed ~ '_versioned') }}
    ) as versions
{%- endset -%}
{%- set known_before = 'versions.known_from < {0}.as_of and (versions.known_to is null or versions.known_to >= {0}.as_of)' -%}
{%- set priced -%}
    rates.currency = versions.currency and rates.business_on = versions.business_on
{%- endset -%}
{%- set valued -%}
    {%- for name, sql in fact.measures.items() %}
        {{ sql }} as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endset %}
{{ feed }}_reach as (
    select scope.as_of, max(versions.business_on) as reached_on
    from {{ source('ops', 'build_scope') }} as scope
    inner join (select distinct {{ fact.business_day }} as business_on, known_from, known_to from {{ ref('int_' ~ feed ~ '_versioned') }}) as versions
        on {{ known_before.format('scope') }}
    group by scope.as_of
),

{{ feed }}_days as (
    select distinct changed.as_of, priced.currency, priced.business_on
    from (
        select reach.as_of, versions.business_on
        from {{ versions }}
        inner join {{ feed }}_reach as reach
            on versions.business_on <= reach.reached_on and versions.known_from = reach.as_of
        union
        select reach.as_of, versions.business_on
        from {{ versions }}
        inner join {{ feed }}_reach as reach
            on versions.business_on <= reach.reached_on and versions.known_to = reach.as_of
        union
        select reach.as_of, versions.business_on
        from (select distinct {{ fact.business_day }} as business_on from {{ ref('int_' ~ feed ~ '_versioned') }}) as versions
        inner join {{ feed }}_reach as reach
            on versions.business_on <= reach.reached_on
        inner join changed_rates
            on changed_rates.as_of = reach.as_of and versions.business_on >= changed_rates.changed_from
    ) as changed
    inner join (select distinct currency, business_on from {{ versions }}) as priced
        on priced.business_on = changed.business_on
),

{#- A rate of 0 stands for a rate that was not known. #}
{{ feed }}_rates as (
    select
        days.as_of,
        days.currency,
        days.business_on,
        coalesce(before.rate, 0) as old_rate,
        coalesce(before.is_inverse, false) as is_old_inverse,
        coalesce(after.rate, 0) as new_rate,
        coalesce(after.is_inverse, false) as is_new_inverse,
        case when after.known_from = days.as_of then after._file_id else before._ended_by_file_id end as cause_file_id
    from {{ feed }}_days as days
    left join rate_ranges as before
        on before.as_of = days.as_of and not before.is_after and {{ rate_of_day('before', 'days.currency', 'days.business_on') }}
    left join rate_ranges as after
        on after.as_of = days.as_of and after.is_after and {{ rate_of_day('after', 'days.currency', 'days.business_on') }}
),

{{ feed }}_signed as (
    {%- for day, cause, sign in (('known_from', '_file_id', 1), ('known_to', '_ended_by_file_id', -1)) %}
    select
        rates.as_of, versions.business_on, versions.segment_value, {{ fact.key | join(', ') }},
        versions.{{ cause }} as cause_file_id, {{ sign }} as sign,
        {{- valued }}
    from {{ versions }}
    inner join (select *, new_rate as rate, is_new_inverse as is_inverse from {{ feed }}_rates) as rates
        on {{ priced }} and rates.as_of = versions.{{ day }}
    inner join {{ feed }}_reach as reach
        on rates.as_of = reach.as_of and versions.business_on <= reach.reached_on
    union all
    {%- endfor %}
    select
        rates.as_of, versions.business_on, versions.segment_value, {{ fact.key | join(', ') }},
        rates.cause_file_id, rates.sign,
        {{- valued }}
    from {{ versions }}
    inner join (
        select *, 1 as sign, new_rate as rate, is_new_inverse as is_inverse from {{ feed }}_rates
        union all
        select *, -1 as sign, old_rate as rate, is_old_inverse as is_inverse from {{ feed }}_rates
    ) as rates
        on {{ priced }} and {{ known_before.format('rates') }}
    where rates.old_rate <> rates.new_rate or rates.is_old_inverse <> rates.is_new_inverse
),

{{ feed }}_rows as (
    select
        {{ cell }}, cause_file_id, {{ fact.key | join(', ') }},
        min(sign) as lowest,
        max(sign) as highest,
        {%- for name in measures %}
        sum(sign * {{ name }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ feed }}_signed
    group by {{ cell }}, cause_file_id, {{ fact.key | join(', ') }}
),

{{ feed }}_files as (
    select
        {{ cell }}, cause_file_id,
        {%- for name in measures %}
        sum({{ name }}) as {{ name }},
        sum(case when {{ name }} <> 0 and lowest = 1 then 1 else 0 end) as {{ name }}_added,
        sum(case when {{ name }} <> 0 and lowest < highest then 1 else 0 end) as {{ name }}_changed,
        sum(case when {{ name }} <> 0 and highest = -1 then 1 else 0 end) as {{ name }}_removed{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ feed }}_rows
    where {% for name in measures %}{{ name }} <> 0{{ ' or ' if not loop.last }}{% endfor %}
    group by {{ cell }}, cause_file_id
),

{#- What the rows of the cells were worth, per stretch of knowledge and rate, before they meet the days. #}
{{ feed }}_worth as (
    select
        versions.business_on, versions.segment_value, versions.currency, rates.rate, rates.is_inverse,
        versions.known_from, versions.known_to,
        {%- for name, sql in fact.measures.items() %}
        sum({{ sql }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ versions }}
    inner join (
        select distinct currency, business_on, old_rate as rate, is_old_inverse as is_inverse from {{ feed }}_rates
    ) as rates
        on {{ priced }}
    where (versions.business_on, versions.segment_value) in (select business_on, segment_value from {{ feed }}_files)
    group by
        versions.business_on, versions.segment_value, versions.currency, rates.rate, rates.is_inverse,
        versions.known_from, versions.known_to
),

{{ feed }}_before as (
    select
        cells.as_of, cells.business_on, cells.segment_value,
        {%- for name in measures %}
        sum(versions.{{ name }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from (select distinct {{ cell }} from {{ feed }}_files) as cells
    inner join {{ feed }}_rates as rates
        on rates.as_of = cells.as_of and rates.business_on = cells.business_on
    inner join {{ feed }}_worth as versions
        on
            {{ priced }}
            and versions.segment_value = cells.segment_value
            and versions.rate = rates.old_rate
            and versions.is_inverse = rates.is_old_inverse
            and {{ known_before.format('cells') }}
    group by cells.as_of, cells.business_on, cells.segment_value
),

{{ feed }}_numbers as (
    {%- for name in measures %}
    select
        files.as_of,
        '{{ fact.table_name }}' as table_name,
        files.business_on,
        '{{ fact.segment }}' as segment_type,
        files.segment_value,
        '{{ name }}' as measure,
        {{ additive('coalesce(before.' ~ name ~ ', 0)') }} as old_value,
        sum({{ additive('files.' ~ name) }}) over (partition by files.as_of, files.business_on, files.segment_value)
            as change,
        {{ additive('files.' ~ name) }} as change_by_file,
        files.cause_file_id,
        files.{{ name }}_added as rows_added,
        files.{{ name }}_changed as rows_changed,
        files.{{ name }}_removed as rows_removed
    from {{ feed }}_files as files
    left join {{ feed }}_before as before
        on
            before.as_of = files.as_of
            and before.business_on = files.business_on
            and before.segment_value = files.segment_value
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)
{%- endmacro %}


{#
    The CTE order_lines_orders: the number of orders with a line of positive quantity, which lines do not add up to. An
    order that several files changed on one day is put to the file whose id is last.
#}
{% macro restated_orders(table_name, segment) %}
{%- set cell = 'as_of, business_on, segment_value' -%}
order_lines_sold as (
    select
        versions.order_id,
        versions.ordered_on as business_on,
        versions.{{ segment }} as segment_value,
        versions.known_from as as_of_from,
        coalesce(versions.known_to, date '9999-12-31') as as_of_to
    from {{ ref('int_order_lines_versioned') }} as versions
    where
        versions.is_revenue
        and versions.quantity > 0
        and (versions.ordered_on, versions.{{ segment }}) in (select business_on, segment_value from order_lines_signed)
),

order_lines_counted as (
    select * from {{ overlapping('order_lines_sold', ['order_id', 'business_on', 'segment_value']) }} as counted
),

order_lines_turned as (
    select {{ cell }}, order_id, sum(change) as change
    from (
        select as_of_from as as_of, business_on, segment_value, order_id, 1 as change from order_lines_counted
        union all
        select as_of_to as as_of, business_on, segment_value, order_id, -1 as change from order_lines_counted
    ) as ends
    where as_of in (select as_of from {{ source('ops', 'build_scope') }})
    group by {{ cell }}, order_id
    having sum(change) <> 0
),

order_lines_order_files as (
    select
        turned.as_of, turned.business_on, turned.segment_value, causes.cause_file_id,
        sum(turned.change) as change,
        sum(case when turned.change > 0 then 1 else 0 end) as rows_added,
        sum(case when turned.change < 0 then 1 else 0 end) as rows_removed
    from order_lines_turned as turned
    inner join (
        select {{ cell }}, order_id, max(cause_file_id) as cause_file_id
        from order_lines_rows
        where units_sold <> 0
        group by {{ cell }}, order_id
    ) as causes
        on
            causes.as_of = turned.as_of
            and causes.business_on = turned.business_on
            and causes.segment_value = turned.segment_value
            and causes.order_id = turned.order_id
    group by turned.as_of, turned.business_on, turned.segment_value, causes.cause_file_id
),

order_lines_orders_before as (
    select cells.as_of, cells.business_on, cells.segment_value, sum(stretches.orders) as orders
    from (select distinct {{ cell }} from order_lines_order_files) as cells
    inner join (
        select business_on, segment_value, as_of_from, as_of_to, count(*) as orders
        from order_lines_counted
        group by business_on, segment_value, as_of_from, as_of_to
    ) as stretches
        on
            stretches.business_on = cells.business_on
            and stretches.segment_value = cells.segment_value
            and stretches.as_of_from < cells.as_of
            and stretches.as_of_to >= cells.as_of
    group by cells.as_of, cells.business_on, cells.segment_value
),

order_lines_orders as (
    select
        files.as_of,
        '{{ table_name }}' as table_name,
        files.business_on,
        '{{ segment }}' as segment_type,
        files.segment_value,
        'orders' as measure,
        {{ additive('coalesce(before.orders, 0)') }} as old_value,
        sum({{ additive('files.change') }}) over (partition by files.as_of, files.business_on, files.segment_value)
            as change,
        {{ additive('files.change') }} as change_by_file,
        files.cause_file_id,
        files.rows_added,
        0 as rows_changed,
        files.rows_removed
    from order_lines_order_files as files
    left join order_lines_orders_before as before
        on
            before.as_of = files.as_of
            and before.business_on = files.business_on
            and before.segment_value = files.segment_value
)
{%- endmacro %}


{# Numbers of all measures have this one type, because the engine rounds where it unites two. #}
{% macro additive(number) -%} cast({{ number }} as decimal(38, 6)) {%- endmacro %}

{# How measures are written: what an amount is worth, and what only revenue counts. #}

{% macro worth(amount) -%} coalesce({{ to_base('versions.' ~ amount, 'rates') }}, 0) {%- endmacro %}

{% macro of_revenue(value, and_also='true') -%}
    case when versions.is_revenue and {{ and_also }} then {{ value }} else 0 end
{%- endmacro %}

{%- set silent_days = 366 -%}
{#- What is told of a whole day, such as stock at its close, happened at its end. -#}
{%- set feeds = [
    ('order_lines', 'ordered_at', 'ordered_on'),
    ('feedback', 'submitted_at', 'submitted_on'),
    ('purchase_order_lines', 'ordered_at', 'ordered_on'),
    ('inventory_levels', end_of_local_day('business_on'), 'measured_on'),
    ('exchange_rates', end_of_local_day('business_on'), 'rate_on'),
] -%}

with events as (
    {%- for feed, moment, day in feeds %}
    select
        '{{ feed }}' as feed,
        business_on,
        as_of_from,
        as_of_to,
        max({{ moment }}) as last_at,
        count(*) as n
    from {{ known_rows(ref('int_' ~ feed ~ '_versioned'), day, silent_days) }} as {{ feed }}
    group by business_on, as_of_from, as_of_to
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

latest as (
    select
        scope.as_of,
        events.feed,
        max(events.last_at) as last_at,
        sum(events.n) as n
    from events
    inner join {{ source('ops', 'build_scope') }} as scope
        on
            events.as_of_from <= scope.as_of
            and events.as_of_to > scope.as_of
            and events.business_on <= scope.as_of
            and events.business_on > {{ day_plus('scope.as_of', -silent_days) }}
    group by scope.as_of, events.feed
),

ages as (
    select
        as_of,
        feed,
        cast({{ dbt.datediff('last_at', end_of_local_day('as_of'), 'second') }} as decimal(18, 6)) / 3600 as hours,
        n
    from latest
),

{# The order feed speaks for the company: it is the one that should arrive every day. #}
segmented as (
    select as_of, 'all' as segment_type, 'all' as segment_value, hours, n
    from ages
    where feed = 'order_lines'
    union all
    select as_of, 'feed' as segment_type, feed as segment_value, hours, n
    from ages
)

select
    as_of,
    'as_of' as period_grain,
    as_of as period_start,
    as_of as period_end,
    segment_type,
    segment_value,
    cast(hours as decimal(38, 6)) as numerator,
    cast(null as decimal(38, 6)) as denominator,
    cast(n as bigint) as n,
    {{- no_spread() }}
from segmented

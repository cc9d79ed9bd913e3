{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

{#- Weeks shown, the week of the as-of day among them. Lines due or received in them were ordered up to a year before. #}
{%- set weeks = 26 -%}
{%- set ordered_days = 7 * weeks + 365 -%}
{%- set segments = [('all', "'all'"), ('channel_id', 'channel_id')] -%}
{%- set cell = 'as_of, week_start_on, segment_type, segment_value' -%}
{%- set counted = {
    'due': [
        'lines_due', 'lines_due_of_known_delivery', 'lines_on_time', 'lines_due_of_known_shipment', 'lines_shipped_by_promise',
        'lines_open_late',
    ],
    'orders': ['orders_due', 'orders_on_time', 'orders_without_cancelled_line', 'orders_on_time_uncut'],
    'shipped': ['n'],
    'delivered': ['n'],
} -%}
{%- set timed = ['shipped', 'delivered'] -%}
{%- set quantiles = {'p50': 0.5, 'p90': 0.9} -%}

with days as (
    select as_of, month_start_on from {{ snapshot_days() }} as days
),

{# A day that lies after the as-of day has not come yet, even where a sender dates events ahead. #}
lines as (
    select
        days.as_of,
        days.month_start_on,
        known.order_id,
        known.line_no,
        known.channel_id,
        known.ordered_on,
        known.promised_on,
        known.is_cancelled,
        case when known.shipped_on <= days.as_of then known.shipped_on end as shipped_on,
        case when known.received_on <= days.as_of then known.received_on end as delivered_on
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', ordered_days) }} as known
    inner join days
        on
            known.as_of_from <= days.as_of
            and known.as_of_to > days.as_of
            and known.business_on <= days.as_of
            and known.business_on > {{ day_plus('days.as_of', -ordered_days) }}
    where known.quantity > 0 or (known.is_cancelled and known.quantity = 0)
),

{# What a channel never tells cannot be judged: without any delivery in the window no line of it counts as late. #}
channels as (
    select
        as_of,
        channel_id,
        count(shipped_on) > 0 as tells_shipments,
        count(delivered_on) > 0 as tells_deliveries
    from lines
    group by as_of, channel_id
),

told as (
    select lines.*, channels.tells_shipments, channels.tells_deliveries
    from lines
    inner join channels
        on lines.as_of = channels.as_of and lines.channel_id = channels.channel_id
),

{# Lines by the week in which they were due. Open ones are late. #}
due_of_channels as (
    select
        as_of,
        {{ week_of('promised_on') }} as week_start_on,
        channel_id,
        count(*) as lines_due,
        sum(case when tells_deliveries then 1 else 0 end) as lines_due_of_known_delivery,
        sum(case when tells_deliveries and delivered_on <= promised_on then 1 else 0 end) as lines_on_time,
        sum(case when tells_shipments then 1 else 0 end) as lines_due_of_known_shipment,
        sum(case when tells_shipments and shipped_on <= promised_on then 1 else 0 end) as lines_shipped_by_promise,
        sum(case when tells_deliveries and delivered_on is null then 1 else 0 end) as lines_open_late
    from told
    where promised_on <= as_of and not is_cancelled
    group by as_of, {{ week_of('promised_on') }}, channel_id
),

{# Orders by the week in which their last line was due: on time and complete is an AND over the lines of the order. #}
due_orders as (
    select
        as_of,
        channel_id,
        order_id,
        max(promised_on) as promised_on,
        min(case when is_cancelled then 0 else 1 end) as is_uncut,
        min(case when is_cancelled or delivered_on <= promised_on then 1 else 0 end) as is_on_time
    from told
    where tells_deliveries and promised_on is not null
    group by as_of, channel_id, order_id
    having max(promised_on) <= as_of and max(case when is_cancelled then 0 else 1 end) = 1
),

orders_of_channels as (
    select
        as_of,
        {{ week_of('promised_on') }} as week_start_on,
        channel_id,
        count(*) as orders_due,
        sum(is_on_time) as orders_on_time,
        sum(is_uncut) as orders_without_cancelled_line,
        sum(is_on_time * is_uncut) as orders_on_time_uncut
    from due_orders
    group by as_of, {{ week_of('promised_on') }}, channel_id
),

{# Times by the week in which the line left or arrived, so that a young week is not made up of its fast lines alone: how
   many lines took how many days, a few rows to read ranks from. #}
{%- for stage in timed %}
{{ stage }}_of_channels as (
    select
        as_of,
        {{ week_of(stage ~ '_on') }} as week_start_on,
        channel_id,
        {{ dbt.datediff('ordered_on', stage ~ '_on', 'day') }} as days,
        count(*) as n
    from told
    where {{ stage }}_on is not null and not is_cancelled
    group by as_of, {{ week_of(stage ~ '_on') }}, channel_id, days
),
{% endfor %}
{# Channels together and each alone. #}
{%- for relation, counts in counted.items() %}
{{ relation }}_counted as (
    {%- for segment, value in segments %}
    select
        as_of, week_start_on, '{{ segment }}' as segment_type, {{ value }} as segment_value,
        {%- if relation in timed %} days,{% endif %}
        {%- for count in counts %}
        sum({{ count }}) as {{ count }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ relation }}_of_channels
    group by as_of, week_start_on{{ ', days' if relation in timed }}{{ ', channel_id' if segment != 'all' }}
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),
{% endfor %}
{%- for stage in timed %}
{{ stage }}_ranked as (
    select
        *,
        cast(sum(n) over (
            partition by {{ cell }} order by days rows between unbounded preceding and current row
        ) as bigint) as up_to,
        cast(sum(n) over (partition by {{ cell }}) as bigint) as lines
    from {{ stage }}_counted
),

{{ stage }} as (
    select
        {{ cell }},
        max(lines) as lines,
        {%- for name, quantile in quantiles.items() %}
        {{ quantile_of_counts('days', quantile) }} as days_{{ name }},
        {%- for bound in ('low', 'high') %}
        {%- set rank = quantile_rank('lines', quantile, bound) %}
        min(case when {{ rank }} >= 1 and up_to >= {{ rank }} then days end) as days_{{ name }}_{{ bound }}
        {{- ',' if not (loop.last and name == 'p90') }}
        {%- endfor %}
        {%- endfor %}
    from {{ stage }}_ranked
    group by {{ cell }}
),
{% endfor %}
cells as (
    {%- for relation in counted %}
    select {{ cell }} from {{ relation }}_counted
    {{- ' union' if not loop.last }}
    {%- endfor %}
),

side_by_side as (
    select
        cells.as_of,
        days.month_start_on,
        cells.week_start_on,
        least({{ day_plus('cells.week_start_on', 6) }}, cells.as_of) as week_end_on,
        {{ day_plus('cells.week_start_on', 6) }} <= cells.as_of as is_whole_week,
        cells.segment_type,
        cells.segment_value,
        coalesce(due.lines_due, 0) as lines_due,
        coalesce(due.lines_due_of_known_delivery, 0) as lines_judged,
        coalesce(due.lines_on_time, 0) as lines_on_time,
        coalesce(due.lines_open_late, 0) as lines_open_late,
        coalesce(due.lines_due_of_known_shipment, 0) as lines_judged_by_shipment,
        coalesce(due.lines_shipped_by_promise, 0) as lines_shipped_by_promise,
        coalesce(orders.orders_due, 0) as orders_due,
        coalesce(orders.orders_on_time, 0) as orders_on_time,
        coalesce(orders.orders_without_cancelled_line, 0) as orders_without_cancelled_line,
        coalesce(orders.orders_on_time_uncut, 0) as orders_on_time_uncut,
        coalesce(shipped.lines, 0) as lines_shipped,
        shipped.days_p50 as days_to_ship_p50,
        shipped.days_p50_low as days_to_ship_p50_low,
        shipped.days_p50_high as days_to_ship_p50_high,
        shipped.days_p90 as days_to_ship_p90,
        shipped.days_p90_low as days_to_ship_p90_low,
        shipped.days_p90_high as days_to_ship_p90_high,
        coalesce(delivered.lines, 0) as lines_delivered,
        delivered.days_p50 as days_to_deliver_p50,
        delivered.days_p50_low as days_to_deliver_p50_low,
        delivered.days_p50_high as days_to_deliver_p50_high,
        delivered.days_p90 as days_to_deliver_p90,
        delivered.days_p90_low as days_to_deliver_p90_low,
        delivered.days_p90_high as days_to_deliver_p90_high
    from cells
    inner join days
        on
            cells.as_of = days.as_of
            and cells.week_start_on <= days.as_of
            and cells.week_start_on > {{ day_plus('days.as_of', -7 * weeks) }}
    {%- for relation in counted %}
    left join {{ relation }}{{ '_counted' if relation not in timed }} as {{ relation }}
        on
            cells.as_of = {{ relation }}.as_of
            and cells.week_start_on = {{ relation }}.week_start_on
            and cells.segment_type = {{ relation }}.segment_type
            and cells.segment_value = {{ relation }}.segment_value
    {%- endfor %}
)

select
    as_of,
    month_start_on,
    week_start_on,
    week_end_on,
    is_whole_week,
    segment_type,
    segment_value,
    cast(lines_due as bigint) as lines_due,
    cast(lines_judged as bigint) as lines_judged,
    cast(lines_on_time as bigint) as lines_on_time,
    cast(lines_open_late as bigint) as lines_open_late,
    {{ share_of('lines_on_time', 'lines_judged') }} as on_time_rate,
    {{ wilson_bound('lines_on_time', 'lines_judged', 'low') }} as on_time_rate_low,
    {{ wilson_bound('lines_on_time', 'lines_judged', 'high') }} as on_time_rate_high,
    lines_judged < 30 as is_insufficient_data,
    cast(lines_judged_by_shipment as bigint) as lines_judged_by_shipment,
    cast(lines_shipped_by_promise as bigint) as lines_shipped_by_promise,
    {{ share_of('lines_shipped_by_promise', 'lines_judged_by_shipment') }} as shipped_by_promise_rate,
    cast(orders_due as bigint) as orders_due,
    cast(orders_on_time as bigint) as orders_on_time,
    cast(orders_without_cancelled_line as bigint) as orders_without_cancelled_line,
    cast(orders_on_time_uncut as bigint) as orders_on_time_uncut,
    {{ share_of('orders_on_time_uncut', 'orders_due') }} as on_time_uncut_order_rate,
    {{ wilson_bound('orders_on_time_uncut', 'orders_due', 'low') }} as on_time_uncut_order_rate_low,
    {{ wilson_bound('orders_on_time_uncut', 'orders_due', 'high') }} as on_time_uncut_order_rate_high,
    cast(lines_shipped as bigint) as lines_shipped,
    days_to_ship_p50,
    cast(days_to_ship_p50_low as integer) as days_to_ship_p50_low,
    cast(days_to_ship_p50_high as integer) as days_to_ship_p50_high,
    days_to_ship_p90,
    cast(days_to_ship_p90_low as integer) as days_to_ship_p90_low,
    cast(days_to_ship_p90_high as integer) as days_to_ship_p90_high,
    cast(lines_delivered as bigint) as lines_delivered,
    days_to_deliver_p50,
    cast(days_to_deliver_p50_low as integer) as days_to_deliver_p50_low,
    cast(days_to_deliver_p50_high as integer) as days_to_deliver_p50_high,
    days_to_deliver_p90,
    cast(days_to_deliver_p90_low as integer) as days_to_deliver_p90_low,
    cast(days_to_deliver_p90_high as integer) as days_to_deliver_p90_high
from side_by_side

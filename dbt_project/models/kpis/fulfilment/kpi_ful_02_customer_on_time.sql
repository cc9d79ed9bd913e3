{%- set grains = ['week', 'month', 'quarter', 'trailing_28d', 'trailing_90d', 'trailing_365d'] -%}

{# What a channel never tells cannot be judged: before it has told of any delivery, no line of it is due. #}
with told as (
    select channel_id, min(known_from) as told_from
    from {{ ref('int_order_lines_versioned') }}
    where received_on is not null
    group by channel_id
),

facts as (
    select
        lines.business_on,
        greatest(lines.as_of_from, told.told_from) as as_of_from,
        lines.as_of_to,
        lines.channel_id,
        sum(case when lines.received_on <= lines.promised_on then 1 else 0 end) as numerator,
        count(*) as denominator,
        count(*) as n
    from {{ known_rows(ref('int_order_lines_versioned'), 'promised_on', longest_window(grains)) }} as lines
    inner join told
        on lines.channel_id = told.channel_id and lines.as_of_to > told.told_from
    where lines.quantity > 0 and not lines.is_cancelled
    group by lines.business_on, greatest(lines.as_of_from, told.told_from), lines.as_of_to, lines.channel_id
)

{{ kpi_values('facts', grains, segments=['channel_id']) }}

{{ config(materialized='table') }}

with days as (
    select as_of, month_start_on from {{ snapshot_days() }} as snapshot_days
),

rates as (
    {{ known_base_rates('days') }}
),

lines as (
    select
        days.as_of,
        days.month_start_on,
        lines.customer_id,
        lines.order_id,
        lines.ordered_on,
        lines.channel_id,
        lines.quantity,
        lines.net_amount,
        case when lines.cost_amount is not null then lines.net_amount end as costed_net_amount,
        lines.net_amount - lines.cost_amount as margin_amount,
        case when lines.quantity > 0 and lines.promised_on is not null then lines.received_on end as received_on,
        case when lines.quantity > 0 and lines.received_on > lines.promised_on then lines.received_on end as late_on,
        rates.rate_to_base
    from days
    inner join {{ ref('int_order_lines_versioned') }} as lines
        on {{ is_known('lines', 'days') }} and lines.ordered_on <= days.as_of
    left join rates
        on days.as_of = rates.as_of and {{ rate_of_day('rates', 'lines.currency', 'lines.ordered_on') }}
    where lines.is_revenue and lines.customer_id is not null
)

select
    as_of,
    month_start_on,
    customer_id,
    order_id,
    min(case when quantity > 0 then ordered_on end) as bought_on,
    min(ordered_on) as ordered_on,
    min(channel_id) as channel_id,
    cast(sum(case when quantity > 0 then quantity else 0 end) as decimal(38, 3)) as units_bought,
    {{ money_at_rates('net_amount', 'rate_to_base') }} as net_revenue_amount_base,
    {{ money_at_rates('costed_net_amount', 'rate_to_base') }} as costed_revenue_amount_base,
    {{ money_at_rates('margin_amount', 'rate_to_base') }} as margin_amount_base,
    count(received_on) as lines_received,
    count(late_on) as lines_late,
    max(late_on) as last_late_on
from lines
group by as_of, month_start_on, customer_id, order_id

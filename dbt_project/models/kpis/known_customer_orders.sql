{{ config(materialized='table') }}

with days as (
    select as_of, month_start_on from {{ snapshot_days() }} as snapshot_days
),

rates as (
    {{ known_base_rates('days') }}
),

order_days as (
    select
        days.as_of,
        days.month_start_on,
        lines.customer_id,
        lines.order_id,
        lines.ordered_on,
        lines.channel_id,
        lines.currency,
        count(*) as lines,
        sum(case when lines.quantity > 0 then lines.quantity else 0 end) as units_bought,
        sum(lines.net_amount) as net_amount,
        sum(case when lines.cost_amount is not null then lines.net_amount end) as costed_net_amount,
        sum(lines.cost_amount) as cost_amount,
        sum(case when lines.quantity > 0 and lines.received_on is not null and lines.promised_on is not null then 1 else 0 end)
            as lines_received,
        sum(case when lines.quantity > 0 and lines.received_on > lines.promised_on then 1 else 0 end) as lines_late,
        max(case when lines.quantity > 0 and lines.received_on > lines.promised_on then lines.received_on end)
            as last_late_on
    from days
    inner join {{ ref('int_order_lines_versioned') }} as lines
        on
            lines.known_from <= days.as_of
            and (lines.known_to is null or lines.known_to > days.as_of)
            and lines.ordered_on <= days.as_of
    where lines.is_revenue and lines.customer_id is not null
    group by
        days.as_of,
        days.month_start_on,
        lines.customer_id,
        lines.order_id,
        lines.ordered_on,
        lines.channel_id,
        lines.currency
)

select
    order_days.as_of,
    order_days.month_start_on,
    order_days.customer_id,
    order_days.order_id,
    min(case when order_days.units_bought > 0 then order_days.ordered_on end) as bought_on,
    min(order_days.ordered_on) as ordered_on,
    min(order_days.channel_id) as channel_id,
    cast(sum(order_days.units_bought) as decimal(38, 3)) as units_bought,
    {{ money_of_sum('sum(order_days.net_amount * rates.rate_to_base)') }} as net_revenue_amount_base,
    {{ money_of_sum('sum(order_days.costed_net_amount * rates.rate_to_base)') }} as costed_revenue_amount_base,
    {{ money_of_sum('sum((order_days.costed_net_amount - order_days.cost_amount) * rates.rate_to_base)') }} as margin_amount_base,
    cast(sum(order_days.lines_received) as bigint) as lines_received,
    cast(sum(order_days.lines_late) as bigint) as lines_late,
    max(order_days.last_late_on) as last_late_on
from order_days
left join rates
    on
        order_days.as_of = rates.as_of
        and {{ rate_of_day('rates', 'order_days.currency', 'order_days.ordered_on') }}
group by
    order_days.as_of,
    order_days.month_start_on,
    order_days.customer_id,
    order_days.order_id

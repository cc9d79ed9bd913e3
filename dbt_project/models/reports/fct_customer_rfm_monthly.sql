{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

with customers as (
    select
        as_of,
        month_start_on,
        customer_id,
        min(bought_on) as first_ordered_on,
        max(bought_on) as last_ordered_on,
        count(bought_on) as orders,
        sum(net_revenue_amount_base) as net_revenue_amount_base,
        sum(costed_revenue_amount_base) as costed_revenue_amount_base,
        sum(margin_amount_base) as margin_amount_base
    from {{ ref('known_customer_orders') }}
    group by as_of, month_start_on, customer_id
    having count(bought_on) > 0
),

{# Customers who are equal are ranked equal, by the worst of them: no order of names decides who gets which score, and
   most customers of a shop where people buy once have the lowest frequency, not a random one. #}
ranked as (
    select
        *,
        {{ dbt.datediff('last_ordered_on', 'as_of', 'day') }} as recency_days,
        count(*) over (partition by as_of) as customers,
        rank() over (partition by as_of order by last_ordered_on) - 1 as less_recent,
        rank() over (partition by as_of order by orders) - 1 as less_frequent,
        rank() over (partition by as_of order by coalesce(net_revenue_amount_base, 0)) - 1 as less_worth
    from customers
),

scored as (
    select
        *,
        cast(1 + floor(5.0 * less_recent / customers) as integer) as recency_score,
        cast(1 + floor(5.0 * less_frequent / customers) as integer) as frequency_score,
        cast(1 + floor(5.0 * less_worth / customers) as integer) as monetary_score
    from ranked
)

select
    as_of,
    month_start_on,
    customer_id,
    first_ordered_on,
    last_ordered_on,
    cast(recency_days as integer) as recency_days,
    cast(orders as bigint) as frequency,
    {{ money('net_revenue_amount_base') }} as net_revenue_amount_base,
    {{ money('costed_revenue_amount_base') }} as costed_revenue_amount_base,
    {{ money('margin_amount_base') }} as margin_amount_base,
    recency_score,
    frequency_score,
    monetary_score,
    case
        when orders = 1 and recency_score >= 4 then 'new'
        when recency_score >= 4 and frequency_score >= 4 and monetary_score >= 4 then 'champions'
        when recency_score >= 3 and frequency_score >= 3 then 'loyal'
        when recency_score >= 3 and orders = 1 then 'one_time_recent'
        when recency_score >= 3 then 'promising'
        when frequency_score >= 4 and monetary_score >= 4 then 'cannot_lose'
        when frequency_score >= 3 or monetary_score >= 4 then 'at_risk'
        when recency_score = 2 then 'about_to_sleep'
        else 'lost'
    end as segment
from scored

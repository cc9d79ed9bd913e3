{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

with days as (
    select as_of, month_start_on from {{ snapshot_days() }} as snapshot_days
),

orders as (
    select * from {{ ref('known_customer_orders') }}
),

masters as (
    select
        days.as_of,
        customers.customer_id,
        customers.customer_type,
        customers.region,
        customers.country_code
    from days
    inner join {{ ref('int_customers_versioned') }} as customers
        on
            customers.known_from <= days.as_of
            and (customers.known_to is null or customers.known_to > days.as_of)
),

members as (
    select as_of, customer_id from masters
    union
    select as_of, customer_id from orders
),

traded as (
    select
        as_of,
        customer_id,
        count(bought_on) as orders,
        count(*) - count(bought_on) as return_orders,
        count(case when bought_on > {{ day_plus('as_of', -365) }} then 1 end) as orders_365d,
        min(bought_on) as first_ordered_on,
        max(bought_on) as last_ordered_on,
        sum(net_revenue_amount_base) as net_revenue_amount_base,
        sum(case when ordered_on > {{ day_plus('as_of', -365) }} then net_revenue_amount_base end)
            as net_revenue_365d_amount_base,
        sum(margin_amount_base) as margin_amount_base,
        sum(case when lines_received > 0 then 1 else 0 end) as deliveries,
        sum(case when lines_late > 0 then 1 else 0 end) as late_deliveries,
        max(last_late_on) as last_late_on
    from orders
    group by as_of, customer_id
),

channels as (
    select
        as_of,
        customer_id,
        channel_id,
        row_number() over (
            partition by as_of, customer_id
            order by count(bought_on) desc, sum(net_revenue_amount_base) desc, channel_id
        ) as choice
    from orders
    where bought_on is not null
    group by as_of, customer_id, channel_id
),

answers as (
    select
        days.as_of,
        feedback.customer_id,
        feedback.submitted_on,
        feedback.scale,
        feedback.score,
        feedback.normalised_score,
        row_number() over (
            partition by days.as_of, feedback.customer_id
            order by
                case when feedback.score is null then 1 else 0 end,
                feedback.submitted_at desc,
                feedback.feedback_id desc
        ) as scored_before,
        row_number() over (
            partition by days.as_of, feedback.customer_id, feedback.scale
            order by
                case when feedback.normalised_score is null then 1 else 0 end,
                feedback.submitted_at desc,
                feedback.feedback_id desc
        ) as scored_before_on_scale
    from days
    inner join {{ ref('int_feedback_versioned') }} as feedback
        on
            feedback.known_from <= days.as_of
            and (feedback.known_to is null or feedback.known_to > days.as_of)
            and feedback.submitted_on <= days.as_of
    where feedback.customer_id is not null
),

voices as (
    select
        as_of,
        customer_id,
        count(*) as feedback_count,
        max(submitted_on) as last_feedback_on,
        max(case when scored_before = 1 and score is not null then submitted_on end) as last_scored_on,
        max(case when scored_before = 1 and score is not null then scale end) as last_feedback_scale,
        max(case when scored_before = 1 then score end) as last_feedback_score,
        max(case when scored_before = 1 then normalised_score end) as last_normalised_score,
        max(case when scale = 'nps_0_10' and scored_before_on_scale = 1 and normalised_score is not null then score end)
            as last_nps_score
    from answers
    group by as_of, customer_id
),

joined as (
    select
        days.as_of,
        days.month_start_on,
        members.customer_id,
        masters.customer_type,
        masters.region,
        masters.country_code,
        coalesce(traded.orders, 0) as orders,
        coalesce(traded.return_orders, 0) as return_orders,
        coalesce(traded.orders_365d, 0) as orders_365d,
        traded.first_ordered_on,
        traded.last_ordered_on,
        rfm.recency_days,
        traded.net_revenue_amount_base,
        traded.net_revenue_365d_amount_base,
        traded.margin_amount_base,
        channels.channel_id as preferred_channel_id,
        coalesce(voices.feedback_count, 0) as feedback_count,
        voices.last_feedback_on,
        voices.last_scored_on,
        voices.last_feedback_scale,
        voices.last_feedback_score,
        voices.last_normalised_score,
        case
            when voices.last_nps_score >= 9 then 'promoter'
            when voices.last_nps_score >= 7 then 'passive'
            when voices.last_nps_score is not null then 'detractor'
        end as nps_group,
        coalesce(traded.deliveries, 0) as deliveries,
        coalesce(traded.late_deliveries, 0) as late_deliveries,
        traded.last_late_on,
        rfm.recency_score,
        rfm.frequency_score,
        rfm.monetary_score,
        rfm.segment as rfm_segment,
        clusters.cluster_id,
        clusters.cluster_name,
        ltv.p_alive,
        ltv.expected_orders_365d,
        ltv.clv_365d_amount_base,
        ltv.value_basis as clv_basis
    from days
    inner join members on days.as_of = members.as_of
    left join masters on members.as_of = masters.as_of and members.customer_id = masters.customer_id
    left join traded on members.as_of = traded.as_of and members.customer_id = traded.customer_id
    left join channels
        on members.as_of = channels.as_of and members.customer_id = channels.customer_id and channels.choice = 1
    left join voices on members.as_of = voices.as_of and members.customer_id = voices.customer_id
    left join {{ ref('fct_customer_rfm_monthly') }} as rfm
        on members.as_of = rfm.as_of and members.customer_id = rfm.customer_id
    left join {{ source('ml', 'customer_clusters') }} as clusters
        on members.as_of = clusters.as_of and members.customer_id = clusters.customer_id
    left join {{ source('ml', 'customer_ltv') }} as ltv
        on members.as_of = ltv.as_of and members.customer_id = ltv.customer_id
)

select
    as_of,
    month_start_on,
    customer_id,
    customer_type,
    region,
    country_code,
    cast(orders as bigint) as orders,
    cast(return_orders as bigint) as return_orders,
    cast(orders_365d as bigint) as orders_365d,
    first_ordered_on,
    last_ordered_on,
    recency_days,
    {{ money('net_revenue_amount_base') }} as net_revenue_amount_base,
    {{ money('net_revenue_365d_amount_base') }} as net_revenue_365d_amount_base,
    {{ money('margin_amount_base') }} as margin_amount_base,
    preferred_channel_id,
    cast(feedback_count as bigint) as feedback_count,
    last_feedback_on,
    last_feedback_scale,
    cast(last_feedback_score as decimal(18, 4)) as last_feedback_score,
    nps_group,
    cast(deliveries as bigint) as deliveries,
    cast(late_deliveries as bigint) as late_deliveries,
    last_late_on,
    recency_score,
    frequency_score,
    monetary_score,
    rfm_segment,
    cluster_id,
    cluster_name,
    p_alive,
    expected_orders_365d,
    clv_365d_amount_base,
    clv_basis,
    case
        when
            last_scored_on > {{ day_plus('as_of', -90) }}
            and (
                (last_feedback_scale = 'nps_0_10' and last_feedback_score <= 6)
                or (last_feedback_scale <> 'nps_0_10' and last_normalised_score <= 0.25)
            )
            then 'recover_service'
        when last_late_on > {{ day_plus('as_of', -30) }} then 'apologise_for_delay'
        when
            net_revenue_amount_base < 0
            or (return_orders > 0 and (orders = 0 or net_revenue_amount_base = 0))
            then 'clarify_returns'
        when orders = 0 then 'activate'
        when rfm_segment = 'cannot_lose' then 'win_back_in_person'
        when rfm_segment = 'at_risk' then 'win_back_offer'
        when rfm_segment = 'champions' then 'reward_loyalty'
        when rfm_segment = 'loyal' then 'cross_sell'
        when rfm_segment = 'new' then 'welcome_to_second_order'
        when rfm_segment in ('promising', 'one_time_recent') then 'next_order_offer'
        when rfm_segment = 'about_to_sleep' then 'remind'
        else 'leave_in_peace'
    end as next_best_action
from joined

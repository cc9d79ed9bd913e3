{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

select
    drivers.as_of,
    drivers.scale,
    drivers.model,
    drivers.driver_group,
    drivers.driver,
    coalesce(
        topics.topic_label,
        case drivers.driver
            when 'all_answers' then 'All answers'
            when 'days_late' then 'Each day late, up to seven'
            when 'is_late_over_a_week' then 'More than a week late, on top'
            when 'is_not_received' then 'Not received when answering'
            when 'is_partial' then 'Received in part'
            when 'is_first_order' then 'First order of the customer'
            when 'has_discount' then 'Bought with a discount'
            when 'order_value_doubled' then 'Each doubling of the order value'
            when 'has_several_lines' then 'Several lines in the order'
        end,
        drivers.driver
    ) as driver_label,
    drivers.n,
    drivers.low_count,
    drivers.with_driver_count,
    drivers.prevalence,
    drivers.effect_on_low_share,
    drivers.effect_low,
    drivers.effect_high,
    drivers.odds_ratio,
    drivers.odds_ratio_low,
    drivers.odds_ratio_high,
    drivers.effect_on_score,
    drivers.score_effect_low,
    drivers.score_effect_high,
    drivers.low_score_share_explained,
    drivers.is_significant,
    drivers.priority
from {{ source('ml', 'cx_drivers') }} as drivers
inner join {{ source('ops', 'build_scope') }} as scope
    on drivers.as_of = scope.as_of
left join {{ ref('dim_feedback_topics') }} as topics
    on drivers.driver = {{ dbt.concat(["'topic:'", 'topics.topic']) }}

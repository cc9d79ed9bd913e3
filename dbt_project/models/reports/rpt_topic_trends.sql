{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

{#
    Weeks run from Monday to Sunday; the newest ends with the as-of day. `recent` are a week and the three before it, `base`
    the 26 weeks before those. Shown are 13 weeks, so 42 are counted.
#}
{%- set shown = 13 -%}
{%- set recent = 4 -%}
{%- set base = 26 -%}
{%- set counted = shown + recent - 1 + base -%}

with texts as (
    select feedback.feedback_id, feedback.known_from, feedback.business_on, feedback.as_of_from, feedback.as_of_to
    from {{ known_rows(ref('int_feedback_versioned'), 'submitted_on', 7 * (counted + 1)) }} as feedback
    inner join {{ source('ml', 'feedback_sentiment') }} as readings
        on feedback.feedback_id = readings.feedback_id and feedback.known_from = readings.known_from
    where readings.text_kind = 'words' and readings.language <> 'other'
),

daily_texts as (
    select business_on, as_of_from, as_of_to, count(*) as texts
    from texts
    group by business_on, as_of_from, as_of_to
),

daily_mentions as (
    select
        mentions.topic,
        texts.business_on,
        texts.as_of_from,
        texts.as_of_to,
        count(*) as mentions,
        sum(case when mentions.sentiment = 'negative' then 1 else 0 end) as negative_mentions,
        sum(case when mentions.sentiment = 'positive' then 1 else 0 end) as positive_mentions
    from texts
    inner join {{ source('ml', 'feedback_topics') }} as mentions
        on texts.feedback_id = mentions.feedback_id and texts.known_from = mentions.known_from
    group by mentions.topic, texts.business_on, texts.as_of_from, texts.as_of_to
),

weeks as (
    select
        scope.as_of,
        {{ day_plus(dbt.date_trunc('week', 'scope.as_of'), '-7 * back.weeks') }} as week_start_on,
        case
            when back.weeks = 0 then scope.as_of
            else {{ day_plus(dbt.date_trunc('week', 'scope.as_of'), '6 - 7 * back.weeks') }}
        end as week_end_on,
        back.weeks as weeks_back
    from {{ source('ops', 'build_scope') }} as scope
    cross join (
        {%- for weeks in range(counted) %}
        select {{ weeks }} as weeks{{ ' union all' if not loop.last }}
        {%- endfor %}
    ) as back
),

weekly_texts as (
    select weeks.as_of, weeks.week_start_on, weeks.week_end_on, weeks.weeks_back, coalesce(sum(daily.texts), 0) as texts
    from weeks
    left join daily_texts as daily
        on
            daily.business_on between weeks.week_start_on and weeks.week_end_on
            and daily.as_of_from <= weeks.as_of
            and daily.as_of_to > weeks.as_of
    group by weeks.as_of, weeks.week_start_on, weeks.week_end_on, weeks.weeks_back
),

weekly_mentions as (
    select
        weeks.as_of,
        weeks.week_start_on,
        daily.topic,
        sum(daily.mentions) as mentions,
        sum(daily.negative_mentions) as negative_mentions,
        sum(daily.positive_mentions) as positive_mentions
    from weeks
    inner join daily_mentions as daily
        on
            daily.business_on between weeks.week_start_on and weeks.week_end_on
            and daily.as_of_from <= weeks.as_of
            and daily.as_of_to > weeks.as_of
    group by weeks.as_of, weeks.week_start_on, daily.topic
),

gridded as (
    select
        weekly.as_of,
        weekly.week_start_on,
        weekly.week_end_on,
        weekly.weeks_back,
        topics.topic,
        topics.topic_label,
        topics.topic_group,
        weekly.texts,
        coalesce(found.mentions, 0) as mentions,
        coalesce(found.negative_mentions, 0) as negative_mentions,
        coalesce(found.positive_mentions, 0) as positive_mentions
    from weekly_texts as weekly
    cross join {{ ref('dim_feedback_topics') }} as topics
    left join weekly_mentions as found
        on
            weekly.as_of = found.as_of
            and weekly.week_start_on = found.week_start_on
            and topics.topic = found.topic
),

compared as (
    select
        *,
        {%- for name in ('texts', 'mentions', 'negative_mentions') %}
        sum({{ name }}) over recent_weeks as recent_{{ name }},
        {%- endfor %}
        coalesce(sum(texts) over base_weeks, 0) as base_texts,
        coalesce(sum(mentions) over base_weeks, 0) as base_mentions
    from gridded
    window
        recent_weeks as (
            partition by as_of, topic order by week_start_on
            rows between {{ recent - 1 }} preceding and current row
        ),
        base_weeks as (
            partition by as_of, topic order by week_start_on
            rows between {{ recent + base - 1 }} preceding and {{ recent }} preceding
        )
),

{# The ratio of two shares, half a mention added to each so that none is 0, with an interval from the normal
   approximation of its logarithm (Walter 1975). 3.290527 is 99.9 %: thirteen topics are looked at every night. #}
lifted as (
    select
        *,
        ln((recent_mentions + 0.5) / (recent_texts + 1.0)) - ln((base_mentions + 0.5) / (base_texts + 1.0)) as log_lift,
        3.290527 * sqrt(
            1 / (recent_mentions + 0.5) - 1 / (recent_texts + 1.0) + 1 / (base_mentions + 0.5) - 1 / (base_texts + 1.0)
        ) as reach,
        recent_texts < 30 or base_texts < 100 as is_insufficient_data
    from compared
    where weeks_back < {{ shown }}
)

select
    as_of,
    week_start_on,
    week_end_on,
    topic,
    topic_label,
    topic_group,
    cast(texts as bigint) as texts,
    cast(mentions as bigint) as mentions,
    cast(negative_mentions as bigint) as negative_mentions,
    cast(positive_mentions as bigint) as positive_mentions,
    round(cast(mentions as double) / nullif(texts, 0), 6) as share,
    round(cast(negative_mentions as double) / nullif(mentions, 0), 6) as negative_share,
    round(cast(positive_mentions - negative_mentions as double) / nullif(mentions, 0), 6) as net_sentiment,
    cast(recent_texts as bigint) as recent_texts,
    cast(recent_mentions as bigint) as recent_mentions,
    cast(recent_negative_mentions as bigint) as recent_negative_mentions,
    cast(base_texts as bigint) as base_texts,
    cast(base_mentions as bigint) as base_mentions,
    round(cast(recent_mentions as double) / nullif(recent_texts, 0), 6) as recent_share,
    round(cast(base_mentions as double) / nullif(base_texts, 0), 6) as base_share,
    case when not is_insufficient_data then round(cast(exp(log_lift) as double), 6) end as lift_vs_base,
    case when not is_insufficient_data then round(cast(exp(log_lift - reach) as double), 6) end as lift_low,
    case when not is_insufficient_data then round(cast(exp(log_lift + reach) as double), 6) end as lift_high,
    is_insufficient_data,
    not is_insufficient_data and recent_mentions >= 8 and log_lift - reach > 0 and exp(log_lift) >= 1.5 as is_emerging
from lifted

{%- set grains = ['trailing_28d', 'trailing_90d'] -%}

with texts as (
    select feedback.feedback_id, feedback.known_from, feedback.business_on, feedback.as_of_from, feedback.as_of_to
    from {{ known_rows(ref('int_feedback_versioned'), 'submitted_on', longest_window(grains)) }} as feedback
    inner join {{ source('ml', 'feedback_sentiment') }} as readings
        on feedback.feedback_id = readings.feedback_id and feedback.known_from = readings.known_from
    where readings.text_kind = 'words' and readings.language <> 'other'
),

complaints as (
    select distinct feedback_id, known_from, topic
    from {{ source('ml', 'feedback_topics') }}
    where sentiment = 'negative'
),

facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        sum(case when (feedback_id, known_from) in (select feedback_id, known_from from complaints) then 1 else 0 end)
            as numerator,
        count(*) as denominator,
        count(*) as n
    from texts
    group by business_on, as_of_from, as_of_to
),

{# Every text counts in every topic, so topics have their own facts: added up they would count texts many times. #}
topic_facts as (
    select
        texts.business_on,
        texts.as_of_from,
        texts.as_of_to,
        topics.topic,
        count(complaints.topic) as numerator,
        count(*) as denominator,
        count(*) as n
    from texts
    cross join {{ ref('dim_feedback_topics') }} as topics
    left join complaints
        on
            texts.feedback_id = complaints.feedback_id
            and texts.known_from = complaints.known_from
            and topics.topic = complaints.topic
    group by texts.business_on, texts.as_of_from, texts.as_of_to, topics.topic
),

overall as (
    {{ kpi_values('facts', grains) }}
),

by_topic as (
    {{ kpi_values('topic_facts', grains, segments=['topic']) }}
)

select * from overall
union all
select * from by_topic
where segment_type = 'topic'

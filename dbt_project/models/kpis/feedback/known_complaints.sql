{{ config(materialized='table') }}

with texts as (
    select feedback.feedback_id, feedback.known_from, feedback.business_on, feedback.as_of_from, feedback.as_of_to
    from {{ known_rows(ref('int_feedback_versioned'), 'submitted_on', complaint_days() | sum) }} as feedback
    inner join {{ source('ml', 'feedback_sentiment') }} as readings
        on feedback.feedback_id = readings.feedback_id and feedback.known_from = readings.known_from
    where readings.text_kind = 'words' and readings.language <> 'other'
),

complaints as (
    select distinct feedback_id, known_from, topic
    from {{ source('ml', 'feedback_topics') }}
    where sentiment = 'negative'
)

select
    business_on,
    as_of_from,
    as_of_to,
    cast(null as {{ dbt.type_string() }}) as topic,
    sum(case when (feedback_id, known_from) in (select feedback_id, known_from from complaints) then 1 else 0 end)
        as complaints,
    count(*) as texts
from texts
group by business_on, as_of_from, as_of_to
union all
{# Every text counts in every topic, so topics have their own rows: added up they would count texts many times. #}
select
    texts.business_on,
    texts.as_of_from,
    texts.as_of_to,
    topics.topic,
    count(complaints.topic) as complaints,
    count(*) as texts
from texts
cross join {{ ref('dim_feedback_topics') }} as topics
left join complaints
    on
        texts.feedback_id = complaints.feedback_id
        and texts.known_from = complaints.known_from
        and topics.topic = complaints.topic
group by texts.business_on, texts.as_of_from, texts.as_of_to, topics.topic

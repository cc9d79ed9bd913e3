with responses as (
    select feedback_id, known_from, submitted_on, feedback_channel, scale, score
    from {{ ref('int_feedback_versioned') }}
    where known_to is null
)

select
    mentions.feedback_id,
    mentions.topic,
    responses.submitted_on,
    responses.feedback_channel,
    responses.scale,
    responses.score,
    mentions.weight,
    mentions.sentiment,
    mentions.positive_probability,
    mentions.language,
    mentions.model_version,
    responses.known_from
from {{ source('ml', 'feedback_topics') }} as mentions
inner join responses
    on mentions.feedback_id = responses.feedback_id and mentions.known_from = responses.known_from

{% set key = ['feedback_id'] %}
{% set content = [
    'submitted_at', 'feedback_channel', 'scale', 'score', 'comment_length', 'comment_checksum', 'customer_id',
    'order_id', 'product_id'
] %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail',
    unique_key=key, meta={'feed': 'feedback'}, pre_hook="{{ collect_touched_keys() }}"
) }}

with versions as ({{ versioned('feedback', key, content) }})

select
    feedback_id,
    submitted_at,
    {{ local_date('submitted_at') }} as submitted_on,
    feedback_channel,
    scale,
    score,
    case
        when scale = 'nps_0_10' and score between 0 and 10 then cast(score / 10 as decimal(9, 6))
        when scale in ('csat_1_5', 'stars_1_5') and score between 1 and 5 then cast((score - 1) / 4 as decimal(9, 6))
        when scale = 'ces_1_7' and score between 1 and 7 then cast((score - 1) / 6 as decimal(9, 6))
    end as normalised_score,
    coalesce(
        (scale = 'nps_0_10' and score not between 0 and 10)
        or (scale in ('csat_1_5', 'stars_1_5') and score not between 1 and 5)
        or (scale = 'ces_1_7' and score not between 1 and 7)
        or (scale = 'none' and score is not null),
        false
    ) as is_score_off_scale,
    comment_length,
    comment_checksum,
    coalesce(comment_length > 0, false) as has_comment,
    customer_id,
    order_id,
    product_id,
    known_from,
    known_to,
    _file_id,
    _record_no,
    _ended_by_file_id
from versions

with delivered as ({{ delivered('feedback') }})

select
    trim(feedback_id) as feedback_id,
    submitted_at,
    trim(feedback_channel) as feedback_channel,
    scale,
    score,
    -- The text itself is personal and stays in raw.
    cast(length(trim(comment_text)) as bigint) as comment_length,
    {{ hash_key('trim(comment_text)') }} as comment_checksum,
    {{ blank_to_null('customer_id') }} as customer_id,
    {{ blank_to_null('order_id') }} as order_id,
    {{ blank_to_null('product_id') }} as product_id,
    coalesce(is_deleted, false) as is_deleted,
    {{ provenance() }}
from delivered

with channels as (
    select distinct channel_id
    from {{ ref('int_order_lines_versioned') }}
)

select
    {{ hash_key('channel_id') }} as channel_key,
    channel_id
from channels

with delivered as ({{ delivered('kpi_targets') }})

select
    kpi_id,
    trim(segment_type) as segment_type,
    trim(segment_value) as segment_value,
    period_start,
    period_end,
    target_value,
    lower_value,
    upper_value,
    direction,
    {{ blank_to_null('owner') }} as owner,
    coalesce(is_deleted, false) as is_deleted,
    {{ provenance() }}
from delivered

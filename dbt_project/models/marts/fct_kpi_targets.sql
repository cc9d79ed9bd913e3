{%- set goal = 'partition by kpi_id, segment_type, segment_value, period_start, period_end order by known_from' %}
select
    kpi_id,
    segment_type,
    segment_value,
    period_start,
    period_end,
    target_value,
    lower_value,
    upper_value,
    direction,
    owner,
    lag(target_value) over ({{ goal }}) as previous_target_value,
    cast(row_number() over ({{ goal }}) as integer) as revision_no,
    known_from > period_start as is_set_within_period,
    known_to is null as is_current,
    known_from,
    known_to
from {{ ref('int_kpi_targets_versioned') }}

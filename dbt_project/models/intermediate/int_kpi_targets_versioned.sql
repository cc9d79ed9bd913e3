{% set key = ['kpi_id', 'segment_type', 'segment_value', 'period_start', 'period_end'] %}
{% set content = ['target_value', 'lower_value', 'upper_value', 'direction', 'owner'] %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail',
    unique_key=key, meta={'feed': 'kpi_targets'}, pre_hook="{{ collect_touched_keys() }}"
) }}

with versions as ({{ versioned('kpi_targets', key, content) }})

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
    known_from,
    known_to,
    _file_id,
    _record_no
from versions

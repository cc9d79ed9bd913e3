{% set key = ['product_id', 'location_id', 'measured_on'] %}
{% set content = [
    'quantity_on_hand', 'quantity_on_order', 'quantity_allocated', 'quantity_received', 'quantity_issued',
    'unit_cost'
] %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail',
    unique_key=key, meta={'feed': 'inventory_levels'}, pre_hook="{{ collect_touched_keys() }}"
) }}

with versions as ({{ versioned('inventory_levels', key, content) }})

select
    product_id,
    location_id,
    measured_on,
    quantity_on_hand,
    quantity_on_order,
    quantity_allocated,
    quantity_received,
    quantity_issued,
    unit_cost,
    known_from,
    known_to,
    _file_id,
    _record_no,
    _ended_by_file_id
from versions

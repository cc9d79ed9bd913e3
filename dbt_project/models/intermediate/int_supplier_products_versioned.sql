{% set key = ['supplier_id', 'product_id', 'valid_from'] %}
{% set content = [
    'valid_to', 'unit_price', 'currency', 'min_order_quantity', 'order_multiple', 'lead_time_days'
] %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail',
    unique_key=key, meta={'feed': 'supplier_products'}, pre_hook="{{ collect_touched_keys() }}"
) }}

with versions as ({{ versioned('supplier_products', key, content) }})

select
    supplier_id,
    product_id,
    valid_from,
    valid_to,
    unit_price,
    currency,
    min_order_quantity,
    order_multiple,
    lead_time_days,
    known_from,
    known_to,
    _file_id,
    _record_no
from versions

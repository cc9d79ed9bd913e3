{% set key = ['po_id', 'line_no'] %}
{% set content = [
    'supplier_id', 'product_id', 'location_id', 'ordered_at', 'confirmed_at', 'promised_on', 'promised_last_on',
    'quantity_ordered', 'unit_price', 'contract_unit_price', 'currency', 'received_at', 'quantity_received',
    'quantity_rejected', 'status'
] %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail',
    unique_key=key, meta={'feed': 'purchase_order_lines'}, pre_hook="{{ collect_touched_keys() }}"
) }}

with versions as ({{ versioned('purchase_order_lines', key, content) }})

select
    po_id,
    line_no,
    supplier_id,
    product_id,
    location_id,
    ordered_at,
    {{ local_date('ordered_at') }} as ordered_on,
    confirmed_at,
    {{ local_date('confirmed_at') }} as confirmed_on,
    promised_on,
    promised_last_on,
    quantity_ordered,
    unit_price,
    contract_unit_price,
    currency,
    received_at,
    {{ local_date('received_at') }} as received_on,
    quantity_received,
    quantity_rejected,
    status,
    {{ product_amount('quantity_ordered', 'unit_price', decimals=7) }} as ordered_amount,
    known_from,
    known_to,
    _file_id,
    _record_no,
    _ended_by_file_id
from versions

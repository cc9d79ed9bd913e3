{% set key = ['supplier_id'] %}
{% set content = [
    'supplier_name', 'country_code', 'currency', 'payment_terms_days', 'is_approved'
] %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail',
    unique_key=key, meta={'feed': 'suppliers'}, pre_hook="{{ collect_touched_keys() }}"
) }}

with versions as ({{ versioned('suppliers', key, content) }})

select
    supplier_id,
    supplier_name,
    country_code,
    currency,
    payment_terms_days,
    is_approved,
    known_from,
    known_to,
    _file_id,
    _record_no
from versions

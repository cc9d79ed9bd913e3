{% set key = ['customer_id'] %}
{% set content = [
    'customer_type', 'city', 'region', 'country_code', 'registered_on'
] %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail',
    unique_key=key, meta={'feed': 'customers'}, pre_hook="{{ collect_touched_keys() }}"
) }}

with versions as ({{ versioned('customers', key, content) }})

select
    customer_id,
    customer_type,
    city,
    region,
    country_code,
    registered_on,
    known_from,
    known_to,
    _file_id,
    _record_no
from versions

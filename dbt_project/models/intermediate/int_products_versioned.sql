{% set key = ['product_id'] %}
{% set content = [
    'product_name', 'category', 'subcategory', 'unit_of_measure', 'unit_cost', 'list_price', 'currency',
    'launched_on', 'discontinued_on'
] %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail',
    unique_key=key, meta={'feed': 'products'}, pre_hook="{{ collect_touched_keys() }}"
) }}

with versions as ({{ versioned('products', key, content) }})

select
    product_id,
    product_name,
    category,
    subcategory,
    unit_of_measure,
    unit_cost,
    list_price,
    currency,
    launched_on,
    discontinued_on,
    known_from,
    known_to,
    _file_id,
    _record_no
from versions

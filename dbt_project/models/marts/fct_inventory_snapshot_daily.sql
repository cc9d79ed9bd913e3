{% set fact = {
    'feed': 'inventory_levels',
    'key': ['product_id', 'location_id', 'measured_on'],
    'business_day': 'measured_on',
    'uses': ['products']
} %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail', unique_key=fact.key,
    meta={'fact': fact}, pre_hook="{{ collect_outdated_keys() }}"
) }}

with levels as ({{ current_rows(fact) }}),

products as (select product_key, product_id, valid_from, valid_to from {{ ref('dim_products') }})

select
    products.product_key,
    levels.product_id,
    levels.location_id,
    levels.measured_on,
    levels.quantity_on_hand,
    levels.quantity_on_order,
    levels.quantity_allocated,
    cast(levels.quantity_on_hand - coalesce(levels.quantity_allocated, 0) as decimal(18, 3)) as quantity_available,
    levels.quantity_received,
    levels.quantity_issued,
    levels.unit_cost,
    {{ product_amount('levels.quantity_on_hand', 'levels.unit_cost', decimals=7) }} as inventory_value_base,
    levels.quantity_on_hand - coalesce(levels.quantity_allocated, 0) <= 0 as is_stockout,
    levels.quantity_on_hand < 0 as is_negative,
    levels.known_from,
    levels._file_id as file_id,
    levels._record_no as record_no
from levels
left join products on {{ version_of_day('products', 'levels.product_id', 'levels.measured_on') }}

{% set fact = {
    'feed': 'feedback',
    'key': ['feedback_id'],
    'business_day': 'submitted_on',
    'uses': ['products', 'customers']
} %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail', unique_key=fact.key,
    meta={'fact': fact}, pre_hook="{{ collect_outdated_keys() }}"
) }}

with responses as ({{ current_rows(fact) }}),

products as (select product_key, product_id, valid_from, valid_to from {{ ref('dim_products') }}),

customers as (select customer_key, customer_id, valid_from, valid_to from {{ ref('dim_customers') }})

select
    responses.feedback_id,
    responses.submitted_at,
    responses.submitted_on,
    responses.feedback_channel,
    responses.scale,
    responses.score,
    responses.normalised_score,
    responses.is_score_off_scale,
    responses.comment_length,
    responses.has_comment,
    coalesce(customers.customer_key, -1) as customer_key,
    responses.customer_id,
    responses.order_id,
    coalesce(products.product_key, -1) as product_key,
    responses.product_id,
    responses.known_from,
    responses._file_id as file_id,
    responses._record_no as record_no
from responses
left join products on {{ version_of_day('products', 'responses.product_id', 'responses.submitted_on') }}
left join customers on {{ version_of_day('customers', 'responses.customer_id', 'responses.submitted_on') }}

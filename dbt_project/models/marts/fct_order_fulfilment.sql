-- depends_on: {{ ref('int_order_lines_versioned') }} (the pre-hook compares with the current versions)
{% set fact = {
    'feed': 'order_lines',
    'key': ['order_id', 'line_no'],
    'business_day': 'ordered_on',
    'uses': ['products', 'customers', 'exchange_rates']
} %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail', unique_key=fact.key,
    meta={'fact': fact}, pre_hook="{{ collect_outdated_keys() }}"
) }}

select
    order_id,
    line_no,
    ordered_at,
    ordered_on,
    product_key,
    product_id,
    customer_key,
    customer_id,
    channel_key,
    channel_id,
    location_id,
    status,
    case
        when is_cancelled then 'cancelled'
        when quantity < 0 then 'returned'
        when received_on is not null then 'delivered'
        when shipped_on is not null then 'shipped'
        else 'ordered'
    end as stage,
    quantity as quantity_ordered,
    net_amount_base,
    promised_on,
    shipped_at,
    shipped_on,
    delivered_at,
    received_on as delivered_on,
    is_cancelled,
    shipped_on <= promised_on as is_shipped_by_promise,
    is_on_time,
    -- No feed says how many units arrived: all that is known is that nothing of a cancelled line did.
    case when is_cancelled then false end as is_in_full,
    {{ dbt.datediff('ordered_on', 'shipped_on', 'day') }} as days_to_ship,
    {{ dbt.datediff('ordered_on', 'received_on', 'day') }} as days_to_deliver,
    {{ dbt.datediff('promised_on', 'received_on', 'day') }} as days_late,
    known_from,
    file_id,
    record_no
from {{ ref('fct_order_lines') }}
where {{ is_to_write(fact.key) }}

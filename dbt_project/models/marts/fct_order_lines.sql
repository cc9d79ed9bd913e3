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

with lines as ({{ current_rows(fact) }}),

products as (select product_key, product_id, valid_from, valid_to from {{ ref('dim_products') }}),

customers as (select customer_key, customer_id, valid_from, valid_to from {{ ref('dim_customers') }}),

channels as (select * from {{ ref('dim_channels') }}),

rates as (select * from {{ ref('int_base_rates') }})

select
    lines.order_id,
    lines.line_no,
    lines.ordered_at,
    lines.ordered_on,
    products.product_key,
    lines.product_id,
    coalesce(customers.customer_key, -1) as customer_key,
    lines.customer_id,
    channels.channel_key,
    lines.channel_id,
    lines.location_id,
    lines.status,
    lines.is_cancelled,
    lines.is_return,
    lines.is_revenue,
    lines.quantity,
    lines.demand_quantity,
    lines.unit_price,
    lines.unit_cost,
    lines.currency,
    lines.gross_amount,
    lines.discount_amount,
    lines.net_amount,
    lines.tax_amount,
    lines.cost_amount,
    rates.rate_to_base,
    rates.currency is null as is_rate_missing,
    {{ to_base('lines.gross_amount', 'rates') }} as gross_amount_base,
    {{ to_base('lines.discount_amount', 'rates') }} as discount_amount_base,
    {{ to_base('lines.net_amount', 'rates') }} as net_amount_base,
    {{ to_base('lines.tax_amount', 'rates') }} as tax_amount_base,
    {{ to_base('lines.cost_amount', 'rates') }} as cost_amount_base,
    lines.promised_on,
    lines.shipped_at,
    lines.shipped_on,
    lines.delivered_at,
    lines.received_on,
    lines.received_on <= lines.promised_on as is_on_time,
    lines.known_from,
    lines._file_id as file_id,
    lines._record_no as record_no
from lines
left join products on {{ version_of_day('products', 'lines.product_id', 'lines.ordered_on') }}
left join customers on {{ version_of_day('customers', 'lines.customer_id', 'lines.ordered_on') }}
left join channels on channels.channel_id = lines.channel_id
left join rates on {{ rate_of_day('rates', 'lines.currency', 'lines.ordered_on') }}

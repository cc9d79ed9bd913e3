{% set fact = {
    'feed': 'purchase_order_lines',
    'key': ['po_id', 'line_no'],
    'business_day': 'ordered_on',
    'uses': ['products', 'suppliers', 'exchange_rates']
} %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail', unique_key=fact.key,
    meta={'fact': fact}, pre_hook="{{ collect_outdated_keys() }}"
) }}

with lines as ({{ current_rows(fact) }}),

products as (select product_key, product_id, valid_from, valid_to from {{ ref('dim_products') }}),

suppliers as (select supplier_key, supplier_id, valid_from, valid_to from {{ ref('dim_suppliers') }}),

rates as (select * from {{ ref('int_base_rates') }}),

judged as (
    select
        *,
        coalesce(status in ('cancelled', 'rejected'), false) as is_cancelled,
        received_at is not null as is_received,
        coalesce(quantity_received, 0) - coalesce(quantity_rejected, 0) as quantity_accepted,
        {{ product_amount('coalesce(quantity_received, 0)', 'unit_price', decimals=7) }} as received_amount,
        {{ product_amount('quantity_ordered', 'contract_unit_price', decimals=7) }} as contract_amount,
        {{ product_amount('quantity_ordered', '(unit_price - contract_unit_price)', decimals=7) }} as price_variance_amount,
        received_on <= promised_on as is_on_time_first,
        received_on <= coalesce(promised_last_on, promised_on) as is_on_time_last,
        case when received_at is not null then coalesce(quantity_received, 0) >= quantity_ordered end as is_in_full
    from lines
)

select
    lines.po_id,
    lines.line_no,
    suppliers.supplier_key,
    lines.supplier_id,
    products.product_key,
    lines.product_id,
    lines.location_id,
    lines.ordered_at,
    lines.ordered_on,
    lines.confirmed_at,
    lines.confirmed_on,
    lines.promised_on,
    lines.promised_last_on,
    lines.received_at,
    lines.received_on,
    lines.status,
    lines.is_cancelled,
    lines.is_received,
    lines.quantity_ordered,
    lines.quantity_received,
    lines.quantity_rejected,
    cast(lines.quantity_accepted as decimal(18, 3)) as quantity_accepted,
    lines.unit_price,
    lines.contract_unit_price,
    lines.currency,
    lines.ordered_amount,
    rates.rate_to_base,
    rates.currency is null as is_rate_missing,
    {{ to_base('lines.ordered_amount', 'rates') }} as ordered_amount_base,
    {{ to_base('lines.received_amount', 'rates') }} as received_amount_base,
    {{ to_base('lines.contract_amount', 'rates') }} as contract_amount_base,
    {{ to_base('lines.price_variance_amount', 'rates') }} as price_variance_amount_base,
    lines.is_on_time_first,
    lines.is_on_time_last,
    lines.is_in_full,
    lines.is_on_time_first and lines.is_in_full as is_on_time_in_full,
    cast({{ dbt.datediff('coalesce(lines.confirmed_on, lines.ordered_on)', 'lines.received_on', 'day') }} as integer)
        as lead_time_days,
    cast({{ dbt.datediff('lines.promised_on', 'lines.received_on', 'day') }} as integer) as days_late,
    lines.known_from,
    lines._file_id as file_id,
    lines._record_no as record_no
from judged as lines
left join products on {{ version_of_day('products', 'lines.product_id', 'lines.ordered_on') }}
left join suppliers on {{ version_of_day('suppliers', 'lines.supplier_id', 'lines.ordered_on') }}
left join rates on {{ rate_of_day('rates', 'lines.currency', 'lines.ordered_on') }}

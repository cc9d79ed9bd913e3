{% set key = ['order_id', 'line_no'] %}
{% set content = [
    'ordered_at', 'product_id', 'customer_id', 'channel_id', 'location_id', 'quantity', 'unit_price',
    'discount_amount', 'tax_amount', 'unit_cost', 'currency', 'promised_on', 'shipped_at', 'delivered_at',
    'status'
] %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail',
    unique_key=key, meta={'feed': 'order_lines'}, pre_hook="{{ collect_touched_keys() }}"
) }}

with versions as ({{ versioned('order_lines', key, content) }})

select
    order_id,
    line_no,
    ordered_at,
    {{ local_date('ordered_at') }} as ordered_on,
    product_id,
    customer_id,
    channel_id,
    location_id,
    quantity,
    unit_price,
    discount_amount,
    tax_amount,
    unit_cost,
    currency,
    promised_on,
    shipped_at,
    {{ local_date('shipped_at') }} as shipped_on,
    delivered_at,
    {{ local_date('delivered_at') }} as received_on,
    status,
    {{ product_amount('quantity', 'unit_price', decimals=7) }} as gross_amount,
    {{ product_amount('quantity', 'unit_price', decimals=7, less='discount_amount') }} as net_amount,
    {{ product_amount('quantity', 'unit_cost', decimals=7) }} as cost_amount,
    coalesce(status = 'cancelled', false) as is_cancelled,
    coalesce(status = 'returned', false) or (quantity < 0 and coalesce(status <> 'cancelled', true)) as is_return,
    -- A sale that was cancelled or returned by correcting its line is void. One that was taken back by a line of its
    -- own stays, and the negative line counts against it.
    not (quantity > 0 and coalesce(status in ('cancelled', 'returned'), false)) as is_revenue,
    -- What customers wanted: a return does not undo that they wanted it, a cancellation does.
    case
        when quantity >= 0 and coalesce(status = 'cancelled', false) then cast(0 as decimal(18, 3))
        when quantity < 0 and coalesce(status <> 'cancelled', true) then cast(0 as decimal(18, 3))
        else quantity
    end as demand_quantity,
    known_from,
    known_to,
    _file_id,
    _record_no,
    _ended_by_file_id
from versions

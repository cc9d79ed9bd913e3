with delivered as ({{ delivered('order_lines') }})

select
    trim(order_id) as order_id,
    line_no,
    ordered_at,
    trim(product_id) as product_id,
    {{ blank_to_null('customer_id') }} as customer_id,
    trim(channel_id) as channel_id,
    {{ blank_to_null('location_id') }} as location_id,
    quantity,
    unit_price,
    coalesce(discount_amount, 0) as discount_amount,
    tax_amount,
    unit_cost,
    currency,
    promised_on,
    shipped_at,
    delivered_at,
    status,
    coalesce(is_deleted, false) as is_deleted,
    {{ provenance() }}
from delivered

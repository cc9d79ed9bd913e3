with delivered as ({{ delivered('supplier_products') }})

select
    trim(supplier_id) as supplier_id,
    trim(product_id) as product_id,
    valid_from,
    valid_to,
    unit_price,
    currency,
    min_order_quantity,
    order_multiple,
    lead_time_days,
    coalesce(is_deleted, false) as is_deleted,
    {{ provenance() }}
from delivered

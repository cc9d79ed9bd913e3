with delivered as ({{ delivered('purchase_order_lines') }})

select
    trim(po_id) as po_id,
    line_no,
    trim(supplier_id) as supplier_id,
    trim(product_id) as product_id,
    {{ blank_to_null('location_id') }} as location_id,
    ordered_at,
    confirmed_at,
    promised_on,
    promised_last_on,
    quantity_ordered,
    unit_price,
    contract_unit_price,
    currency,
    received_at,
    quantity_received,
    quantity_rejected,
    status,
    coalesce(is_deleted, false) as is_deleted,
    {{ provenance() }}
from delivered

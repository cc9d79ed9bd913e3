with delivered as ({{ delivered('inventory_levels') }})

select
    trim(product_id) as product_id,
    trim(location_id) as location_id,
    measured_on,
    quantity_on_hand,
    quantity_on_order,
    quantity_allocated,
    quantity_received,
    quantity_issued,
    unit_cost,
    coalesce(is_deleted, false) as is_deleted,
    {{ provenance() }}
from delivered

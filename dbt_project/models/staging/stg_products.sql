with delivered as ({{ delivered('products') }})

select
    trim(product_id) as product_id,
    {{ blank_to_null('product_name') }} as product_name,
    {{ blank_to_null('category') }} as category,
    {{ blank_to_null('subcategory') }} as subcategory,
    {{ blank_to_null('unit_of_measure') }} as unit_of_measure,
    unit_cost,
    list_price,
    currency,
    launched_on,
    discontinued_on,
    coalesce(is_deleted, false) as is_deleted,
    {{ provenance() }}
from delivered

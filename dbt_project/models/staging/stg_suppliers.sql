with delivered as ({{ delivered('suppliers') }})

select
    trim(supplier_id) as supplier_id,
    {{ blank_to_null('supplier_name') }} as supplier_name,
    {{ blank_to_null('country_code') }} as country_code,
    currency,
    payment_terms_days,
    is_approved,
    coalesce(is_deleted, false) as is_deleted,
    {{ provenance() }}
from delivered

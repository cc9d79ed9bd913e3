with delivered as ({{ delivered('customers') }})

select
    trim(customer_id) as customer_id,
    {{ blank_to_null('customer_type') }} as customer_type,
    {{ blank_to_null('city') }} as city,
    {{ blank_to_null('region') }} as region,
    {{ blank_to_null('country_code') }} as country_code,
    registered_on,
    coalesce(is_deleted, false) as is_deleted,
    {{ provenance() }}
from delivered

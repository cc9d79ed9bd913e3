with delivered as ({{ delivered('exchange_rates') }})

select
    from_currency,
    to_currency,
    rate_on,
    rate,
    coalesce(is_deleted, false) as is_deleted,
    {{ provenance() }}
from delivered

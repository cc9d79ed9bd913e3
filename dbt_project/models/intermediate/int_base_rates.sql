with current_rates as (
    select from_currency, to_currency, rate_on, rate
    from {{ ref('int_exchange_rates_versioned') }}
    where known_to is null
)

{{ base_rates('current_rates') }}

with company as (select base_currency from {{ source('ops', 'company') }}),

used as (
    select base_currency as currency from company
    union
    select currency from {{ ref('int_order_lines_versioned') }}
    union
    select currency from {{ ref('int_purchase_order_lines_versioned') }}
    union
    select currency from {{ ref('int_supplier_products_versioned') }}
    union
    select currency from {{ ref('int_products_versioned') }} where currency is not null
    union
    select currency from {{ ref('int_suppliers_versioned') }} where currency is not null
    union
    select currency from {{ ref('int_base_rates') }}
),

quoted as (
    select
        currency,
        min(valid_from) as first_rate_on,
        max(valid_from) as last_rate_on
    from {{ ref('int_base_rates') }}
    where currency not in (select base_currency from company)
    group by currency
),

newest as (
    select currency, rate_to_base from {{ ref('int_base_rates') }} where valid_to = date '9999-12-31'
)

select
    used.currency,
    used.currency in (select base_currency from company) as is_base,
    quoted.first_rate_on,
    quoted.last_rate_on,
    newest.rate_to_base as last_rate_to_base
from used
left join quoted on quoted.currency = used.currency
left join newest on newest.currency = used.currency

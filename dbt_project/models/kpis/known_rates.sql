{{ config(materialized='table') }}

{#- As far back as sales are looked at. -#}
{%- set days = longest_window(['year_to_date']) + comparable_year() -%}

with wanted as (
    select currency, ordered_on as business_on
    from {{ ref('int_order_lines_versioned') }}
    union
    select currency, ordered_on as business_on
    from {{ ref('int_purchase_order_lines_versioned') }}
),

currency_days as (
    select scope.as_of, wanted.currency, wanted.business_on
    from {{ source('ops', 'build_scope') }} as scope
    inner join wanted
        on
            wanted.business_on <= scope.as_of
            and wanted.business_on > {{ day_plus('scope.as_of', -days) }}
),

ranges as (
    {{ known_base_rates(source('ops', 'build_scope')) }}
)

select
    currency_days.as_of,
    currency_days.currency,
    currency_days.business_on,
    ranges.rate_to_base
from currency_days
inner join ranges
    on
        currency_days.as_of = ranges.as_of
        and {{ rate_of_day('ranges', 'currency_days.currency', 'currency_days.business_on') }}

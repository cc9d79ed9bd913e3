{#- Eight whole weeks: long enough for slow sellers to have sold, short enough to be today's price. -#}
{%- set days = 56 -%}

with lines as (
    select
        product_id, channel_id, currency, business_on, as_of_from, as_of_to,
        sum(case when is_revenue then net_amount end) as net_amount,
        sum(demand_quantity) as demand_units
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', days) }} as lines
    group by product_id, channel_id, currency, business_on, as_of_from, as_of_to
)

select
    scope.as_of,
    lines.product_id,
    lines.channel_id,
    cast(sum(lines.net_amount * rates.rate_to_base) as decimal(38, 6)) as net_amount_base,
    cast(sum(lines.demand_units) as decimal(38, 6)) as demand_units
from lines
inner join {{ source('ops', 'build_scope') }} as scope
    on
        lines.as_of_from <= scope.as_of
        and lines.as_of_to > scope.as_of
        and lines.business_on <= scope.as_of
        and lines.business_on > {{ day_plus('scope.as_of', -days) }}
inner join {{ ref('known_rates') }} as rates
    on
        scope.as_of = rates.as_of
        and lines.currency = rates.currency
        and lines.business_on = rates.business_on
group by scope.as_of, lines.product_id, lines.channel_id

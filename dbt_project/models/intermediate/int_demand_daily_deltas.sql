with changes as (
    select product_id, channel_id, ordered_on, known_from as known_on, currency, demand_quantity,
        case when is_revenue then net_amount else 0 end as net_amount, 1 as sign
    from {{ ref('int_order_lines_versioned') }}
    union all
    select product_id, channel_id, ordered_on, known_to as known_on, currency, demand_quantity,
        case when is_revenue then net_amount else 0 end as net_amount, -1 as sign
    from {{ ref('int_order_lines_versioned') }}
    where known_to is not null
)

select
    product_id,
    channel_id,
    ordered_on,
    known_on,
    currency,
    cast(sum(sign * demand_quantity) as decimal(18, 3)) as quantity_delta,
    {{ money('sum(sign * net_amount)') }} as net_amount_delta
from changes
group by product_id, channel_id, ordered_on, known_on, currency

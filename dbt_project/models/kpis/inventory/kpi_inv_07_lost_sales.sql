with lost as (
    select
        as_of,
        period_grain,
        period_start,
        period_end,
        product_id,
        sum(demand_quantity - sales_quantity) as quantity_lost,
        count(*) as series_days
    from {{ demand_estimated() }} as demand
    group by as_of, period_grain, period_start, period_end, product_id
),

{# What a unit of the product earned in the 93 days up to the as-of day, as known then. #}
sold as (
    select
        product_id,
        business_on,
        as_of_from,
        as_of_to,
        currency,
        sum(net_amount - cost_amount) as margin_amount,
        sum(quantity) as quantity
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', 93) }} as lines
    where is_revenue and quantity > 0 and cost_amount is not null
    group by product_id, business_on, as_of_from, as_of_to, currency
),

margins as (
    select
        scope.as_of,
        sold.product_id,
        cast(sum(sold.margin_amount * rates.rate_to_base) as double) / cast(sum(sold.quantity) as double) as unit_margin
    from sold
    inner join {{ source('ops', 'build_scope') }} as scope
        on
            sold.as_of_from <= scope.as_of
            and sold.as_of_to > scope.as_of
            and {{ in_window('sold.business_on', 'scope.as_of', 93) }}
    inner join {{ ref('known_rates') }} as rates
        on scope.as_of = rates.as_of and sold.currency = rates.currency and sold.business_on = rates.business_on
    group by scope.as_of, sold.product_id
)

select
    lost.as_of,
    lost.period_grain,
    lost.period_start,
    lost.period_end,
    'all' as segment_type,
    'all' as segment_value,
    cast(
        sum(cast(cast(lost.quantity_lost as double) * greatest(coalesce(margins.unit_margin, 0), 0) as decimal(28, 6)))
        as decimal(38, 6)
    ) as numerator,
    cast(null as decimal(38, 6)) as denominator,
    cast(sum(lost.series_days) as bigint) as n,
    {{ no_spread() }}
from lost
left join margins
    on lost.as_of = margins.as_of and lost.product_id = margins.product_id
group by lost.as_of, lost.period_grain, lost.period_start, lost.period_end

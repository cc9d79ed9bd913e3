with estimated as (
    select *
    from {{ demand_estimated() }} as demand
)

select
    as_of,
    period_grain,
    period_start,
    period_end,
    'all' as segment_type,
    'all' as segment_value,
    cast(sum(sales_quantity) as decimal(38, 6)) as numerator,
    cast(sum(demand_quantity) as decimal(38, 6)) as denominator,
    count(*) as n,
    {{ no_spread() }}
from estimated
group by as_of, period_grain, period_start, period_end
having sum(demand_quantity) > 0

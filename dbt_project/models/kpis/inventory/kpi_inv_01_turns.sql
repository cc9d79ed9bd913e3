select
    as_of,
    'trailing_365d' as period_grain,
    {{ day_plus('as_of', -364) }} as period_start,
    as_of as period_end,
    'all' as segment_type,
    'all' as segment_value,
    cast(cast(cost_base as double) * 365 / days_spanned as decimal(38, 6)) as numerator,
    cast(cast(average_value_base as double) as decimal(38, 6)) as denominator,
    days_counted as n,
    {{ no_spread() }}
from {{ ref('stock_turns') }}
where cost_base > 0 and average_value_base > 0

select
    base.as_of,
    'month_to_date' as period_grain,
    cast({{ dbt.date_trunc('month', 'base.as_of') }} as date) as period_start,
    base.as_of as period_end,
    'all' as segment_type,
    'all' as segment_value,
    cast(base.newly_inactive as decimal(38, 6)) as numerator,
    cast(base.active_at_month_start as decimal(38, 6)) as denominator,
    cast(base.active_at_month_start as bigint) as n,
    {{ no_spread() }}
from {{ source('ml', 'customer_base') }} as base
inner join {{ source('ops', 'build_scope') }} as scope on base.as_of = scope.as_of
-- A model in which a customer leaves after fewer than one purchase in a thousand cannot tell leaving from waiting.
where base.a >= 0.001 * (base.a + base.b)

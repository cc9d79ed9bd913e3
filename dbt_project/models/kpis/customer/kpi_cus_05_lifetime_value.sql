select
    base.as_of,
    'as_of' as period_grain,
    base.as_of as period_start,
    base.as_of as period_end,
    'all' as segment_type,
    'all' as segment_value,
    cast(base.active_clv_365d_amount_base as decimal(38, 6)) as numerator,
    cast(base.active_customers as decimal(38, 6)) as denominator,
    cast(base.active_customers as bigint) as n,
    {{ no_spread() }}
from {{ source('ml', 'customer_base') }} as base
inner join {{ source('ops', 'build_scope') }} as scope on base.as_of = scope.as_of
where base.active_clv_365d_amount_base is not null

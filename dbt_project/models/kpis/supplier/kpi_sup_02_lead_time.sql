{%- set grains = ['month', 'quarter', 'trailing_90d', 'trailing_365d'] -%}
{%- set lead_days = dbt.datediff('coalesce(confirmed_on, ordered_on)', 'received_on', 'day') -%}

with facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        supplier_id,
        sum({{ lead_days }}) as numerator,
        count(*) as denominator,
        count(*) as n,
        sum({{ lead_days }} * {{ lead_days }}) as squares
    from {{ known_rows(ref('int_purchase_order_lines_versioned'), 'received_on', longest_window(grains)) }} as lines
    where {{ is_owed('lines') }}
    group by business_on, as_of_from, as_of_to, supplier_id
),

sums as (
    {{ kpi_values('facts', grains, segments=['supplier_id'], spread=['squares']) }}
)

select
    as_of,
    period_grain,
    period_start,
    period_end,
    segment_type,
    segment_value,
    numerator,
    denominator,
    n,
    {{ spread_columns() | join(',\n    ') }}
from {{ measured_lead_times('sums') }} as measured

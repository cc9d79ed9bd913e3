{%- set grains = ['trailing_90d', 'trailing_365d'] -%}
{%- set days = dbt.datediff('coalesce(confirmed_on, ordered_on)', 'received_on', 'day') -%}

with facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        supplier_id,
        sum({{ days }}) as numerator,
        count(*) as denominator,
        count(*) as n,
        sum({{ days }} * {{ days }}) as squares
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
    cast(
        sqrt(cast(n * squares - numerator * numerator as double) / n / (n - 1)) as decimal(38, 6)
    ) as numerator,
    cast(cast(numerator as double) / n as decimal(38, 6)) as denominator,
    n,
    {{ spread_columns() | join(',\n    ') }}
from {{ measured_lead_times('sums') }} as measured
where n > 1

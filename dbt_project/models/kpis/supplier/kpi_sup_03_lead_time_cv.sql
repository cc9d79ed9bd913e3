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
),

{# When all suppliers took the same days for everything, the feed has a booking rule where the receipts should be: that is
   no variation of 0, and no goal is met by it. #}
measured as (
    select
        *,
        max(case when segment_type = 'all' then n end) over whole >= {{ assumed('min_receipts') }}
        and max(case when segment_type = 'all' then n * squares - numerator * numerator end) over whole = 0 as is_a_rule
    from sums
    window whole as (partition by as_of, period_grain, period_start)
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
from measured
where n > 1 and not is_a_rule

{%- set grains = ['week', 'month', 'quarter', 'trailing_28d', 'trailing_90d'] -%}
{%- set cell = 'as_of, period_grain, period_start, period_end, segment_type, segment_value' -%}

{# How many lines took how many days: few rows, of which medians of any period can be read. #}
with facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        channel_id,
        {{ dbt.datediff('ordered_on', 'received_on', 'day') }} as days,
        count(*) as n
    from {{ known_rows(ref('int_order_lines_versioned'), 'received_on', longest_window(grains)) }} as lines
    where quantity > 0 and not is_cancelled and received_on >= ordered_on
    group by business_on, as_of_from, as_of_to, channel_id, days
),

segmented as (
    select 'all' as segment_type, 'all' as segment_value, business_on, as_of_from, as_of_to, days, n
    from facts
    union all
    select 'channel_id', channel_id, business_on, as_of_from, as_of_to, days, n
    from facts
    where channel_id is not null
),

counted as (
    select {{ cell }}, days, cast(sum(n) as bigint) as n
    from segmented
    inner join {{ kpi_windows('facts', grains, [], true) }} as windows
        on
            segmented.business_on = windows.business_on
            and segmented.as_of_from <= windows.as_of
            and segmented.as_of_to > windows.as_of
    group by {{ cell }}, days
),

ranked as (
    select
        *,
        sum(n) over (partition by {{ cell }} order by days rows between unbounded preceding and current row) as up_to,
        sum(n) over (partition by {{ cell }}) as total
    from counted
),

{# Below six there are no ranks that bound a median. #}
bounded as (
    select
        *,
        {{ quantile_rank('total', 0.5, 'low') }} as low_rank,
        {{ quantile_rank('total', 0.5, 'high') }} as high_rank
    from ranked
)

select
    {{ cell }},
    cast(
        (
            min(case when up_to >= floor((total + 1) / 2.0) then days end)
            + min(case when up_to >= floor(total / 2.0) + 1 then days end)
        ) / 2.0 as decimal(38, 6)
    ) as numerator,
    cast(null as decimal(38, 6)) as denominator,
    cast(max(total) as bigint) as n,
    {#- Not sums but the bounds themselves: see order_statistics in fct_kpi_values. -#}
    {% set bounds = {
        'squares': 'case when low_rank >= 1 and up_to >= low_rank then days end',
        'products': 'case when low_rank >= 1 and up_to >= high_rank then days end'
    } %}
    {%- for column in spread_columns() %}
    cast({{ 'min(' ~ bounds[column] ~ ')' if column in bounds else 'null' }} as decimal(38, 6)) as {{ column }}
    {{- ',' if not loop.last }}
    {%- endfor %}
from bounded
group by {{ cell }}

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

{#- Months shown, the month of the as-of day among them, and the days after which a cohort of sales is judged. #}
{%- set months = 14 -%}
{%- set mature_days = 90 -%}
{%- set segments = [('all', "'all'"), ('channel_id', 'channel_id'), ('category', "coalesce(category, '(none)')")] -%}

with periods as (
    {%- for back in range(months) %}
    select
        as_of,
        month_start_on,
        cast({{ dbt.dateadd('month', -back, 'month_start_on') }} as date) as period_start
    from {{ snapshot_days() }} as days
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

lives as (
    select as_of, product_id, category from {{ ref('known_product_lives') }}
),

sold as (
    select
        sales.as_of,
        cast({{ dbt.date_trunc('month', 'sales.business_on') }} as date) as period_start,
        sales.channel_id,
        lives.category,
        sum(sales.units_sold) as units_sold,
        sum(sales.net_amount_base + sales.returned_amount_base) as sold_amount_base
    from {{ ref('known_sales_daily') }} as sales
    left join lives
        on sales.as_of = lives.as_of and sales.product_id = lives.product_id
    group by
        sales.as_of,
        cast({{ dbt.date_trunc('month', 'sales.business_on') }} as date),
        sales.channel_id,
        lives.category
),

{# A return counts twice: in the month it came back (cash), and in the month of the sale it belongs to (cohort). #}
returned as (
    {%- for basis, day in (('cash', 'returned_on'), ('sale_cohort', 'sold_on')) %}
    select
        returns.as_of,
        '{{ basis }}' as basis,
        cast({{ dbt.date_trunc('month', 'returns.' ~ day) }} as date) as period_start,
        returns.channel_id,
        lives.category,
        returns.kind,
        returns.match_method,
        returns.units,
        returns.amount_base,
        returns.days_to_return
    from {{ ref('known_returns') }} as returns
    left join lives
        on returns.as_of = lives.as_of and returns.product_id = lives.product_id
    where returns.{{ day }} is not null
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

sold_segments as (
    {%- for segment, value in segments %}
    select
        as_of, period_start, '{{ segment }}' as segment_type, {{ value }} as segment_value,
        sum(units_sold) as units_sold,
        sum(sold_amount_base) as sold_amount_base
    from sold
    group by as_of, period_start, {{ value if segment != 'all' else "'all'" }}
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

returned_segments as (
    {%- for segment, value in segments %}
    select
        as_of, basis, period_start, '{{ segment }}' as segment_type, {{ value }} as segment_value,
        count(*) as return_lines,
        sum(units) as units_returned,
        sum(case when kind = 'cancellation' then units else 0 end) as units_cancelled,
        sum(case when match_method <> 'none' then units else 0 end) as units_matched,
        sum(case when days_to_return <= {{ mature_days }} then units else 0 end) as units_returned_in_time,
        sum(amount_base) as returned_amount_base,
        percentile_cont(0.5) within group (order by days_to_return) as median_days_to_return
    from returned
    group by as_of, basis, period_start, {{ value if segment != 'all' else "'all'" }}
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

bases as (
    select 'cash' as basis
    union all
    select 'sale_cohort' as basis
),

{# Of a company that never told of a return, nothing is known of returns: it has no rows. #}
cells as (
    select sold_segments.as_of, bases.basis, sold_segments.period_start, segment_type, segment_value
    from sold_segments
    cross join bases
    where sold_segments.as_of in (select as_of from {{ ref('known_returns') }})
    union
    select as_of, basis, period_start, segment_type, segment_value
    from returned_segments
),

measured as (
    select
        cells.as_of,
        periods.month_start_on,
        cells.basis,
        cells.period_start,
        least({{ day_plus(dbt.dateadd('month', 1, 'cells.period_start'), -1) }}, cells.as_of) as period_end,
        cells.segment_type,
        cells.segment_value,
        coalesce(sold_segments.units_sold, 0) as units_sold,
        coalesce(sold_segments.sold_amount_base, 0) as sold_amount_base,
        coalesce(returned_segments.return_lines, 0) as return_lines,
        coalesce(returned_segments.units_returned, 0) as units_returned,
        coalesce(returned_segments.units_cancelled, 0) as units_cancelled,
        coalesce(returned_segments.units_matched, 0) as units_matched,
        coalesce(returned_segments.units_returned_in_time, 0) as units_returned_in_time,
        coalesce(returned_segments.returned_amount_base, 0) as returned_amount_base,
        returned_segments.median_days_to_return,
        {{ day_plus(dbt.dateadd('month', 1, 'cells.period_start'), mature_days - 1) }} <= cells.as_of as is_mature
    from cells
    inner join periods
        on cells.as_of = periods.as_of and cells.period_start = periods.period_start
    left join sold_segments
        on
            cells.as_of = sold_segments.as_of
            and cells.period_start = sold_segments.period_start
            and cells.segment_type = sold_segments.segment_type
            and cells.segment_value = sold_segments.segment_value
    left join returned_segments
        on
            cells.as_of = returned_segments.as_of
            and cells.basis = returned_segments.basis
            and cells.period_start = returned_segments.period_start
            and cells.segment_type = returned_segments.segment_type
            and cells.segment_value = returned_segments.segment_value
)

select
    as_of,
    month_start_on,
    basis,
    period_start,
    period_end,
    segment_type,
    segment_value,
    cast(units_sold as decimal(38, 6)) as units_sold,
    cast(sold_amount_base as decimal(38, 6)) as sold_amount_base,
    return_lines,
    cast(units_returned as decimal(38, 6)) as units_returned,
    cast(units_cancelled as decimal(38, 6)) as units_cancelled,
    cast(units_matched as decimal(38, 6)) as units_matched,
    cast(case when basis = 'sale_cohort' then units_returned_in_time end as decimal(38, 6)) as units_returned_90d,
    cast(returned_amount_base as decimal(38, 6)) as returned_amount_base,
    round(
        case
            when basis = 'cash' then cast(units_returned as double)
            when is_mature then cast(units_returned_in_time as double)
        end / nullif(cast(units_sold as double), 0),
        9
    ) as return_rate,
    round(
        case when basis = 'cash' or is_mature then cast(returned_amount_base as double) end
        / nullif(cast(sold_amount_base as double), 0),
        9
    ) as returned_amount_rate,
    round(cast(units_matched as double) / nullif(cast(units_returned as double), 0), 9) as matched_rate,
    round(median_days_to_return, 2) as median_days_to_return,
    case when basis = 'sale_cohort' then is_mature end as is_mature
from measured

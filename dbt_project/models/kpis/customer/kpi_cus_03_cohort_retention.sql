{%- set months_after = 3 -%}
{%- set all_time = 36500 -%}

with purchases as (
    select distinct
        customer_id,
        cast({{ dbt.date_trunc('month', 'business_on') }} as date) as bought_month,
        as_of_from,
        as_of_to
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', all_time) }} as lines
    where is_revenue and quantity > 0 and customer_id is not null
),

bought as (
    select customer_id, bought_month, as_of_from, as_of_to
    from {{ overlapping('purchases', ['customer_id', 'bought_month']) }} as months
),

periods as (
    select
        *,
        cast({{ dbt.dateadd('month', -months_after, 'period_start') }} as date) as cohort_month
    from {{ kpi_periods(['month']) }} as months
),

{# Whoever bought in the cohort's month: whether it was the first time, and whether they bought in the period. #}
customers as (
    select
        periods.as_of,
        periods.period_grain,
        periods.period_start,
        periods.period_end,
        bought.customer_id,
        min(others.bought_month) as first_month,
        max(others.bought_month) as last_month,
        periods.cohort_month
    from periods
    inner join bought
        on
            periods.cohort_month = bought.bought_month
            and bought.as_of_from <= periods.as_of
            and bought.as_of_to > periods.as_of
    inner join bought as others
        on
            bought.customer_id = others.customer_id
            and others.as_of_from <= periods.as_of
            and others.as_of_to > periods.as_of
            and others.bought_month <= periods.period_start
    group by
        periods.as_of,
        periods.period_grain,
        periods.period_start,
        periods.period_end,
        periods.cohort_month,
        bought.customer_id
)

select
    as_of,
    period_grain,
    period_start,
    period_end,
    'all' as segment_type,
    'all' as segment_value,
    cast(sum(case when last_month = period_start then 1 else 0 end) as decimal(38, 6)) as numerator,
    cast(count(*) as decimal(38, 6)) as denominator,
    cast(count(*) as bigint) as n,
    {{ no_spread() }}
from customers
where first_month = cohort_month
group by as_of, period_grain, period_start, period_end

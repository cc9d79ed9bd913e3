{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}
{%- set months_shown = 24 -%}

with orders as (
    select
        as_of,
        month_start_on,
        customer_id,
        bought_on,
        net_revenue_amount_base,
        cast({{ dbt.date_trunc('month', 'ordered_on') }} as date) as order_month_on
    from {{ ref('known_customer_orders') }}
),

customers as (
    select
        as_of,
        month_start_on,
        customer_id,
        cast({{ dbt.date_trunc('month', 'min(bought_on)') }} as date) as cohort_month_on
    from orders
    group by as_of, month_start_on, customer_id
    having count(bought_on) > 0
),

cohorts as (
    select
        as_of,
        month_start_on,
        cohort_month_on,
        count(*) as cohort_size,
        min(cohort_month_on) over (partition by as_of) as first_month_on
    from customers
    group by as_of, month_start_on, cohort_month_on
),

activity as (
    select
        orders.as_of,
        customers.cohort_month_on,
        {{ dbt.datediff('customers.cohort_month_on', 'orders.order_month_on', 'month') }} as months_since,
        count(distinct case when orders.bought_on is not null then orders.customer_id end) as active_customers,
        sum(orders.net_revenue_amount_base) as net_revenue_amount_base
    from orders
    inner join customers on orders.as_of = customers.as_of and orders.customer_id = customers.customer_id
    group by orders.as_of, customers.cohort_month_on, months_since
),

{# Every cohort has the months that the oldest has, so that the triangle is a rectangle with nulls in it. #}
cells as (
    select
        cohorts.*,
        later.months_since,
        {{ day_plus(dbt.dateadd('month', 'later.months_since + 1', 'cohorts.cohort_month_on'), -1) }} <= cohorts.as_of
            as is_mature
    from cohorts
    inner join (
        {%- for months in range(months_shown + 1) %}
        select {{ months }} as months_since{{ ' union all' if not loop.last }}
        {%- endfor %}
    ) as later
        on later.months_since <= {{ dbt.datediff('cohorts.first_month_on', 'cohorts.month_start_on', 'month') }}
)

select
    cells.as_of,
    cells.month_start_on,
    cells.cohort_month_on,
    cast(cells.months_since as integer) as months_since,
    cells.is_mature,
    cells.cohort_month_on = cells.first_month_on as is_first_month_of_data,
    cast(cells.cohort_size as bigint) as cohort_size,
    case when cells.is_mature then cast(coalesce(activity.active_customers, 0) as bigint) end as active_customers,
    case
        when cells.is_mature
            then round(cast(coalesce(activity.active_customers, 0) as double) / cast(cells.cohort_size as double), 6)
    end as retention_rate,
    case when cells.is_mature then {{ money('coalesce(activity.net_revenue_amount_base, 0)') }} end
        as net_revenue_amount_base
from cells
left join activity
    on
        cells.as_of = activity.as_of
        and cells.cohort_month_on = activity.cohort_month_on
        and cells.months_since = activity.months_since

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

with days as (
    select * from {{ snapshot_days() }} as newest
),

levels as (
    select
        days.as_of,
        days.month_start_on,
        versions.product_id,
        versions.location_id,
        versions.measured_on,
        versions.quantity_on_hand,
        versions.quantity_received,
        versions.quantity_issued,
        versions.unit_cost
    from days
    inner join {{ ref('int_inventory_levels_versioned') }} as versions
        on
            {{ is_known('versions', 'days') }}
            and versions.measured_on <= days.as_of
            and versions.measured_on >= {{ day_plus(
                dbt.dateadd('month', -1, 'days.month_start_on'), -assumed('trusted_count_days')
            ) }}
),

steps as (
    select
        *,
        cast({{ dbt.date_trunc('month', 'measured_on') }} as date) as stock_month_on,
        lag(quantity_on_hand) over series as quantity_before,
        lag(measured_on) over series as measured_before_on,
        row_number() over (
            partition by as_of, product_id, location_id, {{ dbt.date_trunc('month', 'measured_on') }}
            order by measured_on
        ) as day_no,
        row_number() over (
            partition by as_of, product_id, location_id, {{ dbt.date_trunc('month', 'measured_on') }}
            order by measured_on desc
        ) as day_no_back
    from levels
    window series as (partition by as_of, product_id, location_id order by measured_on)
),

{# A step can be checked from one day to the next only: over a day that nobody counted, movements are missing too. #}
checked as (
    select
        *,
        case
            when
                measured_before_on = {{ day_plus('measured_on', -1) }}
                and (quantity_received is not null or quantity_issued is not null)
                then
                    quantity_on_hand - quantity_before
                    - coalesce(quantity_received, 0) + coalesce(quantity_issued, 0)
        end as quantity_gap
    from steps
    where stock_month_on >= cast({{ dbt.dateadd('month', -1, 'month_start_on') }} as date)
)

select
    as_of,
    month_start_on,
    stock_month_on,
    product_id,
    location_id,
    cast(count(*) as bigint) as days_counted,
    cast(sum(case when quantity_gap is not null then 1 else 0 end) as bigint) as days_checked,
    cast(sum(case when quantity_gap <> 0 then 1 else 0 end) as bigint) as days_with_gap,
    cast(max(case when day_no = 1 then quantity_before end) as decimal(18, 3)) as quantity_open,
    cast(sum(coalesce(quantity_received, 0)) as decimal(28, 3)) as quantity_received,
    cast(sum(coalesce(quantity_issued, 0)) as decimal(28, 3)) as quantity_issued,
    cast(max(case when day_no_back = 1 then quantity_on_hand end) as decimal(18, 3)) as quantity_close,
    cast(sum(quantity_gap) as decimal(28, 3)) as quantity_unexplained,
    cast(sum(abs(quantity_gap)) as decimal(28, 3)) as quantity_unexplained_gross,
    cast(sum({{ times('quantity_gap', 'unit_cost') }}) as decimal(28, 4)) as value_unexplained_base,
    case
        when sum(case when quantity_gap is null then 1 else 0 end) > 0 then null
        else max(case when day_no_back = 1 then quantity_on_hand end) = (
            max(case when day_no = 1 then quantity_before end)
            + sum(coalesce(quantity_received, 0)) - sum(coalesce(quantity_issued, 0))
        )
    end as is_closed
from checked
group by as_of, month_start_on, stock_month_on, product_id, location_id

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

{%- set buckets = [
    [0, 3, '0-3 days'], [4, 7, '4-7 days'], [8, 14, '8-14 days'], [15, 21, '15-21 days'], [22, 30, '22-30 days'],
    [31, 60, '31-60 days'], [61, none, 'over 60 days'],
] %}
with days as (
    select * from {{ snapshot_days() }} as newest
),

lines as (
    select
        days.month_start_on,
        known.*,
        {{ dbt.datediff(
            'coalesce(known.confirmed_on, known.ordered_on)', 'coalesce(known.received_on, known.as_of)', 'day'
        ) }} as lead_days
    from {{ purchase_lines_known('days') }} as known
    inner join days
        on known.as_of = days.as_of
    where known.is_received or known.is_open_late
),

bucketed as (
    select
        *,
        case
            {%- for first, last, name in buckets %}
            {{ 'else ' ~ loop.index if last is none else 'when lead_days <= ' ~ last ~ ' then ' ~ loop.index }}
            {%- endfor %}
        end as bucket_no
    from lines
),

counted as (
    select
        as_of,
        month_start_on,
        supplier_id,
        bucket_no,
        sum(case when is_received then 1 else 0 end) as lines_received,
        sum(case when is_open_late then 1 else 0 end) as lines_still_open,
        sum(case when is_received and received_on > promised_on then 1 else 0 end) as lines_received_late
    from bucketed
    group by as_of, month_start_on, supplier_id, bucket_no
)

select
    counted.as_of,
    counted.month_start_on,
    counted.supplier_id,
    suppliers.supplier_name,
    cast(counted.bucket_no as bigint) as bucket_no,
    case counted.bucket_no
        {%- for first, last, name in buckets %} when {{ loop.index }} then '{{ name }}'{% endfor %}
    end as lead_time_bucket,
    cast(counted.lines_received as bigint) as lines_received,
    cast(counted.lines_received_late as bigint) as lines_received_late,
    cast(counted.lines_still_open as bigint) as lines_still_open,
    round(
        cast(counted.lines_received as double)
        / nullif(sum(counted.lines_received) over (partition by counted.as_of, counted.supplier_id), 0),
        6
    ) as share_of_received,
    round(
        cast(
            sum(counted.lines_received) over (
                partition by counted.as_of, counted.supplier_id order by counted.bucket_no
            ) as double
        )
        / nullif(sum(counted.lines_received) over (partition by counted.as_of, counted.supplier_id), 0),
        6
    ) as cumulative_share
from counted
left join {{ ref('int_suppliers_versioned') }} as suppliers
    on counted.supplier_id = suppliers.supplier_id and {{ is_known('suppliers', 'counted') }}

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

lines as (
    select
        days.month_start_on,
        known.*,
        cast(greatest(known.quantity_ordered - known.quantity_received, 0) as decimal(18, 3)) as quantity_outstanding,
        {{ to_base('known.ordered_amount', 'rates') }} as ordered_amount_base
    from {{ purchase_lines_known('days') }} as known
    inner join days
        on known.as_of = days.as_of
    left join ({{ known_base_rates('days') }}) as rates
        on known.as_of = rates.as_of and {{ rate_of_day('rates', 'known.currency', 'known.ordered_on') }}
    where known.is_open
)

select
    lines.as_of,
    lines.month_start_on,
    lines.po_id,
    lines.line_no,
    lines.supplier_id,
    suppliers.supplier_name,
    lines.product_id,
    lines.location_id,
    lines.ordered_on,
    lines.confirmed_on,
    lines.confirmed_on is not null as is_confirmed,
    lines.promised_on,
    lines.last_promised_on,
    cast(lines.quantity_ordered as decimal(18, 3)) as quantity_ordered,
    cast(case when lines.confirmed_on is not null then lines.quantity_ordered else 0 end as decimal(18, 3))
        as quantity_confirmed,
    cast(lines.quantity_received as decimal(18, 3)) as quantity_received,
    lines.quantity_outstanding,
    cast(
        cast(lines.ordered_amount_base as double) * cast(lines.quantity_outstanding as double)
        / nullif(cast(lines.quantity_ordered as double), 0)
        as decimal(18, 4)
    ) as outstanding_amount_base,
    cast({{ dbt.datediff('lines.ordered_on', 'lines.as_of', 'day') }} as bigint) as age_days,
    cast(greatest({{ dbt.datediff('lines.promised_on', 'lines.as_of', 'day') }}, 0) as bigint) as days_past_promise,
    lines.is_open_late as is_past_promise,
    lines.last_promised_on > lines.promised_on as is_promised_anew,
    cast(scores.lead_time_p50_days as bigint) as supplier_lead_time_p50_days,
    {{ day_plus(
        'coalesce(lines.confirmed_on, lines.ordered_on)', 'scores.lead_time_p50_days'
    ) }} as usual_arrival_on
from lines
left join {{ ref('int_suppliers_versioned') }} as suppliers
    on lines.supplier_id = suppliers.supplier_id and {{ is_known('suppliers', 'lines') }}
left join {{ ref('supplier_scores') }} as scores
    on lines.as_of = scores.as_of and lines.supplier_id = scores.supplier_id

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

with supplier_values as (
    select measured.*
    from {{ ref('fct_kpi_values') }} as measured
    inner join {{ source('ops', 'build_scope') }} as scope
        on measured.as_of = scope.as_of
    where measured.segment_type = 'supplier_id' and measured.period_grain = 'trailing_365d'
),

performance as (
    select
        as_of,
        segment_value as supplier_id,
        max(case when kpi_id = 'SUP-01' then n end) as lines_due,
        max(case when kpi_id = 'SUP-01' then numerator end) as lines_on_time_in_full,
        max(case when kpi_id = 'SUP-01' then value end) as otif,
        max(case when kpi_id = 'SUP-01' then ci_low end) as otif_low,
        max(case when kpi_id = 'SUP-01' then ci_high end) as otif_high,
        max(case when kpi_id = 'SUP-04' then n end) as lines_received,
        max(case when kpi_id = 'SUP-02' then value end) as lead_time_days,
        max(case when kpi_id = 'SUP-04' then denominator end) as units_received,
        max(case when kpi_id = 'SUP-04' then value end) as defect_ppm,
        max(case when kpi_id = 'SUP-05' then value end) as purchase_price_variance
    from supplier_values
    group by as_of, segment_value
)

select
    performance.as_of,
    performance.supplier_id,
    suppliers.supplier_name,
    cast(coalesce(performance.lines_due, 0) as bigint) as lines_due,
    cast(performance.lines_on_time_in_full as bigint) as lines_on_time_in_full,
    performance.otif,
    performance.otif_low,
    performance.otif_high,
    cast(coalesce(performance.lines_received, 0) as bigint) as lines_received,
    performance.lead_time_days,
    performance.units_received,
    performance.defect_ppm,
    performance.purchase_price_variance
from performance
left join {{ ref('int_suppliers_versioned') }} as suppliers
    on
        performance.supplier_id = suppliers.supplier_id
        and suppliers.known_from <= performance.as_of
        and (suppliers.known_to is null or suppliers.known_to > performance.as_of)

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

{%- set headlines = {
    'net_revenue_month_to_date': ('SAL-01', 'month_to_date'),
    'gross_margin_month_to_date': ('SAL-02', 'month_to_date'),
    'average_order_value_month_to_date': ('SAL-03', 'month_to_date'),
    'discount_rate_month_to_date': ('SAL-06', 'month_to_date'),
    'active_customers_90d': ('CUS-01', 'trailing_90d'),
    'repeat_purchase_rate_365d': ('CUS-02', 'trailing_365d'),
    'nps_90d': ('FBK-01', 'trailing_90d'),
    'csat_90d': ('FBK-02', 'trailing_90d'),
    'supplier_otif_90d': ('SUP-01', 'trailing_90d'),
    'supplier_lead_time_days_90d': ('SUP-02', 'trailing_90d'),
    'supplier_defect_ppm_90d': ('SUP-04', 'trailing_90d'),
    'purchase_price_variance_90d': ('SUP-05', 'trailing_90d'),
    'days_of_supply': ('INV-02', 'as_of'),
    'stock_out_rate_28d': ('INV-04', 'trailing_28d'),
    'forecast_wape_28d': ('FCS-01', 'trailing_28d'),
    'forecast_bias_28d': ('FCS-02', 'trailing_28d'),
    'forecast_value_added_28d': ('FCS-04', 'trailing_28d'),
    'interval_coverage_28d': ('FCS-05', 'trailing_28d'),
    'freshness_hours': ('DAT-01', 'as_of'),
    'quarantine_rate_28d': ('DAT-02', 'trailing_28d'),
    'reconciliation_gap_28d': ('DAT-03', 'trailing_28d'),
} %}

with headline_values as (
    select as_of, kpi_id, period_grain, period_end, value, n, ci_low, ci_high
    from {{ ref('fct_kpi_values') }}
    where segment_type = 'all'
),

{# The last day with known sales: deliveries may lag, so it need not be the as-of day. #}
last_days as (
    select
        as_of,
        period_end as last_sales_on,
        value as net_revenue_last_day,
        row_number() over (partition by as_of order by period_end desc) as recency
    from headline_values
    where kpi_id = 'SAL-01' and period_grain = 'day'
),

side_by_side as (
    select
        as_of,
        {%- for column, (kpi, grain) in headlines.items() %}
        max(case when kpi_id = '{{ kpi }}' and period_grain = '{{ grain }}' then value end) as {{ column }},
        {%- endfor %}
        max(case when kpi_id = 'FBK-01' then n end) as nps_answers_90d,
        max(case when kpi_id = 'FBK-01' then ci_low end) as nps_90d_low,
        max(case when kpi_id = 'FBK-01' then ci_high end) as nps_90d_high
    from headline_values
    group by as_of
)

select
    scope.as_of,
    last_days.last_sales_on,
    last_days.net_revenue_last_day,
    {%- for column in headlines %}
    side_by_side.{{ column }},
    {%- endfor %}
    side_by_side.nps_answers_90d,
    side_by_side.nps_90d_low,
    side_by_side.nps_90d_high
from {{ source('ops', 'build_scope') }} as scope
left join side_by_side
    on scope.as_of = side_by_side.as_of
left join last_days
    on scope.as_of = last_days.as_of and last_days.recency = 1

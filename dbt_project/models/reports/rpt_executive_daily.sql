{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

{#- Column: KPI, grain and, of whole periods, how many before the current one. -#}
{%- set headlines = {
    'net_revenue_month_to_date': ('SAL-01', 'month_to_date', 0),
    'net_revenue_growth_month_to_date': ('SAL-04', 'month_to_date', 0),
    'net_revenue_year_to_date': ('SAL-01', 'year_to_date', 0),
    'net_revenue_growth_year_to_date': ('SAL-04', 'year_to_date', 0),
    'net_revenue_last_week': ('SAL-01', 'week', 1),
    'net_revenue_week_before': ('SAL-01', 'week', 2),
    'net_revenue_growth_last_week': ('SAL-04', 'week', 1),
    'net_revenue_last_month': ('SAL-01', 'month', 1),
    'net_revenue_month_before': ('SAL-01', 'month', 2),
    'net_revenue_growth_last_month': ('SAL-04', 'month', 1),
    'net_revenue_last_quarter': ('SAL-01', 'quarter', 1),
    'net_revenue_growth_last_quarter': ('SAL-04', 'quarter', 1),
    'gross_margin_month_to_date': ('SAL-02', 'month_to_date', 0),
    'gross_margin_last_month': ('SAL-02', 'month', 1),
    'gross_margin_month_before': ('SAL-02', 'month', 2),
    'average_order_value_month_to_date': ('SAL-03', 'month_to_date', 0),
    'average_order_value_last_month': ('SAL-03', 'month', 1),
    'average_order_value_month_before': ('SAL-03', 'month', 2),
    'discount_rate_month_to_date': ('SAL-06', 'month_to_date', 0),
    'discount_rate_last_month': ('SAL-06', 'month', 1),
    'discount_rate_month_before': ('SAL-06', 'month', 2),
    'return_rate_365d': ('SAL-05', 'trailing_365d', 0),
    'new_product_vitality_365d': ('SAL-07', 'trailing_365d', 0),
    'active_customers_90d': ('CUS-01', 'trailing_90d', 0),
    'repeat_purchase_rate_365d': ('CUS-02', 'trailing_365d', 0),
    'nps_90d': ('FBK-01', 'trailing_90d', 0),
    'csat_90d': ('FBK-02', 'trailing_90d', 0),
    'csat_last_month': ('FBK-02', 'month', 1),
    'csat_month_before': ('FBK-02', 'month', 2),
    'supplier_otif_90d': ('SUP-01', 'trailing_90d', 0),
    'supplier_otif_last_month': ('SUP-01', 'month', 1),
    'supplier_otif_month_before': ('SUP-01', 'month', 2),
    'supplier_lead_time_days_90d': ('SUP-02', 'trailing_90d', 0),
    'supplier_defect_ppm_90d': ('SUP-04', 'trailing_90d', 0),
    'purchase_price_variance_90d': ('SUP-05', 'trailing_90d', 0),
    'days_of_supply': ('INV-02', 'as_of', 0),
    'stock_out_rate_28d': ('INV-04', 'trailing_28d', 0),
    'supplier_score_365d': ('SUP-07', 'trailing_365d', 0),
    'single_source_spend_365d': ('SUP-06', 'trailing_365d', 0),
    'inventory_turns_365d': ('INV-01', 'trailing_365d', 0),
    'excess_and_obsolete_share': ('INV-05', 'as_of', 0),
    'gmroi_365d': ('INV-06', 'trailing_365d', 0),
    'churn_month_to_date': ('CUS-04', 'month_to_date', 0),
    'customer_lifetime_value': ('CUS-05', 'as_of', 0),
    'forecast_mase_28d': ('FCS-03', 'trailing_28d', 0),
    'tracking_signal_28d': ('FCS-06', 'trailing_28d', 0),
    'forecast_wape_28d': ('FCS-01', 'trailing_28d', 0),
    'forecast_bias_28d': ('FCS-02', 'trailing_28d', 0),
    'forecast_value_added_28d': ('FCS-04', 'trailing_28d', 0),
    'interval_coverage_28d': ('FCS-05', 'trailing_28d', 0),
    'freshness_hours': ('DAT-01', 'as_of', 0),
    'quarantine_rate_28d': ('DAT-02', 'trailing_28d', 0),
    'reconciliation_gap_28d': ('DAT-03', 'trailing_28d', 0),
    'restatement_rate_28d': ('DAT-04', 'trailing_28d', 0),
} -%}
{#- Column: the newer and the older of two headlines, compared as amounts (by how much of the older) or as shares (points). -#}
{%- set changes = {
    'net_revenue_change_last_week': ('net_revenue_last_week', 'net_revenue_week_before', 'amount'),
    'net_revenue_change_last_month': ('net_revenue_last_month', 'net_revenue_month_before', 'amount'),
    'gross_margin_change_last_month': ('gross_margin_last_month', 'gross_margin_month_before', 'share'),
    'average_order_value_change_last_month':
        ('average_order_value_last_month', 'average_order_value_month_before', 'amount'),
    'discount_rate_change_last_month': ('discount_rate_last_month', 'discount_rate_month_before', 'share'),
    'csat_change_last_month': ('csat_last_month', 'csat_month_before', 'share'),
    'supplier_otif_change_last_month': ('supplier_otif_last_month', 'supplier_otif_month_before', 'share'),
} -%}
{#- Column: which row of the ledger it is. -#}
{%- set conditions = {} -%}
{%- for column, (kpi, grain, back) in headlines.items() -%}
    {%- set starts_on = dbt.dateadd(grain, -back, dbt.date_trunc(grain, day_plus('as_of', 1))) if back -%}
    {%- set of_period = " and period_start = cast(" ~ starts_on ~ " as date)" if back else '' -%}
    {%- do conditions.update({column: "kpi_id = '" ~ kpi ~ "' and period_grain = '" ~ grain ~ "'" ~ of_period}) -%}
{%- endfor %}

with headline_values as (
    select as_of, kpi_id, period_grain, period_start, period_end, value, n, is_insufficient_data, ci_low, ci_high
    from {{ ref('fct_kpi_values') }}
    where segment_type = 'all' and as_of in (select as_of from {{ source('ops', 'build_scope') }})
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
        {%- for column, condition in conditions.items() %}
        max(case when {{ condition }} and not is_insufficient_data then value end) as {{ column }},
        {%- endfor %}
        nullif(
            concat_ws(
                ', ',
                {%- for column, condition in conditions.items() %}
                max(case when {{ condition }} and is_insufficient_data then '{{ column }}' end){{ ',' if not loop.last }}
                {%- endfor %}
            ),
            ''
        ) as insufficient_columns,
        max(case when kpi_id = 'FBK-01' and period_grain = 'trailing_90d' then n end) as nps_answers_90d,
        max(case when kpi_id = 'FBK-01' and period_grain = 'trailing_90d' and not is_insufficient_data then ci_low end) as nps_90d_low,
        max(case when kpi_id = 'FBK-01' and period_grain = 'trailing_90d' and not is_insufficient_data then ci_high end) as nps_90d_high
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
    {%- for column, (newer, older, kind) in changes.items() %}
    round(
        {%- if kind == 'amount' %}
        side_by_side.{{ newer }} / nullif(side_by_side.{{ older }}, 0) - 1,
        {%- else %}
        side_by_side.{{ newer }} - side_by_side.{{ older }},
        {%- endif %}
        6
    ) as {{ column }},
    {%- endfor %}
    side_by_side.nps_answers_90d,
    side_by_side.nps_90d_low,
    side_by_side.nps_90d_high,
    side_by_side.insufficient_columns
from {{ source('ops', 'build_scope') }} as scope
left join side_by_side
    on scope.as_of = side_by_side.as_of
left join last_days
    on scope.as_of = last_days.as_of and last_days.recency = 1

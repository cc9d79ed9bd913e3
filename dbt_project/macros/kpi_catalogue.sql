{#
    The KPI catalogue: which models are KPIs, and what their yml says of them. A KPI is a model kpi_<area>_<number>_<name>
    with its yml beside it and its name in this list (a test compares the list with the folder).
#}
{% macro kpi_models() -%}
    {{ return([
        'kpi_sal_01_net_revenue',
        'kpi_sal_02_gross_margin',
        'kpi_sal_03_average_order_value',
        'kpi_sal_04_revenue_growth',
        'kpi_sal_05_return_rate',
        'kpi_sal_06_discount_rate',
        'kpi_sal_07_new_product_vitality',
        'kpi_cus_01_active_customers',
        'kpi_cus_02_repeat_purchase_rate',
        'kpi_cus_03_cohort_retention',
        'kpi_cus_04_churn',
        'kpi_cus_05_lifetime_value',
        'kpi_fbk_01_nps',
        'kpi_fbk_02_csat',
        'kpi_fbk_04_negative_topic_share',
        'kpi_sup_01_otif',
        'kpi_sup_02_lead_time',
        'kpi_sup_03_lead_time_cv',
        'kpi_sup_04_defect_ppm',
        'kpi_sup_05_purchase_price_variance',
        'kpi_sup_06_single_source_spend',
        'kpi_sup_07_supplier_score',
        'kpi_inv_01_turns',
        'kpi_inv_02_days_of_supply',
        'kpi_inv_02b_days_of_supply_historical',
        'kpi_inv_03_unit_fill_rate',
        'kpi_inv_04_stock_out_rate',
        'kpi_inv_05_excess_and_obsolete',
        'kpi_inv_06_gmroi',
        'kpi_inv_07_lost_sales',
        'kpi_ful_02_customer_on_time',
        'kpi_ful_03_order_cycle_time',
        'kpi_fcs_01_wape',
        'kpi_fcs_02_bias',
        'kpi_fcs_03_mase',
        'kpi_fcs_04_forecast_value_added',
        'kpi_fcs_05_interval_coverage',
        'kpi_fcs_06_tracking_signal',
        'kpi_dat_01_freshness',
        'kpi_dat_02_quarantine_rate',
        'kpi_dat_03_reconciliation_gap',
        'kpi_dat_04_restatement_rate',
    ]) }}
{%- endmacro %}


{# SAL-01 of kpi_sal_01_net_revenue. #}
{% macro kpi_id(model) -%}
    {%- set parts = model.split('_') -%}
    {{ return((parts[1] ~ '-' ~ parts[2]) | upper) }}
{%- endmacro %}


{% macro kpi_meta(model) -%}
    {%- set node = graph.nodes.get('model.' ~ project_name ~ '.' ~ model) if execute -%}
    {{ return(node.config.meta if node else {}) }}
{%- endmacro %}


{% macro text_or_null(value) -%}
    {%- if value is none or value is undefined -%} cast(null as {{ dbt.type_string() }})
    {%- else -%} {{ dbt.string_literal(dbt.escape_single_quotes(value | string | trim)) }}
    {%- endif -%}
{%- endmacro %}


{# The KPI values of every period and segment as of one day: the newest that has one, beside what was reported first, or
   the oldest. #}
{% macro reported_values(as_of) -%}
{%- set period = 'partition by kpi_id, period_grain, period_start, period_end, segment_type, segment_value' -%}
with ranked as (
    select
        *,
        {%- if as_of == 'newest' %}
        first_value(value) over ({{ period }} order by as_of) as first_value,
        min(as_of) over ({{ period }}) as first_as_of,
        {%- endif %}
        row_number() over ({{ period }} order by as_of{{ ' desc' if as_of == 'newest' }}) as choice
    from {{ ref('fct_kpi_values') }}
)

select
    ranked.kpi_id,
    kpis.title,
    kpis.unit,
    ranked.period_grain,
    ranked.period_start,
    ranked.period_end,
    ranked.segment_type,
    ranked.segment_value,
    ranked.as_of,
    ranked.value,
    ranked.numerator,
    ranked.denominator,
    ranked.n,
    ranked.is_insufficient_data,
    ranked.ci_low,
    ranked.ci_high
    {%- if as_of == 'newest' %},
    ranked.first_as_of,
    ranked.first_value,
    ranked.value is distinct from ranked.first_value as is_restated
    {%- endif %}
from ranked
inner join {{ ref('dim_kpis') }} as kpis
    on ranked.kpi_id = kpis.kpi_id
where ranked.choice = 1
{%- endmacro %}

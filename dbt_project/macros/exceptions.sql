{# What the models of rpt_exceptions share. Each names what is out of order as of each day of the scope, in these columns. #}

{% macro exception_models() -%}
    {{ return([
        'exc_feedback_topics',
        'exc_goals',
        'exc_kpi_anomalies',
        'exc_purchase_orders',
        'exc_quarantine',
        'exc_stock',
        'exc_suppliers',
    ]) }}
{%- endmacro %}

{# Where to look, as text: column=value, ... of the evidence table. #}
{% macro evidence_key(columns) -%}
    {%- set parts = [] -%}
    {%- for name, value in columns.items() -%}
        {%- do parts.append("'" ~ (', ' if not loop.first else '') ~ name ~ "='") -%}
        {%- do parts.append('cast(' ~ value ~ ' as ' ~ dbt.type_string() ~ ')') -%}
    {%- endfor -%}
    {{ dbt.concat(parts) }}
{%- endmacro %}

{# Condition: two relations speak of the same goal; of a default target the window moves with the day. #}
{% macro same_goal(left, right) -%}
    {{ same_key(left, right, ['kpi_id', 'segment_type', 'segment_value', 'since', 'until']) }}
{%- endmacro %}

{# Spelled in SQL, so that no locale of an engine decides how a month is called. #}

{% macro calendar_name(number, names) -%}
    case {{ number }}{% for name in names %} when {{ loop.index }} then '{{ name }}'{% endfor %} end
{%- endmacro %}

{% macro two_digits(number) -%}
    substr(cast(100 + {{ number }} as {{ dbt.type_string() }}), 2, 2)
{%- endmacro %}

{# The Monday of the week of a day. #}
{% macro week_of(day) -%}
    cast({{ dbt.date_trunc('week', day) }} as date)
{%- endmacro %}

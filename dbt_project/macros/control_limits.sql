{# How a day is judged by the days before it: without its weekday, and by the limits of an individuals chart. #}

{# 0 for Monday to 6 for Sunday, on every engine: 1900-01-01 was a Monday, and no day here is older. #}
{% macro weekday_of(day) -%}
    mod({{ dbt.datediff("date '1900-01-01'", day, 'day') }}, 7)
{%- endmacro %}

{# What is left of a value without its weekday: of a ratio the difference, of a sum the logarithm of the factor, so that
   half and double are equally far. A hundredth of the usual is added, so that nothing at all is far, not infinitely so. #}
{% macro weekless(value, usual) -%}
    case
        when kpis.aggregation <> 'sum' then {{ value }} - {{ usual }}
        when {{ usual }} > 0 then ln((greatest({{ value }}, 0) / {{ usual }} + 0.01) / 1.01)
    end
{%- endmacro %}

{# Mean and 2.66 mean moving ranges of such values (Wheeler, Understanding Variation), as a value of the weekday. #}
{% macro control_limit(sign) -%}
    case
        when is_sum then expected * (1.01 * exp(mean_deviation {{ sign }} 2.66 * mean_moving_range) - 0.01)
        else expected + mean_deviation {{ sign }} 2.66 * mean_moving_range
    end
{%- endmacro %}

{# KPIs of a year on the stock. #}

{# Two measures of stock_turns, each an expression of doubles, one over the other. #}
{% macro ratio_of_stock(numerator, denominator) -%}
select
    as_of,
    'trailing_365d' as period_grain,
    {{ day_plus('as_of', -364) }} as period_start,
    as_of as period_end,
    'all' as segment_type,
    'all' as segment_value,
    cast({{ numerator }} as decimal(38, 6)) as numerator,
    cast({{ denominator }} as decimal(38, 6)) as denominator,
    days_counted as n,
    {{ no_spread() }}
from {{ ref('stock_turns') }}
where cost_base > 0 and average_value_base > 0
{%- endmacro %}

{# What the stock brought in, of a column of stock_turns, brought to a whole year, per unit of its average value. #}
{% macro per_stock_value(measure) -%}
{{ ratio_of_stock('cast(' ~ measure ~ ' as double) * 365 / days_spanned', 'cast(average_value_base as double)') }}
{%- endmacro %}

{#
    Rows of a forecast KPI: grades of the forecasts that stood, over the targets of the 28 days up to the as-of day; all
    horizons together, and the horizon at which orders are decided. The expressions are over the columns of `table`, one
    of the models' tables of grades. Rows of which nothing was graded, as stock ran out, are no facts.
#}
{% macro forecast_values(numerator, denominator, table='forecast_accuracy', n='n') -%}
{%- set decision_horizon_days = 7 -%}

with facts as (
    select
        as_of as as_of_from,
        {{ day_plus('as_of', 1) }} as as_of_to,
        case when horizon_days = {{ decision_horizon_days }} then horizon_days end as horizon_days,
        cast({{ numerator }} as decimal(38, 6)) as numerator,
        cast({{ denominator }} as decimal(38, 6)) as denominator,
        {{ n }} as n
    from {{ source('ml', table) }}
    where model = 'selected' and {{ n }} > 0
)

{{ kpi_values('facts', ['trailing_28d'], segments=['horizon_days'], is_dated=false) }}
{%- endmacro %}

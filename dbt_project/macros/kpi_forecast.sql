{#
    Rows of a forecast KPI: grades of the forecasts that stood, over the targets of the 28 days up to the as-of day; all
    horizons together, and the horizon at which orders are decided. The expressions are over the columns of
    ml.forecast_accuracy and `naive_abs_error_quantity`, the error of the seasonal-naive forecasts of the same targets.
#}
{% macro forecast_values(numerator, denominator) -%}
{%- set decision_horizon_days = 7 -%}

with selected as (
    select *
    from {{ source('ml', 'forecast_accuracy') }}
    where model = 'selected'
),

naive as (
    select as_of, horizon_days, n, abs_error_quantity as naive_abs_error_quantity
    from {{ source('ml', 'forecast_accuracy') }}
    where model = 'seasonal_naive'
),

graded as (
    select selected.*, naive.naive_abs_error_quantity
    from selected
    {# A grade of other targets is no yardstick, so the two must have graded equally many. #}
    left join naive
        on
            selected.as_of = naive.as_of
            and selected.horizon_days = naive.horizon_days
            and selected.n = naive.n
),

facts as (
    select
        as_of as as_of_from,
        {{ day_plus('as_of', 1) }} as as_of_to,
        case when horizon_days = {{ decision_horizon_days }} then horizon_days end as horizon_days,
        cast({{ numerator }} as decimal(38, 6)) as numerator,
        cast({{ denominator }} as decimal(38, 6)) as denominator,
        n
    from graded
    where {{ numerator }} is not null
)

{{ kpi_values('facts', ['trailing_28d'], segments=['horizon_days'], is_dated=false) }}
{%- endmacro %}

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

with grades as (
    select
        accuracy.as_of,
        accuracy.model,
        sum(accuracy.n) as forecasts,
        sum(accuracy.out_of_stock_count) as out_of_stock_forecasts,
        sum(cast(accuracy.actual_quantity as decimal(38, 6))) as actual_quantity,
        sum(cast(accuracy.forecast_quantity as decimal(38, 6))) as forecast_quantity,
        sum(cast(accuracy.abs_error_quantity as decimal(38, 6))) as abs_error_quantity,
        sum(accuracy.inside_interval_count) as inside_interval_count
    from {{ source('ml', 'forecast_accuracy') }} as accuracy
    inner join {{ source('ops', 'build_scope') }} as scope
        on accuracy.as_of = scope.as_of
    group by accuracy.as_of, accuracy.model
),

naive as (
    select as_of, forecasts, abs_error_quantity
    from grades
    where model = 'seasonal_naive'
)

select
    grades.as_of,
    grades.model,
    cast(grades.forecasts as bigint) as forecasts,
    cast(grades.out_of_stock_forecasts as bigint) as out_of_stock_forecasts,
    grades.actual_quantity,
    grades.forecast_quantity,
    grades.abs_error_quantity,
    cast(grades.abs_error_quantity as double) / nullif(cast(grades.actual_quantity as double), 0) as wape,
    cast(grades.forecast_quantity - grades.actual_quantity as double)
    / nullif(cast(grades.actual_quantity as double), 0) as bias,
    cast(grades.inside_interval_count as double) / nullif(grades.forecasts, 0) as interval_coverage,
    {# Only where the baseline graded the same targets. #}
    cast(naive.abs_error_quantity - grades.abs_error_quantity as double)
    / nullif(cast(grades.actual_quantity as double), 0) as forecast_value_added
from grades
left join naive
    on grades.as_of = naive.as_of and grades.forecasts = naive.forecasts

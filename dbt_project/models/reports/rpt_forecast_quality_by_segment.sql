{% set segments = ['horizon_days', 'abc', 'xyz', 'demand_class'] %}
{% set least_forecasts = 100 %}
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

with grades as (
    select accuracy.*
    from {{ source('ml', 'forecast_accuracy') }} as accuracy
    inner join {{ source('ops', 'build_scope') }} as scope
        on accuracy.as_of = scope.as_of
),

added as (
    select value_added.*
    from {{ source('ml', 'forecast_value_added') }} as value_added
    inner join {{ source('ops', 'build_scope') }} as scope
        on value_added.as_of = scope.as_of
),

summed as (
    {%- for segment in segments %}
    select
        as_of,
        model,
        '{{ segment }}' as segment_type,
        cast({{ segment }} as {{ dbt.type_string() }}) as segment_value,
        cast(sum(n) as bigint) as forecasts,
        cast(sum(out_of_stock_count) as bigint) as out_of_stock_forecasts,
        sum(actual_quantity) as actual_quantity,
        sum(forecast_quantity) as forecast_quantity,
        sum(abs_error_quantity) as abs_error_quantity,
        sum(pinball_quantity) as pinball_quantity,
        cast(sum(inside_interval_count) as bigint) as inside_interval_count,
        sum(scaled_abs_error_quantity) as scaled_abs_error_quantity,
        sum(abs_scale_quantity) as abs_scale_quantity,
        sum(scaled_square_error) as scaled_square_error,
        sum(square_scale) as square_scale
    from grades
    group by as_of, model, {{ segment }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

compared as (
    {%- for segment in segments %}
    select
        as_of,
        model,
        '{{ segment }}' as segment_type,
        cast({{ segment }} as {{ dbt.type_string() }}) as segment_value,
        cast(sum(n) as bigint) as compared_forecasts,
        sum(actual_quantity) as compared_quantity,
        sum(abs_error_quantity) as compared_abs_error_quantity,
        sum(naive_abs_error_quantity) as naive_abs_error_quantity
    from added
    group by as_of, model, {{ segment }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select
    summed.as_of,
    summed.model,
    summed.segment_type,
    summed.segment_value,
    summed.forecasts,
    summed.out_of_stock_forecasts,
    cast(summed.actual_quantity as decimal(38, 6)) as actual_quantity,
    cast(summed.forecast_quantity as decimal(38, 6)) as forecast_quantity,
    cast(summed.abs_error_quantity as decimal(38, 6)) as abs_error_quantity,
    cast(summed.abs_error_quantity as double) / nullif(cast(summed.actual_quantity as double), 0) as wape,
    cast(summed.forecast_quantity - summed.actual_quantity as double)
    / nullif(cast(summed.actual_quantity as double), 0) as bias,
    cast(summed.scaled_abs_error_quantity as double) / nullif(cast(summed.abs_scale_quantity as double), 0) as mase,
    sqrt(cast(summed.scaled_square_error as double) / nullif(cast(summed.square_scale as double), 0)) as rmsse,
    2.0 / 3 * cast(summed.pinball_quantity as double)
    / nullif(cast(summed.actual_quantity as double), 0) as weighted_quantile_loss,
    cast(summed.inside_interval_count as double) / nullif(summed.forecasts, 0) as interval_coverage,
    compared.compared_forecasts,
    cast(compared.compared_quantity as decimal(38, 6)) as compared_quantity,
    cast(compared.compared_abs_error_quantity as decimal(38, 6)) as compared_abs_error_quantity,
    cast(compared.naive_abs_error_quantity as decimal(38, 6)) as naive_abs_error_quantity,
    cast(compared.naive_abs_error_quantity - compared.compared_abs_error_quantity as double)
    / nullif(cast(compared.compared_quantity as double), 0) as forecast_value_added,
    1 - cast(compared.compared_abs_error_quantity as double)
    / nullif(cast(compared.naive_abs_error_quantity as double), 0) as skill,
    summed.forecasts < {{ least_forecasts }} as is_insufficient_data
from summed
left join compared
    on
        summed.as_of = compared.as_of
        and summed.model = compared.model
        and summed.segment_type = compared.segment_type
        and summed.segment_value = compared.segment_value

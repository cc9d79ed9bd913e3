{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook=["{{ forget_scope() }}", "{{ plan_plainly() }}"],
        post_hook="{{ plan_as_usual() }}",
    )
}}

with kpi_rows as (
    select * from {{ ref('kpi_rows') }}
),

kpis as (
    select kpi_id, unit, min_n, interval_method from {{ ref('dim_kpis') }}
),

valued as (
    select
        kpi_rows.*,
        case
            when kpi_rows.denominator is null then cast(kpi_rows.numerator as double)
            {#- Returns can leave less than nothing to divide by: a loss over it would show as a gain. #}
            else cast(kpi_rows.numerator as double) / nullif(greatest(cast(kpi_rows.denominator as double), 0), 0)
        end as value,
        kpi_rows.n < kpis.min_n as is_insufficient_data,
        kpis.interval_method,
        {#- A double: squares of a million are too wide for a decimal literal. #}
        cast(case when kpis.unit = 'ppm' then 1000000 else 1 end as double) as whole,
        cast(nullif(greatest(kpi_rows.n - 1, 0), 0) as double) as degrees
    from kpi_rows
    inner join kpis
        on kpi_rows.kpi_id = kpis.kpi_id
),

{# What is left of each observation when it follows the ratio (delta method), squared and summed; the observations of a
   mean each add 1 to the denominator. #}
residual as (
    select
        *,
        greatest(
            cast(squares as double)
            - 2 * value * cast(coalesce(products, numerator) as double)
            + value * value * cast(coalesce(denominator_squares, denominator) as double),
            0
        ) as squared_residuals
    from valued
),

estimated as (
    select
        *,
        squared_residuals * n / degrees / (cast(denominator as double) * cast(denominator as double)) as variance
    from residual
),

{# A share of units that come in clusters, such as lines, is known as well as one of fewer units that come alone. #}
weighed as (
    select
        *,
        case
            when interval_method = 'clustered' then coalesce(nullif(greatest(value * (whole - value), 0), 0) / nullif(variance, 0), n)
            else n
        end as effective_n
    from estimated
),

{# All at 95 %: the Wilson score interval of a proportion; the adjusted Wald interval of a net promoter score, which adds
   three quarters of a promoter and of a detractor and one and a half passives; and of a mean or ratio of sums the
   standard error times Student's quantile, by its expansion in 1 / degrees of freedom. The KPI of a median brings the two
   observations that bound it, in the columns of the sums that others bring. #}
centred as (
    select
        *,
        case
            when interval_method in ('wilson', 'clustered') then
                (value * effective_n + whole * 1.920729) / (effective_n + 3.841459)
            when interval_method = 'nps' then numerator / (n + 3.0)
            when interval_method in ('mean', 'ratio') then value
            when interval_method = 'order_statistics' then (cast(squares as double) + cast(products as double)) / 2
        end as centre,
        case
            when interval_method in ('wilson', 'clustered') then
                1.959964 * sqrt(greatest(value * (whole - value), 0) * effective_n + whole * whole * 0.960365)
                / (effective_n + 3.841459)
            when interval_method = 'nps' then
                1.959964 * sqrt(
                    ((squares + 15000.0) / (n + 3.0) - numerator / (n + 3.0) * numerator / (n + 3.0)) / (n + 3.0)
                )
            when interval_method in ('mean', 'ratio') then
                (1.959964 + 2.372271 / degrees + 2.822499 / (degrees * degrees) + 2.55585 / (degrees * degrees * degrees))
                * sqrt(variance)
            when interval_method = 'order_statistics' then (cast(products as double) - cast(squares as double)) / 2
        end as half_width
    from weighed
)

select
    kpi_id,
    as_of,
    period_grain,
    period_start,
    period_end,
    segment_type,
    segment_value,
    value,
    numerator,
    denominator,
    n,
    is_insufficient_data,
    {#- A negative nought is another text than a nought. #}
    round(cast(centre - half_width as double), 6) + 0.0 as ci_low,
    round(cast(centre + half_width as double), 6) as ci_high
from centred

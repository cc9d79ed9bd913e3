{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_scope() }}",
    )
}}

with kpi_rows as (
    select * from {{ ref('kpi_rows') }}
),

kpis as (
    select kpi_id, min_n, interval_method from {{ ref('dim_kpis') }}
),

valued as (
    select
        kpi_rows.*,
        case
            when kpi_rows.denominator is null then cast(kpi_rows.numerator as double)
            else cast(kpi_rows.numerator as double) / nullif(cast(kpi_rows.denominator as double), 0)
        end as value,
        kpi_rows.n < kpis.min_n as is_insufficient_data,
        kpis.interval_method
    from kpi_rows
    inner join kpis
        on kpi_rows.kpi_id = kpis.kpi_id
),

{# Wilson score interval of a proportion, and the adjusted Wald interval of a net promoter score, which adds three
   quarters of a promoter and of a detractor and one and a half passives; both at 95 %. #}
centred as (
    select
        *,
        case interval_method
            when 'wilson' then (numerator + 1.920729) / (n + 3.841459)
            when 'nps' then numerator / (n + 3.0)
        end as centre,
        case interval_method
            when 'wilson' then
                1.959964 * sqrt(greatest(value * (1 - value), 0) * n + 0.960365) / (n + 3.841459)
            when 'nps' then
                1.959964 * sqrt(
                    ((squares + 15000.0) / (n + 3.0) - numerator / (n + 3.0) * numerator / (n + 3.0)) / (n + 3.0)
                )
        end as half_width
    from valued
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
    round(cast(centre - half_width as double), 6) as ci_low,
    round(cast(centre + half_width as double), 6) as ci_high
from centred

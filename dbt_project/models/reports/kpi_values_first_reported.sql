with ranked as (
    select
        *,
        row_number() over (
            partition by kpi_id, period_grain, period_start, period_end, segment_type, segment_value
            order by as_of
        ) as oldest
    from {{ ref('fct_kpi_values') }}
)

select
    ranked.kpi_id,
    kpis.title,
    kpis.unit,
    ranked.period_grain,
    ranked.period_start,
    ranked.period_end,
    ranked.segment_type,
    ranked.segment_value,
    ranked.as_of,
    ranked.value,
    ranked.numerator,
    ranked.denominator,
    ranked.n,
    ranked.is_insufficient_data,
    ranked.ci_low,
    ranked.ci_high
from ranked
inner join {{ ref('dim_kpis') }} as kpis
    on ranked.kpi_id = kpis.kpi_id
where ranked.oldest = 1

{%- set judged, baseline = complaint_days() -%}
{#- As for emerging topics (rpt_topic_trends). -#}
{%- set least_baseline = 100 -%}

with shares as (
    select
        as_of, kpi_id, segment_type, segment_value, period_grain, period_start, period_end, numerator, n, value,
        is_insufficient_data
    from {{ ref('fct_kpi_values') }}
    where
        kpi_id = 'FBK-04'
        and period_grain = 'trailing_{{ judged }}d'
        and as_of in (select as_of from {{ source('ops', 'build_scope') }})
),

baseline as (
    {{ complaint_shares(['trailing_' ~ baseline ~ 'd'], lag_days=judged) }}
),

stabilised as (
    select
        shares.*,
        cast(baseline.numerator as double) / baseline.n as expected,
        baseline.n as baseline_n,
        {{ share_angle('shares.numerator', 'shares.n') }} as angle,
        {{ share_angle('baseline.numerator', 'baseline.n') }} as expected_angle,
        0.5 * sqrt(1 / (shares.n + 0.5) + 1 / (baseline.n + 0.5)) as deviation
    from shares
    inner join baseline
        on
            shares.as_of = baseline.as_of
            and shares.segment_type = baseline.segment_type
            and shares.segment_value = baseline.segment_value
    where shares.n > 0
)

select
    as_of,
    kpi_id,
    segment_type,
    segment_value,
    period_grain,
    period_start,
    period_end,
    value,
    round(expected, 6) as expected,
    round(cast({{ share_limit('-') }} as double), 6) as lower_limit,
    round(cast({{ share_limit('+') }} as double), 6) as upper_limit,
    round(cast((angle - expected_angle) / deviation as double), 6) as z,
    {{ baseline }} as baseline_days,
    n,
    is_insufficient_data or baseline_n < {{ least_baseline }} as is_insufficient_data
from stabilised

{%- set grains = ['month', 'quarter', 'trailing_90d'] -%}

with responses as (
    select
        business_on,
        as_of_from,
        as_of_to,
        feedback_channel,
        case when score >= 9 then 100 when score <= 6 then -100 else 0 end as points
    from {{ known_rows(ref('int_feedback_versioned'), 'submitted_on', longest_window(grains)) }} as feedback
    where scale = 'nps_0_10' and score is not null and not is_score_off_scale
),

facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        feedback_channel,
        sum(points) as numerator,
        count(*) as denominator,
        count(*) as n,
        sum(points * points) as squares
    from responses
    group by business_on, as_of_from, as_of_to, feedback_channel
)

{{ kpi_values('facts', grains, segments=['feedback_channel'], spread=['squares']) }}

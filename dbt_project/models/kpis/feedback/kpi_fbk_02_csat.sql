{%- set grains = ['month', 'quarter', 'trailing_90d'] -%}

with facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        scale,
        feedback_channel,
        sum(case when score >= 4 then 1 else 0 end) as numerator,
        count(*) as denominator,
        count(*) as n
    from {{ known_rows(ref('int_feedback_versioned'), 'submitted_on', longest_window(grains)) }} as feedback
    where scale in ('csat_1_5', 'stars_1_5') and score is not null and not is_score_off_scale
    group by business_on, as_of_from, as_of_to, scale, feedback_channel
)

{{ kpi_values('facts', grains, segments=['scale', 'feedback_channel']) }}

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

{#- Of each scale, the scores that please and those that do not; what lies between is in the middle. -#}
{%- set scales = {
    'nps_0_10': {'high': 'score >= 9', 'low': 'score <= 6'},
    'csat_1_5': {'high': 'score >= 4', 'low': 'score <= 2'},
    'stars_1_5': {'high': 'score >= 4', 'low': 'score <= 2'},
    'ces_1_7': {'high': 'score >= 5', 'low': 'score <= 3'},
} -%}
{%- set segments = ['all', 'feedback_channel', 'product_category', 'supplier_id'] -%}
{%- set months = 13 -%}

with days as (
    select * from {{ snapshot_days() }} as snapshots
),

answers as (
    select
        days.as_of,
        days.month_start_on,
        feedback.feedback_id,
        cast({{ dbt.date_trunc('month', 'feedback.submitted_on') }} as date) as answer_month_on,
        feedback.feedback_channel,
        feedback.scale,
        feedback.score,
        feedback.order_id,
        feedback.product_id
    from {{ ref('int_feedback_versioned') }} as feedback
    inner join days
        on
            feedback.known_from <= days.as_of
            and (feedback.known_to is null or feedback.known_to > days.as_of)
            and feedback.submitted_on <= days.as_of
            and feedback.submitted_on >= {{ dbt.dateadd('month', 1 - months, 'days.month_start_on') }}
    where
        feedback.score is not null
        and not feedback.is_score_off_scale
        and feedback.scale in ('{{ scales | join("', '") }}')
),

products as (
    select days.as_of, products.product_id, products.category
    from {{ ref('int_products_versioned') }} as products
    inner join days
        on products.known_from <= days.as_of and (products.known_to is null or products.known_to > days.as_of)
),

{# A product's supplier, where only one offers it. #}
suppliers as (
    select days.as_of, offers.product_id, min(offers.supplier_id) as supplier_id
    from {{ ref('int_supplier_products_versioned') }} as offers
    inner join days
        on offers.known_from <= days.as_of and (offers.known_to is null or offers.known_to > days.as_of)
    group by days.as_of, offers.product_id
    having count(distinct offers.supplier_id) = 1
),

{# The products an answer is about: the one it names, or those of the order. #}
subjects as (
    select as_of, feedback_id, product_id
    from answers
    where product_id is not null
    union all
    select distinct answers.as_of, answers.feedback_id, lines.product_id
    from answers
    inner join {{ ref('int_order_lines_versioned') }} as lines
        on
            answers.order_id = lines.order_id
            and lines.known_from <= answers.as_of
            and (lines.known_to is null or lines.known_to > answers.as_of)
            and lines.quantity > 0
    where answers.product_id is null
),

{# An answer has a category, and a supplier, where all its products have the same. #}
attributed as (
    select
        subjects.as_of,
        subjects.feedback_id,
        case
            when count(distinct products.category) = 1 and count(products.category) = count(*)
                then min(products.category)
        end as product_category,
        case
            when count(distinct suppliers.supplier_id) = 1 and count(suppliers.supplier_id) = count(*)
                then min(suppliers.supplier_id)
        end as supplier_id
    from subjects
    left join products on subjects.as_of = products.as_of and subjects.product_id = products.product_id
    left join suppliers on subjects.as_of = suppliers.as_of and subjects.product_id = suppliers.product_id
    group by subjects.as_of, subjects.feedback_id
),

judged as (
    select
        answers.*,
        attributed.product_category,
        attributed.supplier_id,
        case
            {%- for scale, bounds in scales.items() %}
            when answers.scale = '{{ scale }}' and answers.{{ bounds.high }} then 1
            {%- endfor %}
            else 0
        end as is_high,
        case
            {%- for scale, bounds in scales.items() %}
            when answers.scale = '{{ scale }}' and answers.{{ bounds.low }} then 1
            {%- endfor %}
            else 0
        end as is_low
    from answers
    left join attributed on answers.as_of = attributed.as_of and answers.feedback_id = attributed.feedback_id
),

counted as (
    {%- for segment in segments %}
    select
        as_of,
        month_start_on,
        answer_month_on,
        scale,
        '{{ segment }}' as segment_type,
        {{ "'all'" if segment == 'all' else segment }} as segment_value,
        count(*) as answers,
        sum(is_high) as high_count,
        sum(is_low) as low_count,
        sum(score) as score_sum,
        sum(score * score) as squares
    from judged
    {%- if segment != 'all' %}
    where {{ segment }} is not null
    {%- endif %}
    group by as_of, month_start_on, answer_month_on, scale{{ ', ' ~ segment if segment != 'all' }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

{# At 95 %: Wilson score interval of a share; adjusted Wald interval of a promoter score, as in fct_kpi_values; normal
   interval of a mean, from 30 answers on. #}
measured as (
    select
        *,
        cast(high_count as double) / answers as high_share,
        (high_count + 1.920729) / (answers + 3.841459) as high_centre,
        1.959964 * sqrt(cast(high_count as double) * (answers - high_count) / answers + 0.960365) / (answers + 3.841459)
            as high_reach,
        100.0 * (high_count - low_count) / answers as balance,
        100.0 * (high_count - low_count) / (answers + 3.0) as balance_centre,
        195.9964 * sqrt(
            (
                (high_count + low_count + 1.5) / (answers + 3.0)
                - (high_count - low_count) / (answers + 3.0) * (high_count - low_count) / (answers + 3.0)
            ) / (answers + 3.0)
        ) as balance_reach,
        cast(score_sum as double) / answers as mean_score,
        1.959964 * sqrt(
            greatest(cast(squares as double) - cast(score_sum as double) * cast(score_sum as double) / answers, 0)
            / nullif(answers - 1, 0) / answers
        ) as mean_reach
    from counted
)

select
    as_of,
    month_start_on,
    answer_month_on,
    {{ dbt.dateadd('month', 1, 'answer_month_on') }} <= {{ day_plus('as_of', 1) }} as is_whole_month,
    scale,
    segment_type,
    segment_value,
    cast(answers as bigint) as answers,
    cast(high_count as bigint) as high_count,
    cast(answers - high_count - low_count as bigint) as middle_count,
    cast(low_count as bigint) as low_count,
    cast(score_sum as decimal(38, 3)) as score_sum,
    round(mean_score, 6) as mean_score,
    case when answers >= 30 then round(mean_score - mean_reach, 6) end as mean_score_low,
    case when answers >= 30 then round(mean_score + mean_reach, 6) end as mean_score_high,
    {%- for name, of_scale in (('nps', "scale = 'nps_0_10'"),) %}
    case when {{ of_scale }} then round(cast(balance as double), 6) end as {{ name }},
    case when {{ of_scale }} then round(greatest(cast(balance_centre - balance_reach as double), -100.0), 6) end as {{ name }}_low,
    case when {{ of_scale }} then round(least(cast(balance_centre + balance_reach as double), 100.0), 6) end as {{ name }}_high,
    {%- endfor %}
    {%- for name, of_scale in (('csat', "scale in ('csat_1_5', 'stars_1_5')"), ('ces', "scale = 'ces_1_7'")) %}
    case when {{ of_scale }} then round(cast(high_share as double), 6) end as {{ name }},
    case when {{ of_scale }} then round(cast(high_centre - high_reach as double), 6) end as {{ name }}_low,
    case when {{ of_scale }} then round(cast(high_centre + high_reach as double), 6) end as {{ name }}_high,
    {%- endfor %}
    answers < 30 as is_insufficient_data
from measured

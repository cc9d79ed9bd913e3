{# How a day is judged by the days before it: without its weekday, and by the limits of an individuals chart. #}

{# 0 for Monday to 6 for Sunday, on every engine: 1900-01-01 was a Monday, and no day here is older. #}
{% macro weekday_of(day) -%}
    mod({{ dbt.datediff("date '1900-01-01'", day, 'day') }}, 7)
{%- endmacro %}

{# What is left of a value without its weekday: of a ratio the difference, of a sum the logarithm of the factor, so that
   half and double are equally far. A hundredth of the usual is added, so that nothing at all is far, not infinitely so. #}
{% macro weekless(value, usual) -%}
    case
        when kpis.aggregation <> 'sum' then {{ value }} - {{ usual }}
        when {{ usual }} > 0 then ln((greatest({{ value }}, 0) / {{ usual }} + 0.01) / 1.01)
    end
{%- endmacro %}

{# Mean and 2.66 mean moving ranges of such values (Wheeler, Understanding Variation), as a value of the weekday. #}
{% macro control_limit(sign) -%}
    case
        when is_sum then expected * (1.01 * exp(mean_deviation {{ sign }} 2.66 * mean_moving_range) - 0.01)
        else expected + mean_deviation {{ sign }} 2.66 * mean_moving_range
    end
{%- endmacro %}


{# Of complaints: how many days are judged, and by how many before them. Whole weeks both, so no weekday is missing. #}
{% macro complaint_days() -%} {{ return([28, 91]) }} {%- endmacro %}

{# The rows of FBK-04, over all topics and per topic. #}
{% macro complaint_shares(grains, lag_days=0) -%}
with overall_facts as (
    select business_on, as_of_from, as_of_to, complaints as numerator, texts as denominator, texts as n
    from {{ ref('known_complaints') }}
    where topic is null
),

topic_facts as (
    select business_on, as_of_from, as_of_to, topic, complaints as numerator, texts as denominator, texts as n
    from {{ ref('known_complaints') }}
    where topic is not null
),

overall as (
    {{ kpi_values('overall_facts', grains, lag_days=lag_days) }}
),

by_topic as (
    {{ kpi_values('topic_facts', grains, segments=['topic'], lag_days=lag_days) }}
)

select * from overall
union all
select * from by_topic
where segment_type = 'topic'
{%- endmacro %}

{# A share of counts as an angle whose variance is 1 / (4n + 2), whatever the share (Anscombe, Biometrika 35, 1948). #}
{% macro share_angle(part, whole) -%}
    asin(sqrt((cast({{ part }} as double) + 0.375) / (cast({{ whole }} as double) + 0.75)))
{%- endmacro %}

{# Three standard deviations of the difference of two such angles from the expected one, as a share of n. #}
{% macro share_limit(sign) -%}
    {%- set angle = 'least(greatest(expected_angle ' ~ sign ~ ' 3 * deviation, 0), acos(0))' -%}
    least(greatest(((n + 0.75) * sin({{ angle }}) * sin({{ angle }}) - 0.375) / n, 0), 1)
{%- endmacro %}

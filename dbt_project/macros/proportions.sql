{# Shares of counts, quantiles of observations, and how sure they are; null where there is nothing to count. #}

{% macro share_of(part, whole) -%}
    round(cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0), 9)
{%- endmacro %}

{# A bound of the Wilson score interval at 95 % (Wilson, 1927): `bound` is low or high. #}
{% macro wilson_bound(part, whole, bound) -%}
    case
        when {{ whole }} > 0
            then round(
                cast(
                    (
                        {{ part }} + 1.920729
                        {{ '-' if bound == 'low' else '+' }} 1.959964
                        * sqrt({{ part }} * (1 - {{ part }} / cast({{ whole }} as double)) + 0.960365)
                    ) / ({{ whole }} + 3.841459) as double
                ),
                6
            )
    end
{%- endmacro %}

{# The rank of the observation that bounds a quantile in 95 of 100 samples of so many (Campbell and Gardner, Calculating
   confidence intervals for some non-parametric analyses, BMJ 296, 1988), taken outwards to whole ranks. Few observations
   have no such rank: it is below 1 or above their number. #}
{% macro quantile_rank(count, quantile, bound) -%}
    {%- set reach = 1.959964 * (quantile * (1 - quantile)) ** 0.5 -%}
    {%- if bound == 'low' -%}
    floor({{ count }} * {{ quantile }} - {{ reach | round(6) }} * sqrt(cast({{ count }} as double)))
    {%- else -%}
    ceil(1 + {{ count }} * {{ quantile }} + {{ reach | round(6) }} * sqrt(cast({{ count }} as double)))
    {%- endif -%}
{%- endmacro %}

{# A quantile, interpolated between its neighbours as percentile_cont does, of a relation of counts: `value` and, per group,
   how many observations lie `up_to` it and how many `lines` there are. #}
{% macro quantile_of_counts(value, quantile) -%}
    {%- set place = '(lines - 1) * ' ~ quantile -%}
    {%- set below = 'min(case when up_to > floor(' ~ place ~ ') then ' ~ value ~ ' end)' -%}
    {%- set above = 'min(case when up_to > ceil(' ~ place ~ ') then ' ~ value ~ ' end)' -%}
    round(cast({{ below }} + max({{ place }} - floor({{ place }})) * ({{ above }} - {{ below }}) as double), 6)
{%- endmacro %}

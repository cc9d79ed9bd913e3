{# Shares of counts and how sure they are; null where there is nothing to count. #}

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

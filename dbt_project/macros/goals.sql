{# Goals: what they are measured by, and when one is on track. The thresholds are said here and nowhere else. #}

{# KPIs that add up within a timeframe and have values by day (known_daily_values); the others are a level. #}
{% macro accumulating_kpis() -%} {{ return(['SAL-01']) }} {%- endmacro %}

{# From this share of the target on, what is expected to be missed is at risk, not off track. #}
{% macro goal_tolerance() -%} 0.05 {%- endmacro %}

{# A twentieth of nothing is nothing: a target of 0 has a hundredth, one point of a ratio. #}
{% macro zero_tolerance() -%} 0.01 {%- endmacro %}

{# A projection from less than this share of the timeframe is no basis. #}
{% macro least_covered_share() -%} 0.05 {%- endmacro %}

{# Half the width of the band around a default target that is to be met from both sides. #}
{% macro default_half_width(kpi_id) -%}
    case {{ kpi_id }} when 'FCS-06' then 4.0 else 0.05 end
{%- endmacro %}

{# How far a value lies on the wrong side of its target; 0 where it meets it, null where there is none: `greatest` alone
   would take no value for a good one. Columns of one relation. #}
{% macro shortfall(value) -%}
    case
        when {{ value }} is null then null
        when direction = 'up' then greatest(target_value - {{ value }}, 0)
        when direction = 'down' then greatest({{ value }} - target_value, 0)
        else greatest(coalesce(lower_value - {{ value }}, 0), coalesce({{ value }} - upper_value, 0), 0)
    end
{%- endmacro %}

{# on_track, at_risk or off_track by what the value (or its projection) falls short of the target. #}
{% macro track_status(value) -%}
    case
        when {{ shortfall(value) }} = 0 then 'on_track'
        when
            round({{ shortfall(value) }}, 9) <= coalesce(round(nullif({{ goal_tolerance() }} * abs(case
                when direction in ('up', 'down') then target_value
                when {{ value }} < lower_value then lower_value
                else upper_value
            end), 0), 9), {{ zero_tolerance() }})
            then 'at_risk'
        else 'off_track'
    end
{%- endmacro %}

{%- for name, value, unit, meaning in supply_assumptions() %}
select
    '{{ name }}' as assumption,
    cast({{ value }} as double) as value,
    '{{ unit }}' as unit,
    {{ text_or_null(meaning) }} as meaning
{{ 'union all' if not loop.last }}
{%- endfor %}

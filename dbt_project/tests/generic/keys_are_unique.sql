{# Each of the keys (lists of columns) names a row at most once. #}
{% test keys_are_unique(model, keys) %}
    {{ config(fail_calc="coalesce(sum(repeated), 0)") }}
    {% for key in keys %}
    select '{{ key | join(', ') }}' as key_columns, count(*) as repeated
    from (
        select 1 as one from {{ model }} group by {{ key | join(', ') }} having count(*) > 1
    ) as repeats
    having count(*) > 0
    {{ 'union all' if not loop.last }}
    {% endfor %}
{% endtest %}

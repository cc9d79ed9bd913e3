{# Every key stands in its dimension, under the same column name; every day of `days` stands in the calendar. #}
{% test members_exist(model, dimensions, days=none, calendar=none) %}
    {{ config(fail_calc="coalesce(sum(orphaned_rows), 0)") }}
    {% for column, dimension in dimensions.items() %}
    select '{{ column }}' as column_name, count(*) as orphaned_rows
    from {{ model }}
    where {{ column }} is not null and {{ column }} not in (select {{ column }} from {{ dimension }})
    having count(*) > 0
    {{ 'union all' if not loop.last or days }}
    {% endfor %}
    {% for column in days or [] %}
    select '{{ column }}' as column_name, count(*) as orphaned_rows
    from {{ model }}
    where {{ column }} is not null and {{ column }} not in (select date_on from {{ calendar }})
    having count(*) > 0
    {{ 'union all' if not loop.last }}
    {% endfor %}
{% endtest %}

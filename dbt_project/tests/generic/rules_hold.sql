{# Every row keeps every rule (name: condition); an unknown condition counts as kept. One scan for all rules. #}
{% test rules_hold(model, rules) %}
    {{ config(fail_calc="coalesce(sum(broken_rows), 0)") }}
    with counted as (
        select
            {% for name, condition in rules.items() %}
            sum(case when not ({{ condition }}) then 1 else 0 end) as {{ name }}{{ ',' if not loop.last }}
            {% endfor %}
        from {{ model }}
    )

    {% for name in rules %}
    select '{{ name }}' as rule_name, {{ name }} as broken_rows from counted where {{ name }} > 0
    {{ 'union all' if not loop.last }}
    {% endfor %}
{% endtest %}

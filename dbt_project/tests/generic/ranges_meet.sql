{# The ranges of a member follow one another without gap or overlap, and exactly the last one is current. #}
{% test ranges_meet(model, member) %}
    select *
    from (
        select
            {{ member }}, valid_from, valid_to, is_current,
            lead(valid_from) over (partition by {{ member }} order by valid_from) as next_from
        from {{ model }}
    ) as ranges
    where valid_to <= valid_from
        or coalesce(next_from, date '9999-12-31') <> valid_to
        or is_current <> (next_from is null)
{% endtest %}

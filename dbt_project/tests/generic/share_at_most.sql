{# At most this share of the rows meets the condition. `among` limits the rows that are counted. #}
{% test share_at_most(model, condition, at_most, among="true") %}
    {{ config(fail_calc="coalesce(sum(met_rows), 0)") }}
    select *
    from (
        select count(*) as counted_rows, sum(case when {{ condition }} then 1 else 0 end) as met_rows
        from {{ model }}
        where {{ among }}
    ) as shares
    where met_rows > {{ at_most }} * counted_rows
{% endtest %}

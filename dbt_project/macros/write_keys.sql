{# How a night changes a table: the keys to write are collected first, what the table holds of them is dropped, and what
   is right of them now is put in, all in the transaction of the model.

   They are collected into a temporary table, by a pre-hook, because deletion and selection must agree on them and
   because the planner must know that they are few: it hashed the whole history instead when they were a subquery. #}

{% macro get_incremental_write_keys_sql(arguments) %}
    {% set key = arguments['unique_key'] | join(', ') %}
    {% set columns = get_quoted_csv(arguments['dest_columns'] | map(attribute='name')) %}
    delete from {{ arguments['target_relation'] }}
    where ({{ key }}) in (select {{ key }} from keys_to_write);

    insert into {{ arguments['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arguments['temp_relation'] }}
{% endmacro %}

{# Condition: the row belongs to a key to write. A first build writes all keys. #}
{% macro is_to_write(key) -%}
    {% if is_incremental() %}({{ key | join(', ') }}) in (select {{ key | join(', ') }} from keys_to_write){% else %}true{% endif %}
{%- endmacro %}

{# How a model becomes a view or a table on DuckDB, in place of dbt's own ways.

   Those build each relation beside the one that stands, rename both and drop the old one, with a question to the
   catalogue before every step; on a small company that was half of a build. DuckDB replaces a relation in one statement
   of the model's transaction: whoever reads finds the old one or the new one, and a crash leaves the old one.

   What dbt promises is kept: enforced contracts, docs, hooks, and that a table of many days is never written by a model
   whose columns have changed. Indexes, grants, foreign keys and models in Python are not, as no model has them. #}

{% materialization view, adapter='duckdb' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- set standing = load_cached_relation(this) -%}

    {{ begin_model(pre_hooks) }}
    {% do drop_other_kind(standing, 'view') %}
    {% call statement('main') -%}
        create or replace view {{ target }} as (
            {{ sql }}
        )
    {%- endcall %}
    {{ end_model(target, post_hooks) }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% materialization table, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}

    {{ begin_model(pre_hooks) }}
    {{ replace_table(target, load_cached_relation(this), sql) }}
    {{ end_model(target, post_hooks) }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% materialization incremental, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set standing = load_cached_relation(this) -%}
    {%- set is_kept = standing is not none and standing.is_table and not should_full_refresh() -%}

    {{ begin_model(pre_hooks) }}
    {% if not is_kept %}
        {{ replace_table(target, standing, sql) }}
    {% else %}
        {%- set written = make_temp_relation(target).include(database=false, schema=false) -%}
        {% call statement('written') -%}
            create or replace temporary table {{ written }} as (
                {{ sql }}
            )
        {%- endcall %}
        {%- set columns = same_columns(written, target) -%}
        {%- set strategy = adapter.get_incremental_strategy_macro(context, config.get('incremental_strategy')) -%}
        {% call statement('main') -%}
            {{ strategy({
                'target_relation': target,
                'temp_relation': written,
                'unique_key': config.get('unique_key'),
                'dest_columns': columns,
                'incremental_predicates': none,
            }) }}
        {%- endcall %}
    {% endif %}
    {{ end_model(target, post_hooks, has_comments=is_kept and var('leave_comments', false)) }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{# What comes before every model: its hooks, outside the transaction and in it. #}
{% macro begin_model(pre_hooks) %}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
{% endmacro %}


{# And after: the comments and hooks that belong to the transaction, its end, and the hooks behind it. A table that was
   kept keeps its comments; who runs dbt says by `leave_comments` that they are those of this project. #}
{% macro end_model(target, post_hooks, has_comments=false) %}
    {% if not has_comments %}
        {% do write_comments(target) %}
    {% endif %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
{% endmacro %}


{# DuckDB replaces a view by a view and a table by a table. #}
{% macro drop_other_kind(standing, kind) %}
    {% if standing is not none and standing.type != kind %}
        {% do adapter.drop_relation(standing) %}
    {% endif %}
{% endmacro %}


{# The table as the model says it, with the columns and constraints of its contract if that is enforced. #}
{% macro replace_table(target, standing, sql) %}
    {% do drop_other_kind(standing, 'table') %}
    {% if config.get('contract').enforced %}
        {{ get_assert_columns_equivalent(sql) }}
    {% endif %}
    {% call statement('main') -%}
        {% if config.get('contract').enforced -%}
        create or replace table {{ target }} {{ get_table_columns_and_constraints() }};
        insert into {{ target }} {{ get_column_names() }} (
            {{ get_select_subquery(sql) }}
        )
        {%- else -%}
        create or replace table {{ target }} as (
            {{ sql }}
        )
        {%- endif %}
    {%- endcall %}
{% endmacro %}


{# The columns of a table that stands, in its order, or an error if what was written for it has others. The table was
   made by its contract, so this is also the check of that. #}
{% macro same_columns(written, target) %}
    {% set compared = run_query(
        'select held.column_name as held_name, held.column_type as held_type, '
        ~ 'new.column_name as new_name, new.column_type as new_type '
        ~ 'from (describe ' ~ target ~ ') as held full join (describe ' ~ written ~ ') as new '
        ~ 'on held.column_name = new.column_name'
    ) %}
    {% set columns = [] %}
    {% set changed = [] %}
    {% for held_name, held_type, new_name, new_type in compared.rows %}
        {% do columns.append({'name': held_name}) %}
        {% if held_name != new_name or held_type != new_type %}
            {% do changed.append((held_name or new_name) ~ ' is ' ~ (held_type or 'not there') ~ ', now ' ~ (new_type or 'gone')) %}
        {% endif %}
    {% endfor %}
    {% if changed %}
        {% do exceptions.raise_compiler_error(
            'The columns of ' ~ target ~ ' have changed: ' ~ changed | join('; ')
            ~ '. Its rows of earlier days would not fit: rebuild the warehouse (docs/operations.md), or change the table by hand.'
        ) %}
    {% endif %}
    {{ return(columns) }}
{% endmacro %}


{# The descriptions of a relation and its columns as comments, all in one statement. #}
{% macro write_comments(relation) %}
    {% set comments = [] %}
    {% if config.persist_relation_docs() and model.description %}
        {% do comments.append(alter_relation_comment(relation, model.description)) %}
    {% endif %}
    {% if config.persist_column_docs() %}
        {% for column in model.columns.values() if column.description %}
            {% do comments.append(
                'comment on column ' ~ relation ~ '.' ~ adapter.quote(column.name) ~ ' is '
                ~ duckdb_escape_comment(column.description) ~ ';'
            ) %}
        {% endfor %}
    {% endif %}
    {% if comments %}
        {% do run_query(comments | join('\n')) %}
    {% endif %}
{% endmacro %}

{#
    Pre-hook of an incremental table per as-of day: takes the days of the scope out, so that inserting them again
    replaces them even when a day has fewer rows than before.
#}
{% macro forget_scope() -%}
    {%- if is_incremental() -%}
    delete from {{ this }} where as_of in (select as_of from {{ source('ops', 'build_scope') }})
    {%- endif -%}
{%- endmacro %}

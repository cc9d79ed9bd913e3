{# What staging needs besides cleaning: every raw record of a feed with the path that orders the files of a day. #}

{% macro delivered(feed) %}
    select
        records.*,
        coalesce(files.source_path, records._file_id) as _source_path
    from {{ source('raw', feed) }} as records
    left join {{ source('ops', 'files') }} as files on files.file_id = records._file_id
{% endmacro %}

{% macro blank_to_null(column) -%}
    nullif(trim({{ column }}), '')
{%- endmacro %}

{# Where a staged record came from, and when we were told. #}
{% macro provenance() -%}
    _file_id,
    _record_no,
    _delivered_on,
    _source_path
{%- endmacro %}

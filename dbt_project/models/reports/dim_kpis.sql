{%- for model in kpi_models() %}
{%- set meta = kpi_meta(model) %}
select
    '{{ kpi_id(model) }}' as kpi_id,
    {%- for column in ('title', 'unit', 'direction', 'owner_department', 'formula', 'caveats', 'aggregation', 'interval') %}
    {{ text_or_null(meta.get(column)) }} as {{ 'interval_method' if column == 'interval' else column }},
    {%- endfor %}
    cast({{ meta.get('min_n', 'null') }} as bigint) as min_n,
    cast({{ 'null' if meta.get('default_target') is none else meta.get('default_target') }} as double) as default_target,
    {{ text_or_null(meta.get('grains', []) | join(', ')) }} as period_grains,
    {{ text_or_null((['all'] + meta.get('segments', [])) | join(', ')) }} as segment_types,
    '{{ model }}' as model_name
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}

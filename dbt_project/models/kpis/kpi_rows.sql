{%- for model in kpi_models() %}
select
    '{{ kpi_id(model) }}' as kpi_id,
    as_of,
    period_grain,
    period_start,
    period_end,
    segment_type,
    segment_value,
    numerator,
    denominator,
    n,
    {{ spread_columns() | join(',\n    ') }}
from {{ ref(model) }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}

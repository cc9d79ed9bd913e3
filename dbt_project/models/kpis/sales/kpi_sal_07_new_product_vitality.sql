{%- set grains = ['month_to_date', 'month', 'quarter_to_date', 'quarter', 'trailing_365d'] -%}

with facts as (
    select
        *,
        case when is_new_product then net_amount else 0 end as numerator,
        net_amount as denominator,
        lines as n
    from {{ ref('known_sales') }}
    where is_new_product is not null
)

{{ kpi_values(
    'facts', grains, segments=['channel_id', 'category'], money=['numerator', 'denominator']
) }}

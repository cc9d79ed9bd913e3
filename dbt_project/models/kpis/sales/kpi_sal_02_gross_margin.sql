{%- set grains = ['day', 'week', 'month_to_date', 'month', 'quarter_to_date', 'quarter'] -%}

with facts as (
    select
        *,
        margin_amount as numerator,
        costed_amount as denominator,
        costed_lines as n,
        margin_squares as squares,
        margin_products as products,
        costed_squares as denominator_squares
    from {{ ref('known_sales') }}
    where costed_lines > 0
)

{{ kpi_values(
    'facts', grains, segments=['channel_id'], coarse_segments=['category', 'country_code'],
    money=['numerator', 'denominator'], spread=spread_columns()
) }}

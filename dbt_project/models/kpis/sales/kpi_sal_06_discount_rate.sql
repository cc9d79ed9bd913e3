{%- set grains = ['day', 'week', 'month_to_date', 'month', 'quarter_to_date', 'quarter'] -%}

with facts as (
    select
        *,
        discount_amount as numerator,
        gross_amount as denominator,
        sold_lines as n,
        discount_squares as squares,
        discount_products as products,
        gross_squares as denominator_squares
    from {{ ref('known_sales') }}
    where sold_lines > 0
)

{{ kpi_values(
    'facts', grains, segments=['channel_id'], coarse_segments=['category', 'country_code'],
    money=['numerator', 'denominator'], spread=spread_columns()
) }}

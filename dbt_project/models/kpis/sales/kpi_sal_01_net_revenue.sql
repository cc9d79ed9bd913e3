{%- set grains = ['day', 'week', 'month_to_date', 'month', 'quarter_to_date', 'quarter', 'year_to_date'] -%}

with facts as (
    select *, net_amount as numerator, cast(null as decimal(38, 6)) as denominator, lines as n
    from {{ ref('known_sales') }}
)

{{ kpi_values(
    'facts', grains, segments=['channel_id'], coarse_segments=['category', 'country_code'], money=['numerator']
) }}

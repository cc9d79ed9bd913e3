{%- set grains = ['day', 'week', 'month_to_date', 'month', 'quarter_to_date', 'quarter', 'year_to_date'] -%}

with facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        currency,
        channel_id,
        sum(net_amount) as numerator,
        cast(null as decimal(38, 6)) as denominator,
        count(*) as n
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', longest_window(grains)) }} as lines
    where is_revenue
    group by business_on, as_of_from, as_of_to, currency, channel_id
)

{{ kpi_values('facts', grains, segments=['channel_id'], money=['numerator']) }}

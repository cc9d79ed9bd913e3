with facts as (
    select
        as_of as as_of_from,
        {{ day_plus('as_of', 1) }} as as_of_to,
        location_id,
        sum(excess_value_base + obsolete_value_base) as numerator,
        sum(value_base) as denominator,
        count(*) as n
    from {{ ref('stock_positions') }}
    group by as_of, location_id
)

{{ kpi_values('facts', ['as_of'], segments=['location_id'], is_dated=false) }}

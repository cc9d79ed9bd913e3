{%- set grain = 'trailing_90d' -%}

with purchases as (
    select distinct
        customer_id,
        greatest(as_of_from, business_on) as as_of_from,
        least(as_of_to, {{ day_plus('business_on', grain_days(grain)) }}) as as_of_to
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', grain_days(grain)) }} as lines
    where is_revenue and quantity > 0 and customer_id is not null
),

facts as (
    select
        as_of_from,
        as_of_to,
        count(*) as numerator,
        cast(null as decimal(38, 6)) as denominator,
        count(*) as n
    from {{ overlapping('purchases', ['customer_id']) }} as customers
    where total > 0
    group by as_of_from, as_of_to
)

{{ kpi_values('facts', [grain], is_dated=false) }}

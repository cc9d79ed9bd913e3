with products as (
    select
        as_of,
        product_id,
        sum(coalesce(spend_base, 0)) as spend_base,
        sum(lines_ordered) as lines_ordered,
        sum(case when is_qualified then 1 else 0 end) as suppliers
    from {{ ref('sourcing') }}
    group by as_of, product_id
),

facts as (
    select
        as_of as as_of_from,
        {{ day_plus('as_of', 1) }} as as_of_to,
        sum(case when suppliers <= 1 then spend_base else 0 end) as numerator,
        sum(spend_base) as denominator,
        sum(lines_ordered) as n
    from products
    where lines_ordered > 0
    group by as_of
)

{{ kpi_values('facts', ['trailing_365d'], is_dated=false) }}

with rated as (
    select
        as_of as as_of_from,
        {{ day_plus('as_of', 1) }} as as_of_to,
        supplier_id,
        cast(score as decimal(18, 6)) * greatest(lines_due, lines_received) as numerator,
        greatest(lines_due, lines_received) as denominator,
        greatest(lines_due, lines_received) as n
    from {{ ref('supplier_scores') }}
    where score is not null
)

{{ kpi_values('rated', ['trailing_365d'], segments=['supplier_id'], is_dated=false) }}

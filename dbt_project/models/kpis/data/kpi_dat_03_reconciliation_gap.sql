{%- set grains = ['trailing_28d'] -%}

with facts as (
    select
        reconciliation.delivered_on as business_on,
        reconciliation.delivered_on as as_of_from,
        bounds.end_as_of as as_of_to,
        reconciliation.feed,
        abs(reconciliation.amount_gap) as numerator,
        case when reconciliation.stage = 'landing_to_raw' then coalesce(reconciliation.amount_in, 0) else 0 end as denominator,
        case when reconciliation.stage = 'landing_to_raw' then reconciliation.rows_in else 0 end as n
    from {{ ref('reconciliation') }} as reconciliation
    cross join {{ scope_bounds() }} as bounds
    where
        coalesce(reconciliation.amount_in, reconciliation.amount_out) is not null
        and reconciliation.delivered_on is not null
)

{{ kpi_values('facts', grains, segments=['feed']) }}

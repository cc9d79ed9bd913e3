{%- set grains = ['trailing_28d'] -%}
{#- A dump that tells of many days is a file of the first of them; what its records tell of a later day comes in as
    versions. So a day's amount is what came in at either stage, lest a gap of that day be divided by nothing. -#}
{%- set incoming = "case when reconciliation.stage in ('landing_to_raw', 'raw_to_versions') then reconciliation." -%}

with facts as (
    select
        reconciliation.delivered_on as business_on,
        reconciliation.delivered_on as as_of_from,
        bounds.end_as_of as as_of_to,
        reconciliation.feed,
        sum(abs(reconciliation.amount_gap)) as numerator,
        coalesce(max({{ incoming }}amount_in end), 0) as denominator,
        coalesce(max({{ incoming }}rows_in end), 0) as n
    from {{ ref('reconciliation') }} as reconciliation
    cross join {{ scope_bounds() }} as bounds
    where
        coalesce(reconciliation.amount_in, reconciliation.amount_out) is not null
        and reconciliation.delivered_on is not null
    group by reconciliation.delivered_on, bounds.end_as_of, reconciliation.feed
)

{{ kpi_values('facts', grains, segments=['feed']) }}

{%- set grains = ['trailing_28d'] -%}

with received as (
    select feed, delivered_on, sum(rows_in) as received
    from {{ ref('reconciliation') }}
    where stage = 'landing_to_raw' and delivered_on is not null
    group by feed, delivered_on
),

quarantined as (
    select
        quarantine.feed,
        coalesce(quarantine.delivered_on, files.delivered_on) as delivered_on,
        count(*) as quarantined
    from {{ source('ops', 'quarantine') }} as quarantine
    inner join {{ source('ops', 'files') }} as files
        on quarantine.file_id = files.file_id
    {# A refused file is one entry without a record; a superseded file's records were received again. #}
    where quarantine.record_no is not null and files.status <> 'superseded'
    group by quarantine.feed, coalesce(quarantine.delivered_on, files.delivered_on)
),

facts as (
    select
        received.delivered_on as business_on,
        received.delivered_on as as_of_from,
        bounds.end_as_of as as_of_to,
        received.feed,
        coalesce(quarantined.quarantined, 0) as numerator,
        received.received as denominator,
        received.received as n
    from received
    cross join {{ scope_bounds() }} as bounds
    left join quarantined
        on received.feed = quarantined.feed and received.delivered_on = quarantined.delivered_on
)

{{ kpi_values('facts', grains, segments=['feed']) }}

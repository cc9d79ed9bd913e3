{%- set grains = ['trailing_28d'] -%}

with quarantined as (
    select
        quarantine.feed,
        coalesce(quarantine.delivered_on, files.delivered_on) as delivered_on,
        count(*) as records
    from {{ source('ops', 'quarantine') }} as quarantine
    inner join {{ source('ops', 'files') }} as files
        on quarantine.file_id = files.file_id
    {# A refused file is one entry without a record; a superseded file's records were received again. #}
    where quarantine.record_no is not null and files.status <> 'superseded'
    group by quarantine.feed, coalesce(quarantine.delivered_on, files.delivered_on)
),

received as (
    select feed, delivered_on, 0 as quarantined, rows_in as records
    from {{ ref('reconciliation') }}
    where stage = 'raw_to_versions'
    union all
    select feed, delivered_on, records as quarantined, records
    from quarantined
    where delivered_on is not null
),

facts as (
    select
        received.delivered_on as business_on,
        received.delivered_on as as_of_from,
        bounds.end_as_of as as_of_to,
        received.feed,
        received.quarantined as numerator,
        received.records as denominator,
        received.records as n
    from received
    cross join {{ scope_bounds() }} as bounds
)

{{ kpi_values('facts', grains, segments=['feed']) }}

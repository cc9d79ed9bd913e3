{%- set days = 28 -%}
{%- set tolerance = 0.01 -%}
{%- set sums = ['net_amount', 'margin_amount', 'costed_amount', 'discount_amount', 'gross_amount'] -%}
{%- set measured = {
    'SAL-01': ('net_amount', none),
    'SAL-02': ('margin_amount', 'costed_amount'),
    'SAL-06': ('discount_amount', 'gross_amount'),
} -%}

{#- The first report may have been made before the scope, from versions that no day of the scope knows. #}
with lines as (
    select
        versions.ordered_on as business_on,
        versions.known_from,
        coalesce(versions.known_to, date '9999-12-31') as known_to,
        versions.currency,
        versions.channel_id,
        sum(versions.net_amount) as net_amount,
        sum(versions.net_amount - versions.cost_amount) as margin_amount,
        sum(case when versions.cost_amount is not null then versions.net_amount end) as costed_amount,
        sum(case when versions.quantity > 0 then versions.discount_amount end) as discount_amount,
        sum(case when versions.quantity > 0 then versions.gross_amount end) as gross_amount
    from {{ ref('int_order_lines_versioned') }} as versions
    cross join {{ scope_bounds() }} as bounds
    where
        versions.is_revenue
        and versions.ordered_on > {{ day_plus('bounds.first_as_of', -days) }}
        and versions.ordered_on < bounds.end_as_of
    group by versions.ordered_on, versions.known_from, versions.known_to, versions.currency, versions.channel_id
),

segmented as (
    select *, 'all' as segment from lines
    union all
    select *, channel_id as segment from lines where channel_id is not null
),

first_reports as (
    select business_on, segment, greatest(business_on, min(known_from)) as first_on
    from segmented
    group by business_on, segment
),

periods as (
    select first_reports.*, scope.as_of
    from first_reports
    inner join {{ source('ops', 'build_scope') }} as scope
        on
            first_reports.first_on <= scope.as_of
            and first_reports.business_on > {{ day_plus('scope.as_of', -days) }}
),

{# Every period is looked at twice: as of its first report and as of the as-of day, which may be the same. #}
reports as (
    select *, first_on as reported_as_of from periods
    union
    select *, as_of as reported_as_of from periods
),

states as (
    select distinct reported_as_of as as_of from reports
),

ranges as (
    {{ known_base_rates('states') }}
),

reported as (
    select
        reports.as_of,
        reports.business_on,
        reports.segment,
        reports.reported_as_of = reports.first_on as is_first,
        reports.reported_as_of = reports.as_of as is_newest,
        {%- for column in sums %}
        cast(sum(segmented.{{ column }} * ranges.rate_to_base) as double) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from reports
    inner join segmented
        on
            reports.business_on = segmented.business_on
            and reports.segment = segmented.segment
            and segmented.known_from <= reports.reported_as_of
            and segmented.known_to > reports.reported_as_of
    inner join ranges
        on
            ranges.as_of = reports.reported_as_of
            and {{ rate_of_day('ranges', 'segmented.currency', 'segmented.business_on') }}
    group by reports.as_of, reports.business_on, reports.segment, reports.first_on, reports.reported_as_of
),

measured as (
    {%- for kpi, (numerator, denominator) in measured.items() %}
    select
        as_of,
        business_on,
        segment,
        is_first,
        is_newest,
        '{{ kpi }}' as measured_kpi,
        {{ numerator }}{{ ' / nullif(' ~ denominator ~ ', 0)' if denominator }} as value
    from reported
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

{# A value that was withdrawn since has changed; one that was never known is no period. #}
changes as (
    select
        as_of,
        business_on,
        segment,
        measured_kpi,
        max(case when is_first then value end) as first_value,
        max(case when is_newest then value end) as newest_value
    from measured
    group by as_of, business_on, segment, measured_kpi
),

facts as (
    select
        as_of as as_of_from,
        {{ day_plus('as_of', 1) }} as as_of_to,
        measured_kpi,
        sum(
            case
                when newest_value is null or abs(newest_value - first_value) > {{ tolerance }} * abs(first_value) then 1
                else 0
            end
        ) as numerator,
        count(*) as denominator,
        count(*) as n
    from changes
    where first_value is not null
    group by as_of, measured_kpi
)

{{ kpi_values('facts', ['trailing_28d'], segments=['measured_kpi'], is_dated=false) }}

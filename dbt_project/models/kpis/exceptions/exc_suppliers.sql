{#- A supplier has collapsed where even the upper end of the interval of its last ninety days is below its year, by a tenth. -#}
{%- set least_fall = 0.1 -%}

with otif as (
    select
        as_of,
        segment_value as supplier_id,
        max(case when period_grain = 'trailing_90d' and not is_insufficient_data then value end) as recent,
        max(case when period_grain = 'trailing_90d' and not is_insufficient_data then ci_high end) as recent_high,
        max(case when period_grain = 'trailing_90d' then period_start end) as recent_from,
        max(case when period_grain = 'trailing_365d' and not is_insufficient_data then value end) as year
    from {{ ref('fct_kpi_values') }}
    where
        kpi_id = 'SUP-01'
        and segment_type = 'supplier_id'
        and as_of in (select as_of from {{ source('ops', 'build_scope') }})
    group by as_of, segment_value
),

ordered as (
    select
        scope.as_of,
        lines.supplier_id,
        cast(sum(lines.ordered_amount * rates.rate_to_base) as decimal(28, 4)) as amount
    from {{ known_rows(ref('int_purchase_order_lines_versioned'), 'ordered_on', 90) }} as lines
    inner join {{ source('ops', 'build_scope') }} as scope
        on
            lines.as_of_from <= scope.as_of
            and lines.as_of_to > scope.as_of
            and lines.business_on <= scope.as_of
            and lines.business_on > {{ day_plus('scope.as_of', -90) }}
    inner join {{ ref('known_rates') }} as rates
        on
            scope.as_of = rates.as_of
            and lines.currency = rates.currency
            and lines.business_on = rates.business_on
    where {{ is_owed('lines') }}
    group by scope.as_of, lines.supplier_id
)

select
    otif.as_of,
    'supplier_collapse' as exception_type,
    'supplier' as entity_type,
    otif.supplier_id as entity_id,
    'SUP-01' as kpi_id,
    'procurement' as owner_department,
    'critical' as severity,
    {{ dbt.concat(["'Supplier '", 'otif.supplier_id', "' delivers much worse than in its year'"]) }} as title,
    cast(ordered.amount * (otif.year - otif.recent) as decimal(28, 4)) as value_at_stake_base,
    otif.recent_from as first_seen_on,
    cast(null as date) as due_by,
    'Ask for the reason and a plan, and look for a second source; at stake is the share of orders that fails more than before.'
        as recommended_action,
    'reports.rpt_supplier_performance' as evidence_table,
    {{ evidence_key({'supplier_id': 'otif.supplier_id'}) }} as evidence_key
from otif
left join ordered
    on otif.as_of = ordered.as_of and otif.supplier_id = ordered.supplier_id
where otif.recent_high < otif.year and otif.year - otif.recent >= {{ least_fall }}

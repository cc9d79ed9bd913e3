{#- An open line older than a year is a matter of housekeeping, not of tonight. One that came in full on a day nobody wrote
    down is not open, as in the supplier tables; one whose receipt lies beyond the as-of day is. -#}
{%- set days = 366 -%}

with late as (
    select
        lines.as_of,
        lines.supplier_id,
        cast(count(*) as bigint) as lines,
        min(lines.promised_on) as first_promised_on,
        cast(sum(lines.ordered_amount * rates.rate_to_base) as decimal(28, 4)) as amount
    from {{ purchase_lines_known(source('ops', 'build_scope')) }} as lines
    left join {{ ref('known_rates') }} as rates
        on
            lines.as_of = rates.as_of
            and lines.currency = rates.currency
            and lines.ordered_on = rates.business_on
    where lines.is_open_late and lines.promised_on < lines.as_of and {{ in_window('lines.promised_on', 'lines.as_of', days) }}
    group by lines.as_of, lines.supplier_id
)

select
    as_of,
    'late_purchase_orders' as exception_type,
    'supplier' as entity_type,
    supplier_id as entity_id,
    'SUP-01' as kpi_id,
    'procurement' as owner_department,
    case when {{ dbt.datediff('first_promised_on', 'as_of', 'day') }} > 14 then 'critical' else 'warning' end as severity,
    {{ dbt.concat([
        "'Supplier '", 'supplier_id', "': '", 'cast(lines as ' ~ dbt.type_string() ~ ')', "' order lines past their promise'"
    ]) }} as title,
    amount as value_at_stake_base,
    {{ day_plus('first_promised_on', 1) }} as first_seen_on,
    cast(null as date) as due_by,
    'Call the supplier for new dates; what is late longest first. At stake is what is ordered and has not come.'
        as recommended_action,
    'marts.fct_purchase_order_lines' as evidence_table,
    {{ evidence_key({'supplier_id': 'supplier_id'}) }} as evidence_key
from late

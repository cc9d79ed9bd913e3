{{ config(materialized='table') }}
{%- set parts = ['delivery', 'quality', 'lead_time', 'price', 'response'] %}

with lines as (
    select * from {{ purchase_lines_known(source('ops', 'build_scope')) }} as known
),

priced as (
    select
        lines.*,
        lines.ordered_amount * rates.rate_to_base as spend_base,
        {{ times('lines.unit_price - lines.contract_unit_price', 'lines.quantity_ordered') }} * rates.rate_to_base
            as variance_base,
        {{ times('lines.contract_unit_price', 'lines.quantity_ordered') }} * rates.rate_to_base as contract_base,
        case
            when lines.is_received or lines.is_open_late
                then {{ dbt.datediff(
                    'coalesce(lines.confirmed_on, lines.ordered_on)', 'coalesce(lines.received_on, lines.as_of)', 'day'
                ) }}
        end as lead_days
    from lines
    left join {{ ref('known_rates') }} as rates
        on lines.as_of = rates.as_of and lines.currency = rates.currency and lines.ordered_on = rates.business_on
),

counted as (
    select
        as_of,
        supplier_id,
        sum(case when is_ordered then 1 else 0 end) as lines_ordered,
        cast(sum(case when is_ordered then spend_base end) as decimal(28, 4)) as spend_base,
        sum(case when is_due then 1 else 0 end) as lines_due,
        sum(case when is_due and {{ is_kept('priced', 'promised_on') }} then 1 else 0 end) as lines_otif_first,
        sum(case when is_due_last then 1 else 0 end) as lines_due_last,
        sum(case when is_due_last and {{ is_kept('priced', 'last_promised_on') }} then 1 else 0 end) as lines_otif_last,
        sum(case when is_open_late then 1 else 0 end) as lines_open_late,
        sum(case when is_undated then 1 else 0 end) as lines_undated,
        sum(case when is_due then quantity_ordered else 0 end) as units_due,
        sum(case when is_due then least(quantity_received, quantity_ordered) else 0 end) as units_filled,
        sum(case when is_received then 1 else 0 end) as lines_received,
        sum(case when is_received and quantity_received > 0 then 1 else 0 end) as lines_inspected,
        sum(case when is_received then quantity_received else 0 end) as units_received,
        sum(case when is_received then quantity_rejected else 0 end) as units_rejected,
        sum(case when is_received then lead_days end) as lead_days,
        sum(case when is_received then lead_days * lead_days end) as lead_days_squared,
        sum(case when is_ordered and contract_base is not null then variance_base end) as price_variance_base,
        sum(case when is_ordered then contract_base end) as contract_base,
        sum(case when is_ordered and confirmed_on is not null then 1 else 0 end) as lines_confirmed,
        sum(case when is_ordered then {{ dbt.datediff('ordered_on', 'confirmed_on', 'day') }} end) as confirm_days
    from priced
    where is_ordered or is_due or is_due_last or is_received or is_open_late
    group by as_of, supplier_id
),

{# Kaplan-Meier: of the lines that had not come after t days, which share came on day t; open lines say "not yet". #}
durations as (
    select
        as_of,
        supplier_id,
        lead_days,
        sum(case when is_received then 1 else 0 end) as came,
        count(*) as seen
    from priced
    where lead_days is not null
    group by as_of, supplier_id, lead_days
),

at_risk as (
    select
        *,
        sum(seen) over (partition by as_of, supplier_id order by lead_days desc) as waiting
    from durations
),

survival as (
    select
        as_of,
        supplier_id,
        lead_days,
        sum(cast(case when came = waiting then -30 else ln(1 - cast(came as double) / waiting) end as decimal(18, 12)))
            over (partition by as_of, supplier_id order by lead_days) as log_open
    from at_risk
),

percentiles as (
    select
        as_of,
        supplier_id,
        min(case when log_open <= ln(0.5) + 1e-9 then lead_days end) as lead_time_p50_days,
        min(case when log_open <= ln(0.1) + 1e-9 then lead_days end) as lead_time_p90_days
    from survival
    group by as_of, supplier_id
),

{# Of a supplier who is judged by one of the two rates, the other is the average, as far as anybody knows. #}
judged as (
    select * from counted where lines_due > 0 or units_received > 0
),

delivery_rates as (
    select
        as_of,
        supplier_id,
        lines_due as n,
        coalesce(cast(lines_otif_first as double) / nullif(lines_due, 0), 0) as rate
    from judged
),

{# Units of a line pass or fail together, so a line counts as one observation, however many units it has. #}
quality_rates as (
    select
        as_of,
        supplier_id,
        lines_inspected as n,
        least(coalesce(cast(units_rejected as double) / nullif(cast(units_received as double), 0), 0), 1.0) as rate
    from judged
),

shrunken as (
    {%- for rates in ('delivery_rates', 'quality_rates') %}
    select
        '{{ rates }}' as kind,
        rates.as_of,
        rates.supplier_id,
        (rates.n * rates.rate + prior.prior_lines * prior.prior_rate) / (rates.n + prior.prior_lines) as rate,
        prior.prior_rate,
        prior.prior_lines,
        rates.n + prior.prior_lines + 1 as weight
    from {{ rates }} as rates
    inner join {{ beta_prior(rates) }} as prior
        on rates.as_of = prior.as_of
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

measured as (
    select
        counted.*,
        percentiles.lead_time_p50_days,
        percentiles.lead_time_p90_days,
        delivery.rate as otif_shrunken,
        delivery.prior_rate as otif_prior,
        delivery.prior_lines as otif_prior_lines,
        delivery.rate * (1 - delivery.rate) / delivery.weight as otif_variance,
        quality.rate as rejected_shrunken,
        quality.rate * (1 - quality.rate) / quality.weight as rejected_variance,
        cast(counted.lead_days as double) / nullif(counted.lines_received, 0) as lead_time_mean_days,
        case
            when counted.lines_received > 1
                then sqrt(
                    cast(
                        counted.lines_received * counted.lead_days_squared - counted.lead_days * counted.lead_days
                        as double
                    )
                    / counted.lines_received
                    / (counted.lines_received - 1)
                )
        end as lead_time_sd_days,
        cast(counted.price_variance_base as double) / nullif(cast(counted.contract_base as double), 0)
            as purchase_price_variance,
        cast(counted.confirm_days as double) / nullif(counted.lines_confirmed, 0) as days_to_confirm
    from counted
    left join percentiles
        on counted.as_of = percentiles.as_of and counted.supplier_id = percentiles.supplier_id
    left join shrunken as delivery
        on
            counted.as_of = delivery.as_of
            and counted.supplier_id = delivery.supplier_id
            and delivery.kind = 'delivery_rates'
    left join shrunken as quality
        on
            counted.as_of = quality.as_of
            and counted.supplier_id = quality.supplier_id
            and quality.kind = 'quality_rates'
),

varied as (
    select
        *,
        lead_time_sd_days / nullif(lead_time_mean_days, 0) as lead_time_cv,
        {# One supplier may well deliver to the day, time after time. When all of them took the same days for everything, the
           feed has a booking rule where the receipts should be. #}
        sum(lines_received) over company >= {{ assumed('min_receipts') }}
        and sum(lines_received) over company * sum(lead_days_squared) over company
        = sum(lead_days) over company * sum(lead_days) over company as is_lead_time_constant
    from measured
    window company as (partition by as_of)
),

parted as (
    select
        *,
        100 * otif_shrunken as delivery_points,
        {{ points('rejected_shrunken', 'worst_rejected_share') }} as quality_points,
        case
            when lines_received >= {{ assumed('min_receipts') }} and not is_lead_time_constant
                then {{ points('lead_time_cv', 'worst_lead_time_cv') }}
        end as lead_time_points,
        {{ points('purchase_price_variance', 'worst_price_variance') }} as price_points,
        {{ points('days_to_confirm', 'worst_confirm_days') }} as response_points,
        coalesce(otif_shrunken, rejected_shrunken) is not null as is_judged
    from varied
),

weighed as (
    select
        *,
        {%- for part in parts %}
        case when {{ part }}_points is null then 0 else {{ assumed('weight_' ~ part) }} end
        {{- ' +' if not loop.last else ' as weight' }}
        {%- endfor %},
        {%- for part in parts %}
        coalesce({{ part }}_points, 0) * {{ assumed('weight_' ~ part) }}{{ ' +' if not loop.last else ' as points' }}
        {%- endfor %},
        {{ assumed('weight_delivery') }} * {{ assumed('weight_delivery') }} * 10000 * coalesce(otif_variance, 0)
        + case
            when rejected_shrunken < {{ assumed('worst_rejected_share') }}
                then {{ assumed('weight_quality') }} * {{ assumed('weight_quality') }} * 10000 * rejected_variance
                    / {{ assumed('worst_rejected_share') }} / {{ assumed('worst_rejected_share') }}
            else 0
        end as variance
    from parted
)

select
    as_of,
    supplier_id,
    lines_ordered,
    spend_base,
    lines_due,
    lines_otif_first,
    lines_due_last,
    lines_otif_last,
    lines_open_late,
    lines_undated,
    units_due,
    units_filled,
    lines_received,
    units_received,
    units_rejected,
    round(otif_shrunken, 6) as otif_shrunken,
    round(otif_prior, 6) as otif_prior,
    round(otif_prior_lines, 6) as otif_prior_lines,
    round(rejected_shrunken, 9) as rejected_shrunken,
    lead_days,
    lead_days_squared,
    round(lead_time_mean_days, 6) as lead_time_mean_days,
    round(lead_time_sd_days, 6) as lead_time_sd_days,
    round(lead_time_cv, 6) as lead_time_cv,
    is_lead_time_constant,
    lead_time_p50_days,
    lead_time_p90_days,
    price_variance_base,
    contract_base,
    round(purchase_price_variance, 6) as purchase_price_variance,
    lines_confirmed,
    round(days_to_confirm, 6) as days_to_confirm,
    {%- for part in parts %}
    round({{ part }}_points, 3) as {{ part }}_points,
    {%- endfor %}
    round(cast(weight as double), 6) as weight_known,
    round(case when is_judged then points / weight end, 3) as score,
    round(case when is_judged then greatest(points / weight - 1.959964 * sqrt(variance) / weight, 0) end, 3) as score_low,
    round(case when is_judged then least(points / weight + 1.959964 * sqrt(variance) / weight, 100) end, 3)
        as score_high,
    lines_due < {{ assumed('min_lines') }} as is_insufficient_data
from weighed

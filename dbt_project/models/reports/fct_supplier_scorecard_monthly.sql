{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

with scores as (
    select
        days.month_start_on,
        scores.*,
        case when scores.score is not null and not scores.is_insufficient_data then 1 else 0 end as is_ranked
    from {{ ref('supplier_scores') }} as scores
    inner join {{ snapshot_days() }} as days
        on scores.as_of = days.as_of
)

select
    scores.as_of,
    scores.month_start_on,
    scores.supplier_id,
    suppliers.supplier_name,
    suppliers.is_approved,
    cast(scores.lines_ordered as bigint) as lines_ordered,
    cast(scores.spend_base as decimal(28, 4)) as spend_base,
    cast(scores.lines_due as bigint) as lines_due,
    cast(scores.lines_otif_first as bigint) as lines_otif_first,
    round(cast(scores.lines_otif_first as double) / nullif(scores.lines_due, 0), 6) as otif_first,
    round({{ wilson('scores.lines_otif_first', 'scores.lines_due', '-') }}, 6) as otif_first_low,
    round({{ wilson('scores.lines_otif_first', 'scores.lines_due', '+') }}, 6) as otif_first_high,
    cast(scores.lines_due_last as bigint) as lines_due_last,
    cast(scores.lines_otif_last as bigint) as lines_otif_last,
    round(cast(scores.lines_otif_last as double) / nullif(scores.lines_due_last, 0), 6) as otif_last,
    scores.otif_shrunken,
    scores.otif_prior,
    scores.otif_prior_lines,
    cast(scores.lines_open_late as bigint) as lines_open_late,
    cast(scores.lines_undated as bigint) as lines_undated,
    cast(scores.units_due as decimal(38, 3)) as units_due,
    cast(scores.units_filled as decimal(38, 3)) as units_filled,
    round(cast(scores.units_filled as double) / nullif(cast(scores.units_due as double), 0), 6) as fill_rate,
    cast(scores.lines_received as bigint) as lines_received,
    scores.lead_time_mean_days,
    scores.lead_time_sd_days,
    scores.lead_time_cv,
    scores.is_lead_time_constant,
    cast(scores.lead_time_p50_days as bigint) as lead_time_p50_days,
    cast(scores.lead_time_p90_days as bigint) as lead_time_p90_days,
    cast(scores.units_received as decimal(38, 3)) as units_received,
    cast(scores.units_rejected as decimal(38, 3)) as units_rejected,
    round(1000000 * cast(scores.units_rejected as double) / nullif(cast(scores.units_received as double), 0), 3)
        as defect_ppm,
    round(1000000 * scores.rejected_shrunken, 3) as defect_ppm_shrunken,
    cast(scores.price_variance_base as decimal(28, 4)) as price_variance_base,
    cast(scores.contract_base as decimal(28, 4)) as contract_base,
    scores.purchase_price_variance,
    cast(scores.lines_confirmed as bigint) as lines_confirmed,
    scores.days_to_confirm,
    scores.delivery_points,
    scores.quality_points,
    scores.lead_time_points,
    scores.price_points,
    scores.response_points,
    scores.weight_known,
    scores.score,
    scores.score_low,
    scores.score_high,
    scores.is_insufficient_data,
    case
        when scores.is_ranked = 0 then null
        when scores.score >= {{ assumed('grade_a_score') }} then 'A'
        when scores.score >= {{ assumed('grade_b_score') }} then 'B'
        when scores.score >= {{ assumed('grade_c_score') }} then 'C'
        else 'D'
    end as grade,
    case
        when scores.is_ranked = 1
            then cast(
                row_number() over (
                    partition by scores.as_of, scores.is_ranked
                    order by scores.score_low desc, scores.score desc, scores.supplier_id
                ) as bigint
            )
    end as supplier_rank
from scores
left join {{ ref('int_suppliers_versioned') }} as suppliers
    on scores.supplier_id = suppliers.supplier_id and {{ is_known('suppliers', 'scores') }}

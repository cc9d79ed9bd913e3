{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

with days as (
    select * from {{ snapshot_days() }} as newest
),

offers as (
    select days.month_start_on, standing.*
    from {{ standing_offers('days') }} as standing
    inner join days
        on standing.as_of = days.as_of
),

bought as (
    select
        known.as_of,
        known.product_id,
        known.supplier_id,
        sum(case when known.is_ordered then 1 else 0 end) as lines_ordered,
        sum(case when known.is_received then 1 else 0 end) as lines_received,
        sum(
            case
                when known.is_received
                    then {{ dbt.datediff('coalesce(known.confirmed_on, known.ordered_on)', 'known.received_on', 'day') }}
            end
        ) as lead_days
    from {{ purchase_lines_known('days') }} as known
    group by known.as_of, known.product_id, known.supplier_id
),

measured as (
    select
        offers.*,
        coalesce(bought.lines_ordered, 0) as lines_ordered,
        cast(bought.lead_days as double) / nullif(bought.lines_received, 0) as pair_lead_days,
        scores.lead_time_mean_days as supplier_lead_days,
        scores.otif_shrunken,
        scores.rejected_shrunken,
        scores.score,
        coalesce(scores.is_lead_time_constant, false) as is_lead_time_constant,
        coalesce(suppliers.is_approved, true) as is_qualified,
        suppliers.supplier_name,
        max(scores.otif_prior) over (partition by offers.as_of) as otif_prior,
        cast(offers.unit_price_base as double) as price
    from offers
    left join bought
        on
            offers.as_of = bought.as_of
            and offers.product_id = bought.product_id
            and offers.supplier_id = bought.supplier_id
    left join {{ ref('supplier_scores') }} as scores
        on offers.as_of = scores.as_of and offers.supplier_id = scores.supplier_id
    left join {{ ref('int_suppliers_versioned') }} as suppliers
        on offers.supplier_id = suppliers.supplier_id and {{ is_known('suppliers', 'offers') }}
),

{# The lead time to plan with: measured on the product, else on the supplier, else what the contract says. Where all
   receipts took the same days they are a booking rule, and the contract is the better guess. #}
planned as (
    select
        *,
        case
            when is_lead_time_constant and lead_time_days is not null then cast(lead_time_days as double)
            else coalesce(pair_lead_days, supplier_lead_days, cast(lead_time_days as double))
        end as planned_lead_days,
        case
            when is_lead_time_constant and lead_time_days is not null then 'contract'
            when pair_lead_days is not null then 'product receipts'
            when supplier_lead_days is not null then 'supplier receipts'
            when lead_time_days is not null then 'contract'
        end as lead_time_basis
    from measured
),

costed as (
    select
        *,
        price * {{ assumed('holding_rate') }} / 365 * (coalesce(planned_lead_days, 0) + {{ assumed('safety_days') }})
            as holding_cost,
        price * {{ assumed('late_cost_rate') }} * (1 - coalesce(otif_shrunken, otif_prior, 1)) as late_cost,
        price * {{ assumed('defect_cost_rate') }} * coalesce(rejected_shrunken, 0) as defect_cost
    from planned
),

totalled as (
    select
        *,
        round(price + holding_cost + late_cost + defect_cost, 6) as unit_total_cost,
        case when is_qualified and price is not null then 1 else 0 end as can_be_chosen
    from costed
)

select
    totalled.as_of,
    totalled.month_start_on,
    totalled.product_id,
    products.product_name,
    totalled.supplier_id,
    totalled.supplier_name,
    totalled.is_qualified,
    totalled.unit_price,
    totalled.currency,
    totalled.unit_price_base,
    totalled.min_order_quantity,
    totalled.order_multiple,
    totalled.lead_time_days as contract_lead_time_days,
    round(totalled.pair_lead_days, 6) as measured_lead_time_days,
    round(totalled.planned_lead_days, 6) as planned_lead_time_days,
    totalled.lead_time_basis,
    totalled.otif_shrunken,
    totalled.rejected_shrunken as rejected_share_shrunken,
    totalled.score as supplier_score,
    round(totalled.holding_cost, 6) as holding_cost_base,
    round(totalled.late_cost, 6) as late_cost_base,
    round(totalled.defect_cost, 6) as defect_cost_base,
    totalled.unit_total_cost as unit_total_cost_base,
    case
        when totalled.can_be_chosen = 1
            then cast(
                row_number() over (
                    partition by totalled.as_of, totalled.product_id, totalled.can_be_chosen
                    order by totalled.unit_total_cost, totalled.min_order_quantity, totalled.supplier_id
                ) as bigint
            )
    end as supplier_rank,
    cast(count(*) over (partition by totalled.as_of, totalled.product_id) as bigint) as offers,
    round(
        totalled.unit_total_cost / nullif(
            min(case when totalled.can_be_chosen = 1 then totalled.unit_total_cost end) over (
                partition by totalled.as_of, totalled.product_id
            ),
            0
        ) - 1,
        6
    ) as above_cheapest,
    cast(totalled.lines_ordered as bigint) as lines_ordered
from totalled
left join {{ ref('int_products_versioned') }} as products
    on totalled.product_id = products.product_id and {{ is_known('products', 'totalled') }}

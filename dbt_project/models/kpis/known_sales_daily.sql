{{ config(materialized='table') }}

{#- Two years to compare a year with the one before it, and a month more for the last whole month. #}
{%- set window_days = 761 -%}
{%- set measures = [
    'lines', 'lines_with_cost', 'units_sold', 'units_returned', 'units_demanded', 'units_with_cost', 'gross_amount',
    'discount_amount', 'net_amount', 'returned_amount', 'net_amount_with_cost', 'cost_amount'
] -%}

with days as (
    select as_of, month_start_on from {{ snapshot_days() }} as days
),

ranges as (
    {{ known_base_rates('days') }}
),

facts as (
    select
        product_id,
        channel_id,
        currency,
        business_on,
        as_of_from,
        as_of_to,
        sum(case when is_revenue then 1 else 0 end) as lines,
        sum(case when is_revenue and cost_amount is not null then 1 else 0 end) as lines_with_cost,
        sum(case when is_revenue and quantity > 0 then quantity else 0 end) as units_sold,
        sum(case when is_revenue and quantity < 0 then -quantity else 0 end) as units_returned,
        sum(demand_quantity) as units_demanded,
        sum(case when is_revenue and cost_amount is not null then quantity else 0 end) as units_with_cost,
        sum(case when is_revenue then gross_amount else 0 end) as gross_amount,
        sum(case when is_revenue then discount_amount else 0 end) as discount_amount,
        sum(case when is_revenue then net_amount else 0 end) as net_amount,
        sum(case when is_revenue and quantity < 0 then -net_amount else 0 end) as returned_amount,
        sum(case when is_revenue and cost_amount is not null then net_amount else 0 end) as net_amount_with_cost,
        sum(case when is_revenue and cost_amount is not null then cost_amount else 0 end) as cost_amount
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', window_days) }} as lines
    group by product_id, channel_id, currency, business_on, as_of_from, as_of_to
),

known as (
    select
        days.as_of,
        days.month_start_on,
        facts.product_id,
        facts.channel_id,
        facts.currency,
        facts.business_on,
        {%- for measure in measures %}
        sum(facts.{{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from facts
    inner join days
        on
            facts.as_of_from <= days.as_of
            and facts.as_of_to > days.as_of
            and facts.business_on <= days.as_of
            and facts.business_on > {{ day_plus('days.as_of', -window_days) }}
    group by
        days.as_of, days.month_start_on, facts.product_id, facts.channel_id, facts.currency, facts.business_on
),

currency_days as (
    select distinct as_of, currency, business_on from known
),

day_rates as (
    select currency_days.as_of, currency_days.currency, currency_days.business_on, ranges.rate_to_base
    from currency_days
    inner join ranges
        on
            currency_days.as_of = ranges.as_of
            and {{ rate_of_day('ranges', 'currency_days.currency', 'currency_days.business_on') }}
)

select
    known.as_of,
    known.month_start_on,
    known.product_id,
    known.channel_id,
    known.currency,
    known.business_on,
    day_rates.rate_to_base,
    {%- for measure in measures %}
    {%- if measure.startswith('lines') %}
    cast(known.{{ measure }} as bigint) as {{ measure }},
    {%- else %}
    known.{{ measure }},
    {%- endif %}
    {%- endfor %}
    {%- for measure in measures if 'amount' in measure %}
    known.{{ measure }} * day_rates.rate_to_base as {{ measure }}_base{{ ',' if not loop.last }}
    {%- endfor %}
from known
left join day_rates
    on
        known.as_of = day_rates.as_of
        and known.currency = day_rates.currency
        and known.business_on = day_rates.business_on

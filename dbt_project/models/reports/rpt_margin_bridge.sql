{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

{#- The twelve last whole months, each against the month before it and against the same month of the year before. #}
{%- set months = 12 -%}
{%- set comparisons = {'previous_month': 1, 'same_month_last_year': 12} -%}
{%- set effects = [
    'volume', 'mix', 'price', 'cost', 'currency', 'channel', 'new_product', 'discontinued_product', 'one_period_only'
] -%}
{%- set period = 'as_of, comparison, period_start' -%}

with months as (
    {%- for back in range(1, months + 1) %}
    select
        as_of,
        month_start_on,
        cast({{ dbt.dateadd('month', -back, dbt.date_trunc('month', day_plus('as_of', 1))) }} as date) as period_start
    from {{ snapshot_days() }} as days
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

periods as (
    {%- for comparison, back in comparisons.items() %}
    select
        as_of,
        month_start_on,
        '{{ comparison }}' as comparison,
        period_start,
        {{ day_plus(dbt.dateadd('month', 1, 'period_start'), -1) }} as period_end,
        cast({{ dbt.dateadd('month', -back, 'period_start') }} as date) as compared_start,
        {{ day_plus(dbt.dateadd('month', 1 - back, 'period_start'), -1) }} as compared_end
    from months
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

lives as (
    select * from {{ ref('known_product_lives') }}
),

{# A month of which the company's first week of sales has not seen the beginning compares with nothing. #}
comparable as (
    select periods.*
    from periods
    inner join (select distinct as_of, company_first_sold_on from lives) as companies
        on
            periods.as_of = companies.as_of
            and periods.compared_start > {{ day_plus('companies.company_first_sold_on', -7) }}
),

monthly as (
    select
        as_of,
        product_id,
        channel_id,
        currency,
        cast({{ dbt.date_trunc('month', 'business_on') }} as date) as month_on,
        sum(units_sold - units_returned) as units,
        sum(net_amount) as net_amount,
        cast(sum(net_amount_base) as decimal(38, 6)) as net_amount_base,
        sum(lines_with_cost) as lines_with_cost,
        sum(units_with_cost) as units_with_cost,
        sum(net_amount_with_cost) as net_amount_with_cost,
        cast(sum(net_amount_with_cost_base) as decimal(38, 6)) as net_amount_with_cost_base,
        sum(cost_amount) as cost_amount,
        cast(sum(cost_amount_base) as decimal(38, 6)) as cost_amount_base
    from {{ ref('known_sales_daily') }}
    where rate_to_base is not null
    group by as_of, product_id, channel_id, currency, cast({{ dbt.date_trunc('month', 'business_on') }} as date)
),

sides as (
    {%- for side in ('period', 'compared') %}
    select
        comparable.as_of,
        comparable.comparison,
        comparable.period_start,
        {{ 'true' if side == 'period' else 'false' }} as is_current,
        monthly.product_id,
        monthly.channel_id,
        monthly.currency,
        monthly.units,
        monthly.net_amount,
        monthly.net_amount_base,
        monthly.lines_with_cost,
        monthly.units_with_cost,
        monthly.net_amount_with_cost,
        monthly.net_amount_with_cost_base,
        monthly.cost_amount,
        monthly.cost_amount_base
    from comparable
    inner join monthly
        on comparable.as_of = monthly.as_of and comparable.{{ side }}_start = monthly.month_on
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

{# What a unit of each currency was worth on average in the period compared with. #}
old_rates as (
    select
        {{ period }},
        currency,
        cast(sum(net_amount_base) as double) / nullif(cast(sum(net_amount) as double), 0) as old_rate
    from sides
    where not is_current and currency <> (select base_currency from {{ source('ops', 'company') }})
    group by {{ period }}, currency
),

{# The same lines twice: all of them for revenue, those with a cost for margin. "At old rates" is what the amount would
   be worth at the rates of the period compared with. #}
measured as (
    {%- for measure, units, net, cost in (
        ('net_revenue', 'units', 'net_amount', none),
        ('margin', 'units_with_cost', 'net_amount_with_cost', 'cost_amount'),
    ) %}
    select
        sides.as_of,
        sides.comparison,
        sides.period_start,
        '{{ measure }}' as measure,
        sides.is_current,
        sides.product_id,
        sides.channel_id,
        sides.{{ units }} as units,
        {%- for name, column in (('net', net), ('cost', cost)) %}
        {%- if column %}
        sides.{{ column }}_base as {{ name }},
        case
            when old_rates.old_rate is null then sides.{{ column }}_base
            else cast(round(cast(sides.{{ column }} as double) * old_rates.old_rate, 6) as decimal(38, 6))
        end as {{ name }}_at_old_rates,
        {%- else %}
        cast(0 as decimal(38, 6)) as {{ name }},
        cast(0 as decimal(38, 6)) as {{ name }}_at_old_rates,
        {%- endif %}
        {%- endfor %}
        {{ 'sides.net_amount_base - sides.net_amount_with_cost_base' if cost else 'cast(0 as decimal(38, 6))' }}
            as net_without_cost,
        {{ 'sides.lines_with_cost' if cost else '1' }} as lines
    from sides
    left join old_rates
        on
            sides.as_of = old_rates.as_of
            and sides.comparison = old_rates.comparison
            and sides.period_start = old_rates.period_start
            and sides.currency = old_rates.currency
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

items as (
    select
        {{ period }},
        measure,
        product_id,
        channel_id,
        {%- for name in ('units', 'net', 'cost', 'net_without_cost') %}
        sum(case when is_current then 0 else {{ name }} end) as old_{{ name }},
        sum(case when is_current then {{ name }} else 0 end) as new_{{ name }},
        {%- endfor %}
        sum(lines) as lines,
        sum(case when is_current then net_at_old_rates else 0 end) as new_net_at_old_rates,
        sum(case when is_current then cost_at_old_rates else 0 end) as new_cost_at_old_rates
    from measured
    group by {{ period }}, measure, product_id, channel_id
),

{# Channels that sold nothing in one of the two periods. #}
channels as (
    select {{ period }}, channel_id
    from sides
    group by {{ period }}, channel_id
    having min(case when is_current then 1 else 0 end) = max(case when is_current then 1 else 0 end)
),

{# Only what was sold in both periods has a price in both. #}
kinds as (
    select
        items.*,
        periods.compared_end,
        case
            when items.old_units > 0 and items.new_units > 0 then 'both'
            when channels.channel_id is not null then 'channel'
            when lives.first_sold_on > periods.compared_end then 'new_product'
            when
                lives.last_sold_on < items.period_start
                and (lives.discontinued_on <= periods.period_end or lives.last_sold_on <= {{ day_plus('items.as_of', -91) }})
                then 'discontinued_product'
            else 'one_period_only'
        end as kind,
        items.old_net - items.old_cost as old_amount,
        items.new_net - items.new_cost as new_amount,
        coalesce(lives.category, '(none)') as category
    from items
    inner join periods
        on
            items.as_of = periods.as_of
            and items.comparison = periods.comparison
            and items.period_start = periods.period_start
    left join lives
        on items.as_of = lives.as_of and items.product_id = lives.product_id
    left join channels
        on
            items.as_of = channels.as_of
            and items.comparison = channels.comparison
            and items.period_start = channels.period_start
            and items.channel_id = channels.channel_id
),

{# Units of one category can be added up; those of bicycles and of water bottles cannot. #}
growth as (
    select
        {{ period }},
        measure,
        category,
        cast(sum(new_units) as double) / cast(sum(old_units) as double) as of_category
    from kinds
    where kind = 'both'
    group by {{ period }}, measure, category
),

grown as (
    select
        kinds.*,
        growth.of_category as growth_of_category,
        case when kinds.kind = 'both' then cast(kinds.new_units as double) / cast(kinds.old_units as double) end as growth
    from kinds
    left join growth
        on
            kinds.as_of = growth.as_of
            and kinds.comparison = growth.comparison
            and kinds.period_start = growth.period_start
            and kinds.measure = growth.measure
            and kinds.category = growth.category
),

{# Each product's effects are rounded before they are added up, and price takes what rounding leaves, so every sum of
   them is exact. #}
rounded as (
    select
        *,
        case when kind = 'both'
            then cast(round(cast(old_amount as double) * (growth_of_category - 1), 6) as decimal(38, 6)) else 0
        end as volume,
        case when kind = 'both'
            then cast(round(cast(old_amount as double) * (growth - growth_of_category), 6) as decimal(38, 6)) else 0
        end as mix,
        case when kind = 'both'
            then cast(round(cast(old_cost as double) * growth, 6) as decimal(38, 6)) - new_cost_at_old_rates else 0
        end as cost,
        case when kind = 'both'
            then (new_net - new_cost) - (new_net_at_old_rates - new_cost_at_old_rates) else 0
        end as currency
    from grown
),

effects as (
    select
        *,
        case when kind = 'both' then new_amount - old_amount - volume - mix - cost - currency else 0 end as price,
        {%- for kind in ('channel', 'new_product', 'discontinued_product', 'one_period_only') %}
        case when kind = '{{ kind }}' then new_amount - old_amount else 0 end as {{ kind }}{{ ',' if not loop.last }}
        {%- endfor %}
    from rounded
),

segmented as (
    {%- for segment, value in (
        ('all', "'all'"), ('channel_id', 'channel_id'), ('category', 'category')
    ) %}
    select
        {{ period }},
        measure,
        '{{ segment }}' as segment_type,
        {{ value }} as segment_value,
        sum(old_amount) as old_amount,
        {%- for effect in effects %}
        sum({{ effect }}) as {{ effect }},
        {%- endfor %}
        sum(new_amount) as new_amount,
        sum(old_net) as old_net,
        sum(new_net) as new_net,
        sum(old_net_without_cost) as old_net_without_cost,
        sum(new_net_without_cost) as new_net_without_cost,
        sum(case when kind = 'both' then 1 else 0 end) as products_in_both
    from effects
    group by {{ period }}, measure{{ ', ' ~ value if segment != 'all' }}
    having sum(lines) > 0
    {{- ' union all' if not loop.last }}
    {%- endfor %}
)

select
    segmented.as_of,
    periods.month_start_on,
    segmented.comparison,
    segmented.period_start,
    periods.period_end,
    periods.compared_start,
    periods.compared_end,
    segmented.measure,
    segmented.segment_type,
    segmented.segment_value,
    cast(segmented.old_amount as decimal(38, 6)) as compared_amount_base,
    {%- for effect in effects %}
    cast(segmented.{{ effect }} as decimal(38, 6)) as {{ effect }}_effect_base,
    {%- endfor %}
    cast(segmented.new_amount as decimal(38, 6)) as period_amount_base,
    cast(segmented.new_amount - segmented.old_amount as decimal(38, 6)) as change_base,
    cast(segmented.old_net as decimal(38, 6)) as compared_net_revenue_base,
    cast(segmented.new_net as decimal(38, 6)) as period_net_revenue_base,
    cast(segmented.old_net_without_cost as decimal(38, 6)) as compared_revenue_without_cost_base,
    cast(segmented.new_net_without_cost as decimal(38, 6)) as period_revenue_without_cost_base,
    cast(segmented.products_in_both as bigint) as products_in_both
from segmented
inner join periods
    on
        segmented.as_of = periods.as_of
        and segmented.comparison = periods.comparison
        and segmented.period_start = periods.period_start

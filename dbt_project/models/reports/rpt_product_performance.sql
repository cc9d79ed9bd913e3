{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

{%- set windows = [28, 91, 365] -%}
{#- Stock counts older than this say nothing about what is on hand. #}
{%- set stock_days = 28 -%}
{#- Weeks a trend looks back without seasons, fewest of them, and fewest pairs of the same week of two years. #}
{%- set plain_weeks = 26 -%}
{%- set fewest_weeks = 8 -%}
{%- set fewest_pairs = 13 -%}
{%- set measures = [
    'lines', 'units_sold', 'units_returned', 'gross_amount_base', 'discount_amount_base', 'net_amount_base',
    'returned_amount_base', 'net_amount_with_cost_base', 'cost_amount_base'
] -%}

with days as (
    select as_of, month_start_on from {{ snapshot_days() }} as days
),

lives as (
    select * from {{ ref('known_product_lives') }}
),

sales as (
    select * from {{ ref('known_sales_daily') }}
),

{# ---- What was sold in each window and in the one before it. #}
sums as (
    {%- for days in windows %}
    select
        as_of,
        product_id,
        {{ days }} as window_days,
        {%- for measure in measures %}
        sum(case when business_on > {{ day_plus('as_of', -days) }} then {{ measure }} end) as {{ measure }},
        {%- endfor %}
        sum(case when business_on <= {{ day_plus('as_of', -days) }} then lines end) as previous_lines,
        sum(case when business_on <= {{ day_plus('as_of', -days) }} then net_amount_base end) as previous_net_amount_base,
        sum(
            case when business_on <= {{ day_plus('as_of', -days) }} then net_amount_with_cost_base - cost_amount_base end
        ) as previous_margin_amount_base
    from sales
    where business_on > {{ day_plus('as_of', -2 * days) }}
    group by as_of, product_id
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

order_days as (
    select days.as_of, lines.product_id, lines.order_id, max(lines.ordered_on) as business_on
    from {{ ref('int_order_lines_versioned') }} as lines
    inner join days
        on
            {{ is_known('lines', 'days') }}
            and {{ in_window('lines.ordered_on', 'days.as_of', windows | max) }}
    where lines.is_revenue and lines.quantity > 0
    group by days.as_of, lines.product_id, lines.order_id
),

orders_of_days as (
    select as_of, product_id, business_on, count(*) as orders
    from order_days
    group by as_of, product_id, business_on
),

orders as (
    {%- for days in windows %}
    select as_of, product_id, {{ days }} as window_days, sum(orders) as orders
    from orders_of_days
    where business_on > {{ day_plus('as_of', -days) }}
    group by as_of, product_id
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

{# ---- Stock: the newest count of each product and place. #}
counts as (
    select
        days.as_of,
        levels.product_id,
        levels.quantity_on_hand,
        row_number() over (
            partition by days.as_of, levels.product_id, levels.location_id order by levels.business_on desc
        ) as recency
    from {{ known_rows(ref('int_inventory_levels_versioned'), 'measured_on', stock_days) }} as levels
    inner join days
        on
            levels.as_of_from <= days.as_of
            and levels.as_of_to > days.as_of
            and levels.business_on <= days.as_of
            and levels.business_on > {{ day_plus('days.as_of', -stock_days) }}
),

stock as (
    select as_of, product_id, sum(greatest(quantity_on_hand, 0)) as units_on_hand
    from counts
    where recency = 1
    group by as_of, product_id
),

{# ---- Trend: the median of slopes between weeks. With two years, only between the same weeks of both (the seasonal slope
   of Hirsch, Slack and Smith, 1982), so that a season is no trend; else between all weeks (Theil and Sen). #}
week_numbers as (
    {%- for week in range(104) %}
    select {{ week }} as weeks_ago{{ ' union all' if not loop.last }}
    {%- endfor %}
),

week_units as (
    select
        as_of,
        product_id,
        floor({{ dbt.datediff('business_on', 'as_of', 'day') }} / 7) as weeks_ago,
        greatest(sum(units_demanded), 0) as units
    from sales
    where business_on > {{ day_plus('as_of', -728) }}
    group by as_of, product_id, floor({{ dbt.datediff('business_on', 'as_of', 'day') }} / 7)
),

ages as (
    select
        as_of,
        product_id,
        least(floor({{ dbt.datediff('first_sold_on', 'as_of', 'day') }} / 7) + 1, 104) as weeks
    from lives
),

weeks as (
    select
        ages.as_of,
        ages.product_id,
        week_numbers.weeks_ago,
        ages.weeks >= 52 + {{ fewest_pairs }} as is_seasonal,
        cast(coalesce(week_units.units, 0) as double) as units
    from ages
    inner join week_numbers
        on week_numbers.weeks_ago < ages.weeks
    left join week_units
        on
            ages.as_of = week_units.as_of
            and ages.product_id = week_units.product_id
            and week_numbers.weeks_ago = week_units.weeks_ago
    where ages.weeks >= {{ fewest_weeks }}
),

slopes as (
    select
        later.as_of,
        later.product_id,
        later.is_seasonal,
        (later.units - earlier.units) / (earlier.weeks_ago - later.weeks_ago) as slope
    from weeks as later
    inner join weeks as earlier
        on
            later.as_of = earlier.as_of
            and later.product_id = earlier.product_id
            and later.is_seasonal
            and earlier.weeks_ago = later.weeks_ago + 52
    union all
    select
        later.as_of,
        later.product_id,
        later.is_seasonal,
        (later.units - earlier.units) / (earlier.weeks_ago - later.weeks_ago) as slope
    from weeks as later
    inner join weeks as earlier
        on
            later.as_of = earlier.as_of
            and later.product_id = earlier.product_id
            and not later.is_seasonal
            and earlier.weeks_ago > later.weeks_ago
            and earlier.weeks_ago < {{ plain_weeks }}
),

trends as (
    select
        as_of,
        product_id,
        is_seasonal,
        count(*) as trend_pairs,
        percentile_cont(0.5) within group (order by slope) as trend_units_per_week
    from slopes
    group by as_of, product_id, is_seasonal
),

{# ---- Contribution: margin where nearly all of a year's revenue has a cost, else revenue. #}
bases as (
    select
        as_of,
        coalesce(sum(net_amount_with_cost_base) >= 0.95 * sum(net_amount_base), false) as is_margin
    from sales
    where business_on > {{ day_plus('as_of', -365) }}
    group by as_of
),

measured as (
    select
        sums.*,
        days.month_start_on,
        {{ day_plus('sums.as_of', '1 - sums.window_days') }} as period_start,
        lives.product_name,
        lives.category,
        lives.subcategory,
        lives.first_sold_on,
        coalesce(orders.orders, 0) as orders,
        stock.units_on_hand,
        trends.trend_units_per_week,
        trends.trend_pairs,
        trends.is_seasonal as is_trend_seasonal,
        case when bases.is_margin then 'margin' else 'net_revenue' end as contribution_basis,
        case
            when bases.is_margin then coalesce(sums.net_amount_with_cost_base - sums.cost_amount_base, 0)
            else coalesce(sums.net_amount_base, 0)
        end as contribution_base,
        {# Without a whole window before it there is nothing to have changed from. #}
        case
            when lives.company_first_sold_on > {{ day_plus('sums.as_of', '1 - 2 * sums.window_days') }} then null
            when bases.is_margin then coalesce(sums.previous_margin_amount_base, 0)
            else coalesce(sums.previous_net_amount_base, 0)
        end as previous_contribution_base,
        abc_xyz.abc,
        abc_xyz.xyz,
        abc_xyz.demand_class
    from sums
    inner join days
        on sums.as_of = days.as_of
    inner join bases
        on sums.as_of = bases.as_of
    inner join lives
        on sums.as_of = lives.as_of and sums.product_id = lives.product_id
    left join orders
        on
            sums.as_of = orders.as_of
            and sums.product_id = orders.product_id
            and sums.window_days = orders.window_days
    left join stock
        on sums.as_of = stock.as_of and sums.product_id = stock.product_id
    left join trends
        on sums.as_of = trends.as_of and sums.product_id = trends.product_id
    left join {{ ref('fct_product_abc_xyz') }} as abc_xyz
        on sums.as_of = abc_xyz.as_of and sums.product_id = abc_xyz.product_id
    where coalesce(sums.lines, 0) > 0 or coalesce(sums.previous_lines, 0) > 0
),

changed as (
    select
        *,
        contribution_base - previous_contribution_base as contribution_change_base,
        cast(coalesce(units_sold, 0) as double) * 7
        / least(window_days, {{ dbt.datediff('first_sold_on', 'as_of', 'day') }} + 1) as units_per_week
    from measured
),

ranked as (
    select
        *,
        row_number() over (partition by as_of, window_days order by units_per_week desc, product_id) as velocity_rank,
        row_number() over (
            partition by as_of, window_days order by contribution_change_base desc, product_id
        ) as rank_from_top,
        row_number() over (
            partition by as_of, window_days order by contribution_change_base, product_id
        ) as rank_from_bottom,
        count(*) over (partition by as_of, window_days) as products
    from changed
)

select
    as_of,
    month_start_on,
    {{ dbt.concat(["'trailing_'", 'cast(window_days as ' ~ dbt.type_string() ~ ')', "'d'"]) }} as period_grain,
    period_start,
    as_of as period_end,
    product_id,
    product_name,
    category,
    subcategory,
    cast(orders as bigint) as orders,
    cast(coalesce(lines, 0) as bigint) as lines,
    cast(coalesce(units_sold, 0) as decimal(38, 6)) as units_sold,
    cast(coalesce(units_returned, 0) as decimal(38, 6)) as units_returned,
    round(cast(units_returned as double) / nullif(cast(units_sold as double), 0), 9) as return_rate,
    cast(coalesce(gross_amount_base, 0) as decimal(38, 6)) as gross_amount_base,
    cast(coalesce(discount_amount_base, 0) as decimal(38, 6)) as discount_amount_base,
    cast(coalesce(net_amount_base, 0) as decimal(38, 6)) as net_revenue_base,
    cast(coalesce(returned_amount_base, 0) as decimal(38, 6)) as returned_amount_base,
    cast(coalesce(net_amount_with_cost_base, 0) as decimal(38, 6)) as net_revenue_with_cost_base,
    cast(coalesce(cost_amount_base, 0) as decimal(38, 6)) as cost_amount_base,
    cast(coalesce(net_amount_with_cost_base - cost_amount_base, 0) as decimal(38, 6)) as margin_amount_base,
    round(
        cast(net_amount_with_cost_base - cost_amount_base as double)
        / nullif(greatest(cast(net_amount_with_cost_base as double), 0), 0),
        9
    ) as margin_rate,
    cast(units_on_hand as decimal(38, 6)) as units_on_hand,
    round(
        cast(units_sold as double) / nullif(cast(units_sold as double) + cast(units_on_hand as double), 0), 9
    ) as sell_through,
    round(units_per_week, 6) as units_per_week,
    velocity_rank,
    round(trend_units_per_week, 6) as trend_units_per_week,
    case when trend_pairs is not null then case when is_trend_seasonal then 'seasonal' else 'plain' end end as trend_method,
    coalesce(trend_pairs, 0) as trend_pairs,
    contribution_basis,
    cast(contribution_base as decimal(38, 6)) as contribution_base,
    cast(previous_contribution_base as decimal(38, 6)) as previous_contribution_base,
    cast(contribution_base as decimal(38, 6)) - cast(previous_contribution_base as decimal(38, 6))
        as contribution_change_base,
    case
        when contribution_change_base is null then null
        when rank_from_top * 10 <= products and contribution_change_base > 0 then 'winner'
        when rank_from_bottom * 10 <= products and contribution_change_base < 0 then 'loser'
        else 'steady'
    end as mover_class,
    abc,
    xyz,
    demand_class
from ranked

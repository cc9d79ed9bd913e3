{{ config(materialized='table') }}

{%- set window_days = 761 -%}

with days as (
    select as_of, month_start_on from {{ snapshot_days() }} as days
),

day_rates as (
    select distinct as_of, currency, business_on, rate_to_base from {{ ref('known_sales_daily') }}
),

returned as (
    select
        days.as_of,
        days.month_start_on,
        lines.order_id,
        lines.line_no,
        lines.ordered_at,
        lines.business_on as returned_on,
        lines.product_id,
        lines.customer_id,
        lines.channel_id,
        case when lines.is_cancelled then 'cancellation' else 'return' end as kind,
        -lines.quantity as units,
        lines.currency,
        lines.net_amount
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', window_days) }} as lines
    inner join days
        on
            lines.as_of_from <= days.as_of
            and lines.as_of_to > days.as_of
            and lines.business_on <= days.as_of
            and lines.business_on > {{ day_plus('days.as_of', -window_days) }}
    where lines.quantity < 0
),

{# Sales that a return may belong to: of the same order, or else of the same customer. #}
candidates as (
    {%- for method, same in (('same_order', 'order_id'), ('same_customer', 'customer_id')) %}
    select
        returned.as_of,
        returned.order_id,
        returned.line_no,
        '{{ method }}' as match_method,
        sales.order_id as sale_order_id,
        sales.line_no as sale_line_no,
        sales.ordered_at as sold_at,
        sales.business_on as sold_on
    from returned
    inner join {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', window_days) }} as sales
        on
            returned.{{ same }} = sales.{{ same }}
            and returned.product_id = sales.product_id
            and sales.is_revenue
            and sales.quantity >= returned.units
            and sales.ordered_at <= returned.ordered_at
            and sales.as_of_from <= returned.as_of
            and sales.as_of_to > returned.as_of
    {{- ' union all' if not loop.last }}
    {%- endfor %}
),

{# The newest sale that is large enough; one of the same order (its name sorts last) before all others. #}
chosen as (
    select
        *,
        row_number() over (
            partition by as_of, order_id, line_no
            order by match_method desc, sold_at desc, sale_order_id desc, sale_line_no desc
        ) as choice
    from candidates
)

select
    returned.as_of,
    returned.month_start_on,
    returned.order_id,
    returned.line_no,
    returned.returned_on,
    returned.product_id,
    returned.channel_id,
    returned.kind,
    returned.units,
    -returned.net_amount * day_rates.rate_to_base as amount_base,
    coalesce(chosen.match_method, 'none') as match_method,
    chosen.sale_order_id,
    chosen.sale_line_no,
    chosen.sold_on,
    {{ dbt.datediff('chosen.sold_on', 'returned.returned_on', 'day') }} as days_to_return
from returned
left join chosen
    on
        returned.as_of = chosen.as_of
        and returned.order_id = chosen.order_id
        and returned.line_no = chosen.line_no
        and chosen.choice = 1
left join day_rates
    on
        returned.as_of = day_rates.as_of
        and returned.currency = day_rates.currency
        and returned.returned_on = day_rates.business_on

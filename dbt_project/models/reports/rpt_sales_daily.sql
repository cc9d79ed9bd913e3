with lines as (
    select *
    from {{ ref('fct_order_lines') }}
    where is_revenue
),

sales as (
    select
        ordered_on,
        channel_id,
        count(distinct case when quantity > 0 then order_id end) as orders,
        count(*) as lines,
        sum(case when quantity > 0 then quantity else 0 end) as units_sold,
        sum(case when quantity < 0 then -quantity else 0 end) as units_returned,
        sum(gross_amount_base) as gross_amount_base,
        sum(discount_amount_base) as discount_amount_base,
        sum(net_amount_base) as net_amount_base,
        sum(case when quantity < 0 then -net_amount_base else 0 end) as returned_amount_base,
        sum(cost_amount_base) as cost_amount_base,
        sum(case when cost_amount_base is not null then net_amount_base - cost_amount_base end) as margin_amount_base,
        sum(case when is_rate_missing then 1 else 0 end) as lines_without_rate
    from lines
    group by ordered_on, channel_id
)

select
    sales.ordered_on,
    dates.iso_weekday,
    dates.iso_year_week,
    dates.year_month,
    dates.is_weekend,
    sales.channel_id,
    sales.orders,
    sales.lines,
    cast(sales.units_sold as decimal(38, 6)) as units_sold,
    cast(sales.units_returned as decimal(38, 6)) as units_returned,
    cast(sales.gross_amount_base as decimal(38, 6)) as gross_amount_base,
    cast(sales.discount_amount_base as decimal(38, 6)) as discount_amount_base,
    cast(sales.net_amount_base as decimal(38, 6)) as net_amount_base,
    cast(sales.returned_amount_base as decimal(38, 6)) as returned_amount_base,
    cast(sales.cost_amount_base as decimal(38, 6)) as cost_amount_base,
    cast(sales.margin_amount_base as decimal(38, 6)) as margin_amount_base,
    cast(sales.lines_without_rate as bigint) as lines_without_rate
from sales
left join {{ ref('dim_dates') }} as dates
    on sales.ordered_on = dates.date_on

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
        coalesce(sum(case when quantity > 0 then gross_amount_base end), 0) as sold_gross_amount_base,
        coalesce(sum(case when quantity > 0 then discount_amount_base end), 0) as sold_discount_amount_base,
        sum(case when quantity < 0 then -net_amount_base else 0 end) as returned_amount_base,
        sum(case when cost_amount_base is not null then net_amount_base end) as net_amount_with_cost_base,
        sum(cost_amount_base) as cost_amount_base,
        sum(case when cost_amount_base is not null then net_amount_base - cost_amount_base end) as margin_amount_base,
        sum(case when is_rate_missing then 1 else 0 end) as lines_without_rate
    from lines
    group by ordered_on, channel_id
),

{# Days without sales have no row and count as nothing sold, so sums reach over days, not over rows. #}
compared as (
    select
        sales.*,
        min(sales.ordered_on) over (partition by sales.channel_id) as first_on,
        sum(sales.net_amount_base) over (
            partition by sales.channel_id order by sales.ordered_on
            range between interval 6 day preceding and current row
        ) as net_amount_7d_base,
        sum(sales.net_amount_base) over (
            partition by sales.channel_id order by sales.ordered_on
            range between interval 27 day preceding and current row
        ) as net_amount_28d_base,
        coalesce(last_year.net_amount_base, 0) as net_amount_last_year_base
    from sales
    left join sales as last_year
        on
            sales.channel_id = last_year.channel_id
            and {{ day_plus('sales.ordered_on', -364) }} = last_year.ordered_on
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
    {{ share_of('sales.units_returned', 'sales.units_sold') }} as return_rate,
    cast(sales.gross_amount_base as decimal(38, 6)) as gross_amount_base,
    cast(sales.discount_amount_base as decimal(38, 6)) as discount_amount_base,
    cast(sales.sold_gross_amount_base as decimal(38, 6)) as sold_gross_amount_base,
    cast(sales.sold_discount_amount_base as decimal(38, 6)) as sold_discount_amount_base,
    {{ share_of('sales.sold_discount_amount_base', 'sales.sold_gross_amount_base') }} as discount_rate,
    cast(sales.net_amount_base as decimal(38, 6)) as net_amount_base,
    {{ share_of('sales.net_amount_base', 'sales.orders') }} as average_order_value_base,
    cast(sales.returned_amount_base as decimal(38, 6)) as returned_amount_base,
    cast(sales.net_amount_with_cost_base as decimal(38, 6)) as net_amount_with_cost_base,
    cast(sales.cost_amount_base as decimal(38, 6)) as cost_amount_base,
    cast(sales.margin_amount_base as decimal(38, 6)) as margin_amount_base,
    case
        when sales.net_amount_with_cost_base > 0
            then {{ share_of('sales.margin_amount_base', 'sales.net_amount_with_cost_base') }}
    end as margin_rate,
    case
        when sales.first_on <= {{ day_plus('sales.ordered_on', -6) }} then {{ share_of('sales.net_amount_7d_base', '7') }}
    end as net_amount_mean_7d_base,
    case
        when sales.first_on <= {{ day_plus('sales.ordered_on', -27) }} then {{ share_of('sales.net_amount_28d_base', '28') }}
    end as net_amount_mean_28d_base,
    case
        when sales.first_on <= {{ day_plus('sales.ordered_on', -364) }}
            then cast(sales.net_amount_last_year_base as decimal(38, 6))
    end as net_amount_last_year_base,
    case
        when sales.first_on <= {{ day_plus('sales.ordered_on', -364) }} and sales.net_amount_last_year_base > 0
            then {{ share_of('sales.net_amount_base - sales.net_amount_last_year_base', 'sales.net_amount_last_year_base') }}
    end as net_amount_growth,
    cast(sales.lines_without_rate as bigint) as lines_without_rate
from compared as sales
left join {{ ref('dim_dates') }} as dates
    on sales.ordered_on = dates.date_on

{%- set grains = ['month', 'quarter', 'trailing_365d'] -%}
{%- set return_days = 90 -%}
{%- set days = longest_window(grains) + return_days -%}
{%- set cohort = ['business_on', 'channel_id', 'category'] -%}
{%- set item = ['order_id', 'product_id'] + cohort -%}

with lines as (
    select order_id, product_id, business_on, channel_id, known_from, as_of_from, as_of_to, quantity, is_return
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', days) }} as lines
    where not is_cancelled and (quantity > 0 or is_return)
),

products as (
    select * from {{ told(ref('int_products_versioned'), 'product_id', ['category']) }} as products
),

sold_lines as (
    select
        lines.order_id,
        lines.product_id,
        lines.business_on,
        lines.channel_id,
        products.category,
        greatest(lines.as_of_from, coalesce(products.told_from, lines.as_of_from)) as as_of_from,
        least(lines.as_of_to, coalesce(products.told_to, lines.as_of_to)) as as_of_to,
        lines.quantity
    from lines
    left join products
        on {{ told_of_day('products', 'product_id', 'lines') }}
    where lines.quantity > 0
),

{# What an order has of a product is one item, however many lines it stands on. #}
sold as (
    select * from {{ overlapping('sold_lines', item, ['quantity']) }} as sold
),

{# Few orders have a return, so they are found before what they sold. #}
returned_orders as (
    select distinct order_id from lines where is_return
),

sold_before as (
    select * from sold where order_id in (select order_id from returned_orders)
),

{# A sale that was corrected into a return says no day of its own: the day of the correction is when it was known. #}
returned_lines as (
    select
        order_id,
        product_id,
        case when quantity < 0 then business_on else known_from end as returned_on,
        as_of_from,
        as_of_to,
        abs(quantity) as quantity
    from lines
    where is_return
),

returned as (
    select
        {% for column in item %}sold_before.{{ column }}, {% endfor -%}
        sold_before.quantity as sold_quantity,
        greatest(sold_before.as_of_from, returned_lines.as_of_from) as as_of_from,
        least(sold_before.as_of_to, returned_lines.as_of_to) as as_of_to,
        returned_lines.quantity as returned_quantity
    from returned_lines
    inner join sold_before
        on
            returned_lines.order_id = sold_before.order_id
            and returned_lines.product_id = sold_before.product_id
            and returned_lines.as_of_from < sold_before.as_of_to
            and returned_lines.as_of_to > sold_before.as_of_from
            and returned_lines.returned_on >= sold_before.business_on
            and returned_lines.returned_on <= {{ day_plus('sold_before.business_on', return_days) }}
),

facts as (
    select
        {{ cohort | join(', ') }}, as_of_from, as_of_to,
        0 as numerator,
        sum(quantity) as denominator,
        count(*) as n,
        0 as squares,
        0 as products,
        sum({{ spread_of('quantity', 'quantity') }}) as denominator_squares
    from sold
    group by {{ cohort | join(', ') }}, as_of_from, as_of_to
    union all
    select
        {{ cohort | join(', ') }}, as_of_from, as_of_to,
        sum(returned_quantity) as numerator,
        0 as denominator,
        0 as n,
        sum({{ spread_of('returned_quantity', 'returned_quantity') }}) as squares,
        sum({{ spread_of('returned_quantity', 'sold_quantity') }}) as products,
        0 as denominator_squares
    from {{ overlapping('returned', item + ['sold_quantity'], ['returned_quantity']) }} as returns
    group by {{ cohort | join(', ') }}, as_of_from, as_of_to
),

cohort_values as (
    {{ kpi_values(
        'facts', grains, segments=['channel_id', 'category'], spread=spread_columns(), lag_days=return_days
    ) }}
)

{# Where no return names an order that was sold, nobody can say what came back; that is not a rate of 0. #}
select cohort_values.*
from cohort_values
inner join (
    select as_of
    from cohort_values
    where period_grain = 'trailing_365d' and segment_type = 'all' and numerator > 0
) as linked
    on cohort_values.as_of = linked.as_of

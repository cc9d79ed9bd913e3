{%- set grains = ['month', 'quarter', 'trailing_365d'] -%}
{%- set return_days = 90 -%}
{%- set days = longest_window(grains) + return_days -%}
{%- set cohort = ['business_on', 'channel_id', 'category'] -%}
{%- set item = ['order_id', 'product_id'] + cohort -%}

with products as (
    select * from {{ told(ref('int_products_versioned'), 'product_id', ['category']) }} as products
),

{# Of age on some as-of day that knows them: younger ones are in no cohort. #}
sold_lines as (
    select order_id, product_id, business_on, channel_id, as_of_from, as_of_to, quantity
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', days) }} as lines
    where not is_cancelled and quantity > 0 and as_of_to > {{ day_plus('business_on', return_days) }}
),

{# What an order has of a product is one item, however many lines it stands on. #}
items as (
    select *
    from {{ overlapping_few('sold_lines', ['order_id', 'product_id', 'business_on', 'channel_id'], ['quantity']) }} as items
),

sold as (
    select
        items.order_id,
        items.product_id,
        items.business_on,
        items.channel_id,
        products.category,
        greatest(items.as_of_from, coalesce(products.told_from, items.as_of_from)) as as_of_from,
        least(items.as_of_to, coalesce(products.told_to, items.as_of_to)) as as_of_to,
        items.quantity
    from items
    left join products
        on {{ told_of_day('products', 'product_id', 'items') }}
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
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', days) }} as lines
    where not is_cancelled and is_return
),

returned as (
    select
        {% for column in item %}sold.{{ column }}, {% endfor -%}
        sold.quantity as sold_quantity,
        greatest(sold.as_of_from, returned_lines.as_of_from) as as_of_from,
        least(sold.as_of_to, returned_lines.as_of_to) as as_of_to,
        returned_lines.quantity as returned_quantity
    from sold
    inner join returned_lines
        on
            returned_lines.order_id = sold.order_id
            and returned_lines.product_id = sold.product_id
            and returned_lines.as_of_from < sold.as_of_to
            and returned_lines.as_of_to > sold.as_of_from
            and returned_lines.returned_on >= sold.business_on
            and returned_lines.returned_on <= {{ day_plus('sold.business_on', return_days) }}
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

{%- set grains = ['trailing_28d'] -%}
{%- set days = longest_window(grains) -%}

with purchases as (
    select distinct
        product_id,
        greatest(as_of_from, business_on) as as_of_from,
        least(as_of_to, {{ day_plus('business_on', days) }}) as as_of_to
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', days) }} as lines
    where demand_quantity > 0
),

wanted as (
    select product_id, as_of_from, as_of_to
    from {{ overlapping('purchases', ['product_id']) }} as products
    where total > 0
),

levels as (
    select
        product_id,
        location_id,
        business_on,
        as_of_from,
        as_of_to,
        sum(case when quantity_on_hand - coalesce(quantity_allocated, 0) <= 0 then 1 else 0 end) as out_of_stock,
        count(*) as counted
    from {{ known_rows(ref('int_inventory_levels_versioned'), 'measured_on', days) }} as levels
    group by product_id, location_id, business_on, as_of_from, as_of_to
),

facts as (
    select
        levels.business_on,
        levels.location_id,
        greatest(levels.as_of_from, wanted.as_of_from) as as_of_from,
        least(levels.as_of_to, wanted.as_of_to) as as_of_to,
        sum(levels.out_of_stock) as numerator,
        sum(levels.counted) as denominator,
        sum(levels.counted) as n
    from levels
    inner join wanted
        on
            levels.product_id = wanted.product_id
            and levels.as_of_from < wanted.as_of_to
            and wanted.as_of_from < levels.as_of_to
    group by
        levels.business_on,
        levels.location_id,
        greatest(levels.as_of_from, wanted.as_of_from),
        least(levels.as_of_to, wanted.as_of_to)
)

{{ kpi_values('facts', grains, segments=['location_id']) }}

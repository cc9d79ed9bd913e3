{%- set grains = ['month', 'quarter', 'trailing_90d', 'trailing_365d'] -%}
{%- set difference = times('unit_price - contract_unit_price', 'quantity_ordered') -%}
{%- set contract = times('contract_unit_price', 'quantity_ordered') -%}

with facts as (
    select
        business_on,
        as_of_from,
        as_of_to,
        currency,
        supplier_id,
        sum({{ difference }}) as numerator,
        sum({{ contract }}) as denominator,
        count(*) as n,
        sum({{ spread_of(difference, difference, decimals=7) }}) as squares,
        sum({{ spread_of(difference, contract, decimals=7) }}) as products,
        sum({{ spread_of(contract, contract, decimals=7) }}) as denominator_squares
    from {{ known_rows(ref('int_purchase_order_lines_versioned'), 'ordered_on', longest_window(grains)) }} as lines
    where contract_unit_price is not null and {{ is_owed('lines') }}
    group by business_on, as_of_from, as_of_to, currency, supplier_id
)

{{ kpi_values('facts', grains, segments=['supplier_id'], money=['numerator', 'denominator'], spread=spread_columns()) }}

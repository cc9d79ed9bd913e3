{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook=["{{ forget_scope() }}", "{{ plan_plainly() }}"],
        post_hook="{{ plan_as_usual() }}",
    )
}}

{%- set facts = [
    {
        'feed': 'order_lines',
        'table_name': 'reports.rpt_sales_daily',
        'key': ['order_id', 'line_no'],
        'business_day': 'ordered_on',
        'segment': 'channel_id',
        'has_currency': true,
        'measures': {
            'lines': of_revenue('1'),
            'units_sold': of_revenue('versions.quantity', 'versions.quantity > 0'),
            'units_returned': of_revenue('-versions.quantity', 'versions.quantity < 0'),
            'gross_amount_base': of_revenue(worth('gross_amount')),
            'discount_amount_base': of_revenue(worth('discount_amount')),
            'net_amount_base': of_revenue(worth('net_amount')),
            'returned_amount_base': of_revenue('-' ~ worth('net_amount'), 'versions.quantity < 0'),
            'cost_amount_base': of_revenue(worth('cost_amount')),
            'margin_amount_base': of_revenue(
                worth('net_amount') ~ ' - ' ~ worth('cost_amount'), 'versions.cost_amount is not null'
            ),
            'lines_without_rate': of_revenue('1', 'rates.rate = 0'),
        },
    },
    {
        'feed': 'purchase_order_lines',
        'table_name': 'marts.fct_purchase_order_lines',
        'key': ['po_id', 'line_no'],
        'business_day': 'ordered_on',
        'segment': 'supplier_id',
        'has_currency': true,
        'measures': {
            'lines': '1',
            'quantity_ordered': 'versions.quantity_ordered',
            'quantity_received': 'coalesce(versions.quantity_received, 0)',
            'quantity_rejected': 'coalesce(versions.quantity_rejected, 0)',
            'ordered_amount_base': worth('ordered_amount'),
        },
    },
    {
        'feed': 'feedback',
        'table_name': 'marts.fct_feedback',
        'key': ['feedback_id'],
        'business_day': 'submitted_on',
        'segment': 'scale',
        'has_currency': false,
        'measures': {
            'responses': '1',
            'scored_responses': 'case when versions.normalised_score is not null then 1 else 0 end',
            'normalised_score': 'coalesce(versions.normalised_score, 0)',
        },
    },
    {
        'feed': 'inventory_levels',
        'table_name': 'marts.fct_inventory_snapshot_daily',
        'key': ['product_id', 'location_id', 'measured_on'],
        'business_day': 'measured_on',
        'segment': 'location_id',
        'has_currency': false,
        'measures': {
            'counts': '1',
            'quantity_on_hand': 'versions.quantity_on_hand',
            'inventory_value_base': 'coalesce(' ~ product_amount('versions.quantity_on_hand', 'versions.unit_cost', decimals=7) ~ ', 0)',
        },
    },
] %}

with rate_ranges as (
    {{ rates_around_delivery() }}
),

{# From which day on a delivery can have changed what amounts are worth. #}
changed_rates as (
    select scope.as_of, min(rates.rate_on) as changed_from
    from {{ source('ops', 'build_scope') }} as scope
    inner join {{ ref('int_exchange_rates_versioned') }} as rates
        on rates.known_from = scope.as_of or rates.known_to = scope.as_of
    group by scope.as_of
),

{% for fact in facts -%}
{{ restated_numbers(fact) }},

{% endfor -%}
{{ restated_orders('reports.rpt_sales_daily', 'channel_id') }},

numbers as (
    select * from order_lines_orders
    union all
    {%- for fact in facts %}
    select * from {{ fact.feed }}_numbers
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    numbers.as_of,
    numbers.table_name,
    numbers.business_on,
    numbers.segment_type,
    numbers.segment_value,
    numbers.measure,
    numbers.old_value,
    {{ additive('numbers.old_value + numbers.change') }} as new_value,
    numbers.change_by_file,
    numbers.cause_file_id,
    files.feed as cause_feed,
    files.source_path as cause_path,
    cast(numbers.rows_added as bigint) as rows_added,
    cast(numbers.rows_changed as bigint) as rows_changed,
    cast(numbers.rows_removed as bigint) as rows_removed
from numbers
left join {{ source('ops', 'files') }} as files
    on files.file_id = numbers.cause_file_id
where numbers.change <> 0 and numbers.change_by_file <> 0

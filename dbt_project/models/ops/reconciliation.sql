{% set feeds = [
    {
        'feed': 'order_lines', 'key': ['order_id', 'line_no'],
        'raw_amount': times('quantity', 'unit_price') ~ ' - coalesce(discount_amount, 0)',
        'mart': ref('fct_order_lines'), 'mart_amount': 'net_amount', 'all_versions': false
    },
    {
        'feed': 'purchase_order_lines', 'key': ['po_id', 'line_no'],
        'raw_amount': times('quantity_ordered', 'unit_price'),
        'mart': ref('fct_purchase_order_lines'), 'mart_amount': 'ordered_amount', 'all_versions': false
    },
    {'feed': 'feedback', 'key': ['feedback_id'], 'mart': ref('fct_feedback'), 'all_versions': false},
    {
        'feed': 'inventory_levels', 'key': ['product_id', 'location_id', 'measured_on'],
        'mart': ref('fct_inventory_snapshot_daily'), 'all_versions': false
    },
    {
        'feed': 'supplier_products', 'key': ['supplier_id', 'product_id', 'valid_from'],
        'mart': ref('bridge_product_suppliers'), 'all_versions': false
    },
    {'feed': 'products', 'key': ['product_id'], 'mart': ref('dim_products'), 'all_versions': true},
    {'feed': 'customers', 'key': ['customer_id'], 'mart': ref('dim_customers'), 'all_versions': true},
    {'feed': 'suppliers', 'key': ['supplier_id'], 'mart': ref('dim_suppliers'), 'all_versions': true},
    {'feed': 'exchange_rates', 'key': ['from_currency', 'to_currency', 'rate_on']},
    {
        'feed': 'kpi_targets', 'key': ['kpi_id', 'segment_type', 'segment_value', 'period_start', 'period_end'],
        'mart': ref('fct_kpi_targets'), 'all_versions': true, 'mart_where': 'true'
    }
] %}

with
{% for feed in feeds %}
{{ feed.feed }}_delivered as (
    select _delivered_on as delivered_on, {{ count_and_sum(feed.raw_amount) }}
    from {{ ref('stg_' ~ feed.feed) }}
    group by _delivered_on
),

{{ feed.feed }}_began as (
    select known_from as delivered_on, {{ count_and_sum(feed.raw_amount) }}
    from {{ ref('int_' ~ feed.feed ~ '_versioned') }}
    group by known_from
),

{% endfor %}
stages as (
    {% for feed in feeds %}
    {{ landing_to_raw(feed.feed, feed.raw_amount) }}
    union all
    {{ raw_to_versions(feed.feed, feed.key, feed.raw_amount) }}
    {% if feed.mart %}
    union all
    {{ versions_to_marts(
        feed.feed, feed.mart_amount, feed.mart,
        'true' if feed.all_versions else 'known_to is null',
        feed.mart_where or ('not is_inferred' if feed.all_versions else 'true')
    ) }}
    {% endif %}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    feed,
    delivered_on,
    stage,
    cast(rows_in as bigint) as rows_in,
    cast(rows_set_aside as bigint) as rows_set_aside,
    cast(rows_out as bigint) as rows_out,
    cast(rows_in - rows_set_aside - rows_out as bigint) as row_gap,
    {{ whole_amount('amount_in') }} as amount_in,
    {{ whole_amount('amount_set_aside') }} as amount_set_aside,
    {{ whole_amount('amount_out') }} as amount_out,
    {{ whole_amount('amount_in - amount_set_aside - amount_out') }} as amount_gap
from stages

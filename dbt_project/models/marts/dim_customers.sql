{{ dimension(
    versions=ref('int_customers_versioned'),
    id='customer_id',
    key='customer_key',
    attributes=['customer_type', 'city', 'region', 'country_code', 'registered_on'],
    mentions=[
        [ref('int_order_lines_versioned'), 'customer_id'],
        [ref('int_feedback_versioned'), 'customer_id']
    ]
) }}

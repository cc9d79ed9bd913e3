{{ dimension(
    versions=ref('int_suppliers_versioned'),
    id='supplier_id',
    key='supplier_key',
    attributes=['supplier_name', 'country_code', 'currency', 'payment_terms_days', 'is_approved'],
    mentions=[
        [ref('int_purchase_order_lines_versioned'), 'supplier_id'],
        [ref('int_supplier_products_versioned'), 'supplier_id']
    ]
) }}

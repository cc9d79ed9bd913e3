{{ dimension(
    versions=ref('int_products_versioned'),
    id='product_id',
    key='product_key',
    attributes=[
        'product_name', 'category', 'subcategory', 'unit_of_measure', 'unit_cost', 'list_price', 'currency',
        'launched_on', 'discontinued_on'
    ],
    mentions=[
        [ref('int_order_lines_versioned'), 'product_id'],
        [ref('int_purchase_order_lines_versioned'), 'product_id'],
        [ref('int_supplier_products_versioned'), 'product_id'],
        [ref('int_inventory_levels_versioned'), 'product_id'],
        [ref('int_feedback_versioned'), 'product_id']
    ]
) }}

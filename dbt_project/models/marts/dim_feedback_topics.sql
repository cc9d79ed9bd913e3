-- The topics of the frozen text model (models_ml/text_topics.py); a test compares the two.
select
    cast(topic as {{ dbt.type_string() }}) as topic,
    cast(topic_label as {{ dbt.type_string() }}) as topic_label,
    cast(topic_group as {{ dbt.type_string() }}) as topic_group,
    cast(topic_description as {{ dbt.type_string() }}) as topic_description
from (values
    ('delivery', 'Delivery', 'operations', 'When and how the goods came: early, late, not yet, tracking, carrier.'),
    ('wrong_item', 'Wrong or missing item', 'operations', 'Another product than ordered, or fewer.'),
    ('packaging', 'Packaging', 'operations', 'Box, wrapping and padding.'),
    ('damage', 'Damaged or defective', 'product', 'Broken, scratched, faulty or not working.'),
    ('product_quality', 'Product quality', 'product', 'Material, workmanship, durability, whether it pleases.'),
    ('as_described', 'As described', 'product', 'Fit, size, colour and likeness to picture and description.'),
    ('price', 'Price and value', 'commercial', 'Dear or cheap, discounts, value for money, shipping cost.'),
    ('service', 'Customer service', 'service', 'Contact, answers, help, courtesy, complaints handled or not.'),
    ('returns', 'Returns and refunds', 'service', 'Sending back, exchange, refund, cancellation, warranty.'),
    ('ordering', 'Ordering and payment', 'service', 'Shop pages, checkout, payment, invoice, account.'),
    ('availability', 'Availability', 'operations', 'In stock, sold out, not available.'),
    ('brand_trust', 'Brand and trust', 'brand_esg', 'Recommendation, loyalty, trust, fraud, reputation.'),
    ('sustainability', 'Sustainability', 'brand_esg', 'Environment, plastic, climate, fair and ethical trade.')
) as topics (topic, topic_label, topic_group, topic_description)

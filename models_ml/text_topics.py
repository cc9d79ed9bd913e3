"""The topics: what customers speak of, under names that never change. How a topic is recognised is in the word lists.

A topic is known by words that ship with the project, so no label and no term can come from what one person wrote.
"""

from typing import NamedTuple


class Topic(NamedTuple):
    """A topic of feedback; `name` is its key for ever, `group` what reports filter by."""

    name: str
    label: str
    group: str
    description: str


TOPICS = (
    Topic(
        "delivery", "Delivery", "operations", "When and how the goods came: early, late, not yet, tracking, carrier."
    ),
    Topic("wrong_item", "Wrong or missing item", "operations", "Another product than ordered, or fewer."),
    Topic("packaging", "Packaging", "operations", "Box, wrapping and padding."),
    Topic("damage", "Damaged or defective", "product", "Broken, scratched, faulty or not working."),
    Topic("product_quality", "Product quality", "product", "Material, workmanship, durability, whether it pleases."),
    Topic("as_described", "As described", "product", "Fit, size, colour and likeness to picture and description."),
    Topic("price", "Price and value", "commercial", "Dear or cheap, discounts, value for money, shipping cost."),
    Topic("service", "Customer service", "service", "Contact, answers, help, courtesy, complaints handled or not."),
    Topic("returns", "Returns and refunds", "service", "Sending back, exchange, refund, cancellation, warranty."),
    Topic("ordering", "Ordering and payment", "service", "Shop pages, checkout, payment, invoice, account."),
    Topic("availability", "Availability", "operations", "In stock, sold out, not available."),
    Topic("brand_trust", "Brand and trust", "brand_esg", "Recommendation, loyalty, trust, fraud, reputation."),
    Topic("sustainability", "Sustainability", "brand_esg", "Environment, plastic, climate, fair and ethical trade."),
)
TOPIC_NAMES = tuple(topic.name for topic in TOPICS)

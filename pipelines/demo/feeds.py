"""How each system of the demo company writes: the columns and notations of its exports. Not which file they go to.

Every function returns a table ready for its writer; `demo.yml` maps its columns to the contracts.
"""

from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.demo.catalogue import (
    CITIES,
    COUNTRIES,
    CURRENCIES,
    FIRST_NAMES,
    GROUPS,
    LAST_NAMES,
    LIST_FACTORS,
    LOCATIONS,
    Customers,
    Products,
    Suppliers,
)
from pipelines.demo.plan import Bools, Ints, Plan
from pipelines.demo.sales import PROMISE_DAYS, STATUSES, Known, Lines
from pipelines.demo.supply import PurchaseOrders

PO_STATUSES = ("pending", "open", "complete")
_PEOPLE = [f"{last}, {first}" for last in LAST_NAMES for first in FIRST_NAMES]
_PLACES = [city for cities in CITIES for city in cities]


@cache
def clock() -> pa.Array:
    """HH:MM:SS of every second of a day."""
    return pa.array([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86400)])


def cents(amounts: Ints) -> pa.Array:
    """Whole cents as decimal(18, 2), without a copy per value."""
    amounts = np.ascontiguousarray(amounts, dtype=np.int64)
    words = np.empty((len(amounts), 2), dtype=np.int64)
    words[:, 0] = amounts
    words[:, 1] = amounts >> 63
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(amounts), [None, pa.py_buffer(words)])


def units(amounts: Ints) -> pa.Array:
    """Whole units as decimal(18, 3)."""
    return pa.array(amounts).cast(pa.decimal128(22, 3)).cast(pa.decimal128(18, 3))


def pick(values: pa.Array | tuple[str, ...] | list[str], index: Ints, missing: Bools | None = None) -> pa.Array:
    """`values[index]`, null where `missing`."""
    values = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    return values.take(pa.array(index, mask=missing))


def stamps(epoch: Ints, missing: Bools | None = None) -> pa.Array:
    """UTC text such as 2026-06-01T09:30:00Z; the CSV writer's own is ten times slower."""
    day, second = np.divmod(epoch, 86400)
    present = day if missing is None else day[~missing]
    first, last = (int(present.min()), int(present.max())) if len(present) else (0, 0)
    names = [(date(1970, 1, 1) + timedelta(days=each)).isoformat() for each in range(first, last + 1)]
    day = np.clip(day, first, last)
    text = pc.binary_join_element_wise(pick(names, day - first), clock().take(pa.array(second)), "T")
    text = pc.binary_join_element_wise(text, "Z", "")
    return text if missing is None else pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), text)


def dates(plan: Plan, days: Ints, missing: Bools | None = None) -> pa.Array:
    index = days if missing is None else np.where(missing, 0, days)
    return pa.array(plan.epoch_days[index].astype(np.int32), mask=missing).cast(pa.date32())


def comma(amounts: pa.Array) -> pa.Array:
    """Decimals as German text."""
    return pc.replace_substring(amounts.cast(pa.string()), ".", ",")


def web_orders(plan: Plan, lines: Lines, state: Known, products: Products, names: "Names") -> pa.Table:
    midnights = plan.midnights
    shipped = midnights[np.where(state.is_shipped, lines.shipped, 0)] + 57600 + lines.order % 3600
    delivered = midnights[np.where(state.is_delivered, lines.delivered, 0)] + 32400 + lines.order * 7919 % 32400
    cost = np.round(products.cost[lines.product] * LIST_FACTORS[lines.currency]).astype(np.int64)
    promised = np.full(len(lines), lines.day + PROMISE_DAYS)
    return pa.table(
        {
            "order": pa.array(lines.order),
            "position": pa.array(lines.line_no),
            "created": stamps(midnights[lines.day] + lines.second),
            "sku": pick(names.products, lines.product),
            "customer": pick(names.customers, lines.customer),
            "qty": pa.array(state.quantity),
            "price": cents(state.price),
            "discount": cents(state.discount),
            "cost": cents(cost),
            "currency": pick(CURRENCIES, lines.currency),
            "promised": dates(plan, promised, lines.quantity < 0),
            "shipped": stamps(shipped, ~state.is_shipped),
            "delivered": stamps(delivered, ~state.is_delivered),
            "state": pick(STATUSES, state.status),
            "void": pa.array(state.is_deleted),
        }
    )


def store_sales(plan: Plan, lines: Lines, products: Products, names: "Names") -> pa.Table:
    count = len(lines)
    return pa.table(
        {
            "Bon": pa.array(lines.order),
            "Pos": pa.array(lines.line_no),
            "Datum": pa.repeat(f"{plan.on(lines.day):%d.%m.%Y}", count),
            "Uhrzeit": clock().take(pa.array(lines.second)),
            "Artikel": pick(names.products, lines.product),
            "Kunde": pick(names.customers, np.maximum(lines.customer, 0), lines.customer < 0),
            "Filiale": pa.repeat(LOCATIONS[lines.location].city, count),
            "Menge": pa.array(lines.quantity),
            "Stückpreis": comma(cents(lines.price)),
            "Rabatt": comma(cents(lines.discount)),
            "Einstand": comma(cents(products.cost[lines.product])),
        }
    )


class Names:
    """The ids as Arrow arrays, made once."""

    def __init__(self, products: Products, customers: Customers, suppliers: Suppliers) -> None:
        self.products = pa.array(products.ids)
        self.customers = pa.array(customers.ids)
        self.suppliers = pa.array(suppliers.ids)
        self.locations = pa.array([each.location_id for each in LOCATIONS])


def customer_records(plan: Plan, customers: Customers, chosen: Ints) -> pa.Table:
    country, number = customers.country[chosen], chosen
    sizes = np.array([len(cities) for cities in CITIES])
    place = (np.cumsum(sizes) - sizes)[country] + customers.city[chosen] % sizes[country]
    return pa.table(
        {
            "customer_id": pick(customers.ids, chosen),
            "name": pick(_PEOPLE, number % len(_PEOPLE)),
            "email": [f"kunde{i}@example.org" for i in number],
            "phone": [f"+49 30 {i:07d}" for i in number],
            "postal_code": [f"{i * 37 % 100000:05d}" for i in number],
            "city": pick(_PLACES, place),
            "country": pick(COUNTRIES, country),
            "kind": pick(("consumer", "business"), (number % 9 == 0).astype(np.int64)),
            "registered": dates(plan, np.maximum(customers.registered[chosen], 0)),
        }
    )


def product_records(plan: Plan, products: Products, price: Ints, chosen: Ints, day: int) -> list[dict[str, object]]:
    """JSON objects; the last day on sale is known when it has come."""
    return [
        {
            "sku": products.ids[i],
            "name": products.names[i],
            "category": GROUPS[products.group[i]].name,
            "subcategory": GROUPS[products.group[i]].subcategory,
            "cost": f"{products.cost[i] / 100:.2f}",
            "list_price": f"{price[i] / 100:.2f}",
            "launched": plan.on(int(products.launched[i])).isoformat(),
            "discontinued": plan.on(int(products.discontinued[i])).isoformat()
            if products.discontinued[i] <= day
            else None,
        }
        for i in chosen
    ]


def supplier_records(suppliers: Suppliers) -> pa.Table:
    return pa.table(
        {
            "supplier_id": suppliers.ids,
            "supplier_name": suppliers.names,
            "country_code": pick(COUNTRIES, suppliers.country),
            "currency": pick(CURRENCIES, suppliers.currency),
            "payment_terms_days": pa.array(14 + 16 * (np.arange(len(suppliers)) % 3)),
            "is_approved": pa.array(["yes"] * len(suppliers)),
            "contact_email": [f"vertrieb@lieferant{i}.example" for i in range(len(suppliers))],
        }
    )


def price_list(
    supplier: Ints,
    product: Ints,
    price: Ints,
    names: Names,
    suppliers: Suppliers,
    products: Products,
    valid_from: date,
    valid_to: date | None = None,
) -> pa.Table:
    return pa.table(
        {
            "supplier_id": pick(names.suppliers, supplier),
            "product_id": pick(names.products, product),
            "valid_from": pa.array([valid_from] * len(product), pa.date32()),
            "valid_to": pa.array([valid_to] * len(product), pa.date32()),
            "unit_price": cents(price),
            "currency": pick(CURRENCIES, suppliers.currency[supplier]),
            "min_order_quantity": units(products.multiple[product]),
            "order_multiple": units(products.multiple[product]),
            "lead_time_days": pa.array(suppliers.contract_days[supplier]),
        }
    )


def purchase_order_records(
    plan: Plan, orders: PurchaseOrders, chosen: Bools, as_of: int, names: Names, suppliers: Suppliers
) -> pa.Table:
    """The chosen lines as known at the end of `as_of`, local time."""
    rows = np.flatnonzero(chosen)
    is_confirmed = np.full(len(rows), as_of > orders.day)
    is_received = orders.received_day[rows] <= as_of
    supplier, promised = orders.supplier[rows], orders.promised[rows]
    received_day = np.where(is_received, orders.received_day[rows], 0)
    nothing = np.zeros(len(rows), dtype=np.int64)
    received_on = dates(plan, received_day, ~is_received).cast(pa.string())
    return pa.table(
        {
            "po": pa.array(orders.number[rows]),
            "line": pa.array(orders.line_no[rows]),
            "supplier": pick(names.suppliers, supplier),
            "sku": pick(names.products, orders.product[rows]),
            "site": pick(names.locations, orders.series[rows] // len(names.products)),
            "ordered": pa.array([f"{plan.on(orders.day):%Y-%m-%d} 21:00:00"] * len(rows), pa.string()),
            "confirmed": pick([f"{plan.on(orders.day + 1):%Y-%m-%d} 11:15:00"], nothing, ~is_confirmed),
            "promised": dates(plan, promised),
            "promised_last": dates(plan, np.where(is_received, np.maximum(received_day, promised), promised)),
            "qty": pa.array(orders.quantity[rows]),
            "price": cents(orders.price[rows]),
            "contract_price": cents(orders.contract_price[rows]),
            "currency": pick(CURRENCIES, suppliers.currency[supplier]),
            "received": pc.binary_join_element_wise(received_on, "06:30:00", " "),
            "qty_received": pa.array(np.where(is_received, orders.received[rows], 0)),
            "qty_rejected": pa.array(np.where(is_received, orders.rejected[rows], 0)),
            "state": pick(PO_STATUSES, np.where(is_received, 2, is_confirmed.astype(np.int64))),
        }
    )


def inventory_records(
    plan: Plan,
    day: int,
    product: Ints,
    location: Ints,
    on_hand: Ints,
    on_order: Ints,
    received: Ints,
    issued: Ints,
    products: Products,
    names: Names,
) -> pa.Table:
    return pa.table(
        {
            "product_id": pick(names.products, product),
            "location_id": pick(names.locations, location),
            "measured_on": dates(plan, np.full(len(product), day)),
            "quantity_on_hand": units(on_hand),
            "quantity_on_order": units(on_order),
            "quantity_received": units(received),
            "quantity_issued": units(issued),
            "unit_cost": cents(products.cost[product]),
        }
    )


def exchange_rates(on: date, rates: dict[str, Decimal]) -> pa.Table:
    return pa.table(
        {
            "day": [on.isoformat()] * len(rates),
            "currency": list(rates),
            "euro": [str(rate) for rate in rates.values()],
        }
    )

"""What the company has: stock per product and location, the reorder rule, purchase orders and their receipt.

A day runs: receipts are booked, sales are served until stock runs out, then the rule orders. Stock rolls forward
exactly: close = open + received - issued. Returned goods are written off, so they never come back into stock.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.demo.catalogue import LIST_FACTORS, LOCATIONS, Products, Suppliers
from pipelines.demo.plan import Bools, Ints, Plan

COVER_DAYS = 14
SMOOTHING = 0.05


@dataclass(frozen=True)
class PurchaseOrders:
    """Purchase order lines placed on one day, one row each; prices in cents of the supplier's currency."""

    day: int
    number: Ints
    line_no: Ints
    series: Ints
    product: Ints
    supplier: Ints
    quantity: Ints
    price: Ints
    contract_price: Ints
    promised: Ints
    received_day: Ints
    received: Ints
    rejected: Ints

    def __len__(self) -> int:
        return len(self.number)


class Stock:
    """Stock of every series (location * products + product), in units."""

    def __init__(self, plan: Plan, products: Products, suppliers: Suppliers, rng: np.random.Generator) -> None:
        self.plan = plan
        self.products = products
        self.suppliers = suppliers
        self.rng = rng
        self.product = np.tile(np.arange(len(products)), len(LOCATIONS))
        self.supplier = products.supplier[self.product]
        self.multiple = products.multiple[self.product]
        # Every fifth series is planned too tightly: the ones that run out.
        is_tight = rng.random(len(self.product)) < 1 / 5
        self.safety = np.where(is_tight, 0.55, 1.6)
        self.velocity = products.base_lines.ravel() * products.mean_quantity[self.product]
        contract = suppliers.contract_days[self.supplier]
        self.on_hand = np.ceil(self.velocity * (contract + COVER_DAYS)).astype(np.int64) + 2
        self.on_order = np.zeros(len(self.product), dtype=np.int64)
        self.contract_price = contract_prices(products, suppliers)
        self._arrivals: dict[int, list[PurchaseOrders]] = {}

    def receive(self, day: int) -> Ints:
        """Book what arrives on the day; returns accepted units per series."""
        accepted = np.zeros(len(self.product), dtype=np.int64)
        for orders in self._arrivals.pop(day, []):
            due = orders.received_day == day
            np.add.at(accepted, orders.series[due], (orders.received - orders.rejected)[due])
            np.subtract.at(self.on_order, orders.series[due], orders.quantity[due])
        self.on_hand += accepted
        return accepted

    def serve(self, series: Ints, units: Ints) -> Ints:
        """Units of each wanted line that stock allows, first come first served; `series` is in ascending order."""
        wanted = np.cumsum(units) - units
        starts = np.searchsorted(series, np.arange(len(self.product)))
        before = wanted - np.append(wanted, 0)[starts[series]]
        return np.asarray(np.clip(self.on_hand[series] - before, 0, units))

    def issue(self, issued: Ints, is_selling: Bools) -> None:
        """Take the day's sales out of stock and learn the pace of what is on sale."""
        self.on_hand -= issued
        self.velocity = np.where(is_selling, self.velocity + SMOOTHING * (issued - self.velocity), self.velocity)

    def reorder(self, day: int, is_wanted: Bools) -> PurchaseOrders:
        """Order up to cover where stock and open orders fell to the reorder point."""
        contract = self.suppliers.contract_days[self.supplier]
        point = np.ceil(self.velocity * (contract + 1) * self.safety) + 1
        position = self.on_hand + self.on_order
        due = np.flatnonzero(is_wanted & (position <= point))
        # One order per supplier and location, so its lines are neighbours.
        due = due[np.lexsort((due, due // len(self.products), self.supplier[due]))]
        quantity = np.ceil((point + self.velocity * COVER_DAYS - position)[due]).astype(np.int64)
        multiple = self.multiple[due]
        quantity = np.maximum(-(-quantity // multiple) * multiple, multiple)
        orders = self._place(day, due, quantity)
        np.add.at(self.on_order, due, quantity)
        for received_day in np.unique(orders.received_day):
            self._arrivals.setdefault(int(received_day), []).append(orders)
        return orders

    def _place(self, day: int, series: Ints, quantity: Ints) -> PurchaseOrders:
        count = len(series)
        supplier = self.supplier[series]
        promised = day + self.suppliers.contract_days[supplier]
        is_short = self.rng.random(count) < self.suppliers.short_share[supplier]
        received = np.where(is_short, quantity - np.maximum(quantity // 10, 1), quantity)
        price = self.contract_price[self.product[series]]
        dearer = self.rng.random(count) < 0.05
        number, line_no = self._numbers(day, series, supplier)
        return PurchaseOrders(
            day=day,
            number=number,
            line_no=line_no,
            series=series,
            product=self.product[series],
            supplier=supplier,
            quantity=quantity,
            price=np.where(dearer, price + np.maximum(price * 3 // 100, 1), price),
            contract_price=price,
            promised=promised,
            received_day=promised + self._delay(supplier),
            received=received,
            rejected=self.rng.binomial(received, self.suppliers.reject_share[supplier]),
        )

    def _numbers(self, day: int, series: Ints, supplier: Ints) -> tuple[Ints, Ints]:
        location = series // len(self.products)
        head = supplier * len(LOCATIONS) + location
        is_first = np.append(True, head[1:] != head[:-1])[: len(head)]
        order = np.cumsum(is_first) - 1
        line_no = np.arange(len(head)) - np.flatnonzero(is_first)[order] + 1 if len(head) else order + 1
        return int(f"{self.plan.on(day):%y%m%d}") * 10_000 + order + 1, line_no

    def _delay(self, supplier: Ints) -> Ints:
        """Days from promise to receipt; never before the day after the order, as promises are 4 days or more."""
        is_late = self.rng.random(len(supplier)) < self.suppliers.late_share[supplier]
        late = 1 + self.rng.poisson(self.suppliers.late_extra[supplier])
        early = self.rng.integers(0, self.suppliers.early[supplier] + 1)
        return np.asarray(np.where(is_late, late, -early))


def contract_prices(products: Products, suppliers: Suppliers) -> Ints:
    """Cents of the main supplier's currency per product."""
    factor = LIST_FACTORS[suppliers.currency[products.supplier]]
    return np.asarray(np.maximum(np.round(products.cost * factor), 1), dtype=np.int64)

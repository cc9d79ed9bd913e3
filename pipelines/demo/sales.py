"""What customers get: served lines become orders with customers, prices, shipment and whatever is corrected later.

Store lines are final when they are rung up. Web orders are open, then shipped, then delivered; a few are cancelled,
repriced, cut by a unit when shipped, or turn out to be test orders and are withdrawn. All of it is drawn when the
order is placed, so a line can be shown as known on any later day. Money is whole cents of the line's currency.
"""

from dataclasses import dataclass, replace

import numpy as np

from pipelines.demo.catalogue import COUNTRY_CURRENCY, LIST_FACTORS, LOCATIONS, WEB, Customers, Products
from pipelines.demo.plan import Bools, Ints, Plan

NEVER = 10**6
PROMISE_DAYS = 3
LATE_SHARE = 0.12
# Days after the order on which the last news of it can come.
NEWS_DAYS = 11
NORMAL, CANCELLED, REPRICED, CUT, WITHDRAWN = range(5)
FATES = ("normal", "cancelled", "repriced", "cut", "withdrawn")
FATE_SHARES = (0.965, 0.015, 0.010, 0.006, 0.004)
OPEN, SHIPPED, DELIVERED, CANCELLED_STATUS, RETURNED = range(5)
STATUSES = ("open", "shipped", "delivered", "cancelled", "returned")
ORDER_SIZE = 2.2
RETURN_SHARE = 0.03
LOYALTY_SHARE = 0.3
RETURN_LINES_FROM = 500


@dataclass(frozen=True)
class Lines:
    """Order lines of one location and day. `customer` is -1 for anonymous sales; days are numbers of the plan.

    `shipped`, `delivered` and `fixed` are days, NEVER when it does not happen; `fixed` is when the fate shows.
    """

    day: int
    location: int
    order: Ints
    line_no: Ints
    second: Ints
    product: Ints
    customer: Ints
    currency: Ints
    quantity: Ints
    price: Ints
    discount: Ints
    fate: Ints
    shipped: Ints
    delivered: Ints
    fixed: Ints

    def __len__(self) -> int:
        return len(self.order)

    def take(self, chosen: Ints | Bools) -> "Lines":
        """The chosen lines."""
        arrays = {name: value[chosen] for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return Lines(day=self.day, location=self.location, **arrays)

    @classmethod
    def joined(cls, parts: list["Lines"]) -> "Lines":
        """Lines of the same day and location as one; at least one part."""
        names = [name for name, value in vars(parts[0]).items() if isinstance(value, np.ndarray)]
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return cls(day=parts[0].day, location=parts[0].location, **arrays)


@dataclass(frozen=True)
class Known:
    """Lines as known at the end of a day."""

    quantity: Ints
    price: Ints
    discount: Ints
    status: Ints
    is_shipped: Bools
    is_delivered: Bools
    is_deleted: Bools

    @property
    def net(self) -> Ints:
        """Net revenue in cents; a withdrawn line has none."""
        return np.where(self.is_deleted, 0, self.quantity * self.price - self.discount).astype(np.int64)


def known(lines: Lines, as_of: int) -> Known:
    """What the company knows of the lines at the end of day `as_of`."""
    is_fixed = lines.fixed <= as_of
    is_cancelled = is_fixed & (lines.fate == CANCELLED)
    is_shipped = (lines.shipped <= as_of) & ~is_cancelled
    is_delivered = (lines.delivered <= as_of) & ~is_cancelled
    is_cut = is_fixed & (lines.fate == CUT) & (lines.quantity > 1)
    quantity = np.where(is_cancelled, 0, lines.quantity - is_cut)
    price = np.where(is_fixed & (lines.fate == REPRICED), lines.price - lines.price // 10, lines.price)
    status = np.where(is_delivered, DELIVERED, np.where(is_shipped, SHIPPED, OPEN))
    if lines.location != WEB:
        status = np.full(len(lines), DELIVERED)
    status = np.where(lines.quantity < 0, RETURNED, status)
    return Known(
        quantity=quantity,
        price=price,
        discount=np.where(is_cancelled, 0, lines.discount),
        status=np.where(is_cancelled, CANCELLED_STATUS, status),
        is_shipped=is_shipped,
        is_delivered=is_delivered,
        is_deleted=is_fixed & (lines.fate == WITHDRAWN),
    )


def has_news(lines: Lines, day: int) -> Bools:
    """Which lines the web shop sends again on the day."""
    return np.asarray((lines.shipped == day) | (lines.delivered == day) | (lines.fixed == day))


class Till:
    """Turns served lines into orders."""

    def __init__(self, plan: Plan, products: Products, customers: Customers, rng: np.random.Generator) -> None:
        self.plan = plan
        self.products = products
        self.customers = customers
        self.rng = rng
        self.fate_shares = FATE_SHARES if plan.dirty else (1.0, 0.0, 0.0, 0.0, 0.0)
        # Prices per currency and product, filled anew by `reprice`.
        self._prices = np.zeros((len(LIST_FACTORS), len(products)), dtype=np.int64)

    def reprice(self, price: Ints) -> None:
        """Set the list prices (EUR cents per product) of all currencies."""
        self._prices = np.maximum(np.round(price * LIST_FACTORS[:, None]), 1).astype(np.int64)

    def ring_up(self, day: int, location: int, product: Ints, units: Ints, percent: Ints) -> Lines:
        """Orders of one location and day from served lines; `percent` is the discount per product."""
        shuffled = self.rng.permutation(len(product))
        product, units = product[shuffled], units[shuffled]
        is_first = self.rng.random(len(product)) < 1 / ORDER_SIZE
        is_first[:1] = True
        order = np.cumsum(is_first) - 1
        firsts = np.flatnonzero(is_first)
        customer = self._customers(day, location, len(firsts))[order]
        currency = self._currency(location, customer)
        price = self._prices[currency, product]
        fate, shipped, delivered, fixed = (each[order] for each in self._course(day, location, len(firsts)))
        number = LOCATIONS[location].number * 10**6 + int(f"{self.plan.on(day):%y%m%d}")
        return Lines(
            day=day,
            location=location,
            order=number * 10**7 + order + 1,
            line_no=np.arange(len(product)) - firsts[order] + 1 if len(product) else order,
            second=self._seconds(location, len(firsts))[order],
            product=product,
            customer=customer,
            currency=currency,
            quantity=units,
            price=price,
            discount=units * price * percent[product] // 100,
            fate=fate,
            shipped=shipped,
            delivered=delivered,
            fixed=fixed,
        )

    def returns(self, lines: Lines) -> list[Lines]:
        """The lines that will come back, as negative lines of the day they come back on."""
        chosen = (self.rng.random(len(lines)) < RETURN_SHARE) & (lines.fate == NORMAL) & (lines.delivered < NEVER)
        back = lines.take(chosen)
        day = back.delivered + self.rng.integers(4, 15, len(back))
        return [self._returned(back.take(day == each), int(each)) for each in np.unique(day)]

    def _returned(self, lines: Lines, day: int) -> Lines:
        never = np.full(len(lines), NEVER, dtype=np.int64)
        return replace(
            lines,
            day=day,
            line_no=lines.line_no + RETURN_LINES_FROM,
            quantity=-lines.quantity,
            discount=-lines.discount,
            shipped=never,
            delivered=never,
            fixed=never,
        )

    def _customers(self, day: int, location: int, orders: int) -> Ints:
        """Customers registered by the day; few of them buy much."""
        registered = np.searchsorted(self.customers.registered, day, side="right")
        chosen = (registered * self.rng.random(orders) ** 1.6).astype(np.int64)
        if location == WEB:
            return chosen
        return np.where(self.rng.random(orders) < LOYALTY_SHARE, chosen, -1)

    def _currency(self, location: int, customer: Ints) -> Ints:
        if location != WEB:
            return np.zeros(len(customer), dtype=np.int64)
        return COUNTRY_CURRENCY[self.customers.country[customer]]

    def _seconds(self, location: int, orders: int) -> Ints:
        """Local second of the day, ascending: the web shop from 05:00 to midnight, stores from 09:00 to 20:00."""
        opens, closes = (5, 24) if location == WEB else (9, 20)
        moment = (self.rng.random(orders) + self.rng.random(orders)) / 2
        return np.sort((opens * 3600 + moment * ((closes - opens) * 3600)).astype(np.int64))

    def _course(self, day: int, location: int, orders: int) -> tuple[Ints, Ints, Ints, Ints]:
        """(fate, shipped, delivered, fixed) of each order. Late orders come 1 to 5 days after the promise."""
        if location != WEB:
            never = np.full(orders, NEVER, dtype=np.int64)
            return np.zeros(orders, dtype=np.int64), never, never, never
        is_late = self.rng.random(orders) < LATE_SHARE
        pick, transit = self.rng.integers(0, 2, (2, orders))
        late_days = np.minimum(1 + self.rng.standard_exponential(orders).astype(np.int64), 5)
        delivered = np.where(is_late, day + PROMISE_DAYS + late_days, day + pick + 1 + transit)
        shipped = np.where(is_late, delivered - 2, day + pick)
        fate = np.searchsorted(np.cumsum(self.fate_shares)[:-1], self.rng.random(orders), side="right")
        never_leaves = (fate == CANCELLED) | (fate == WITHDRAWN)
        shipped = np.where(never_leaves, NEVER, shipped)
        delivered = np.where(never_leaves, NEVER, delivered)
        shows = np.array([NEVER, day + 1, 0, 0, day + 2])[fate]
        fixed = np.where(fate == REPRICED, delivered + 1, np.where(fate == CUT, shipped, shows))
        return fate, shipped, delivered, fixed

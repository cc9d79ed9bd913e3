"""What customers want: expected and drawn demand per product, location and day, prices and promotions. No stock here.

Expected lines of product p at location l on day t =
    base[l, p] * exp(growth * (t - last) / 365) * week[weekday] * (1 + amplitude * cos(2 pi (day of year - peak) / 365))
    * uplift of a running promotion * (list price / first list price) ** -elasticity
and 0 while the product is not on sale or the shop is shut. Lines are Poisson (for erratic and lumpy products with a
gamma distributed mean of the same expectation), units per line geometric with the product's mean quantity.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.demo.catalogue import GROUPS, LOCATIONS, WEB, Products
from pipelines.demo.plan import Bools, Floats, Ints, Plan

PROMOTION_EVERY_DAYS = 35
PROMOTION_DAYS = 8
# Shape of the gamma that spreads the mean of a day; variance of the factor is 1 / shape.
SPREAD_SHAPE = 2.0


@dataclass(frozen=True)
class Promotion:
    """A group is `discount_percent` cheaper from `first` to `last` (both included) and sells `uplift` times as much."""

    promotion_id: str
    group: int
    first: int
    last: int
    discount_percent: int
    uplift: float


@dataclass(frozen=True)
class PriceChange:
    """From `day` on the product's list price is `price` cents."""

    day: int
    product: int
    price: int


class Market:
    """Demand of every day; series are numbered location * products + product."""

    def __init__(self, plan: Plan, products: Products, rng: np.random.Generator) -> None:
        self.plan = plan
        self.products = products
        self.rng = rng
        self.promotions = _promotions(plan, rng)
        self.price_changes = _price_changes(plan, products, rng)
        self.price = products.first_price.copy()
        self._changes_by_day = {change.day: change for change in self.price_changes}
        group = products.group
        self._growth = np.array([each.growth for each in GROUPS])[group]
        self._amplitude = np.array([each.amplitude for each in GROUPS])[group]
        self._peak = np.array([each.peak_day for each in GROUPS])[group]
        self._elasticity = np.array([each.elasticity for each in GROUPS])[group]
        self._web_week = np.array([each.web_week for each in GROUPS])[group]
        self._store_week = np.array([each.store_week for each in GROUPS])[group]
        self._is_spread = np.tile(np.isin(products.demand_class, (1, 3)), len(LOCATIONS))
        # A geometric of mean m is 1 + floor(exponential * scale).
        chance = 1.0 / np.tile(products.mean_quantity, len(LOCATIONS))
        self._quantity_scale = -1.0 / np.log1p(-np.minimum(chance, 0.999999))

    @property
    def series(self) -> int:
        return len(LOCATIONS) * len(self.products)

    def open_day(self, day: int) -> PriceChange | None:
        """Take the day's price change into the list; returns it."""
        change = self._changes_by_day.get(day)
        if change is not None:
            self.price[change.product] = change.price
        return change

    def on_sale(self, day: int) -> Bools:
        return (self.products.launched <= day) & (day <= self.products.discontinued)

    def discount_percent(self, day: int) -> Ints:
        """Per product, whole percent."""
        percent = np.zeros(len(self.products), dtype=np.int64)
        for promotion in self._running(day):
            percent[self.products.group == promotion.group] = promotion.discount_percent
        return percent

    def expected_lines(self, day: int) -> Floats:
        """Per series, with the prices taken in so far."""
        on = self.plan.on(day)
        level = np.exp(self._growth * (day - self.plan.last) / 365.0)
        level *= 1.0 + self._amplitude * np.cos(2 * np.pi * (on.timetuple().tm_yday - self._peak) / 365.0)
        level *= (self.price / self.products.first_price) ** -self._elasticity
        level *= self.on_sale(day)
        for promotion in self._running(day):
            level[self.products.group == promotion.group] *= promotion.uplift
        is_open = self.plan.shops_open(day)
        week = [
            self._web_week[:, on.weekday()]
            if number == WEB
            else (self._store_week[:, on.weekday()] if is_open else np.zeros(len(self.products)))
            for number in range(len(LOCATIONS))
        ]
        return np.asarray((self.products.base_lines * level * np.stack(week)).ravel())

    def draw(self, expected: Floats) -> tuple[Ints, Ints]:
        """(series, units) of each line wanted, in order of series."""
        mean = expected.copy()
        factor = self.rng.standard_gamma(SPREAD_SHAPE, int(self._is_spread.sum())) / SPREAD_SHAPE
        mean[self._is_spread] *= factor
        lines = self.rng.poisson(mean)
        series = np.repeat(np.arange(self.series), lines)
        units = self.rng.standard_exponential(len(series)) * self._quantity_scale[series]
        return series, units.astype(np.int64) + 1

    def _running(self, day: int) -> list[Promotion]:
        return [each for each in self.promotions if each.first <= day <= each.last]


def _promotions(plan: Plan, rng: np.random.Generator) -> list[Promotion]:
    """Every five weeks, counted back from the end, so that one falls into the last fortnight."""
    firsts = range(plan.total - 12, -1, -PROMOTION_EVERY_DAYS)
    return [
        Promotion(
            promotion_id=f"A{plan.on(first):%y%m%d}",
            group=number % len(GROUPS),
            first=first,
            last=min(first + PROMOTION_DAYS - 1, plan.last),
            discount_percent=int(rng.integers(10, 26)),
            uplift=round(float(rng.uniform(1.5, 2.4)), 2),
        )
        for number, first in enumerate(firsts)
    ]


def _price_changes(plan: Plan, products: Products, rng: np.random.Generator) -> list[PriceChange]:
    """One product every nine days, by -12 to +12 %."""
    changes = []
    price = products.first_price.copy()
    for day in range(plan.last - 2, 0, -9)[::-1]:
        product = int(rng.integers(0, len(products)))
        price[product] = max(1, round(price[product] * float(rng.uniform(0.88, 1.12))))
        changes.append(PriceChange(day, product, int(price[product])))
    return changes

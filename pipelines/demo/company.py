"""`generate`: lives the company day by day, writes what it delivers and what is true. The one door of this package."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.demo import feeds
from pipelines.demo.catalogue import (
    CLASSES,
    GROUPS,
    LOCATIONS,
    WEB,
    draw_customers,
    draw_products,
    draw_suppliers,
)
from pipelines.demo.clerks import Clerks
from pipelines.demo.deliveries import ParquetFile
from pipelines.demo.market import Market
from pipelines.demo.plan import Bools, Floats, Ints, Plan
from pipelines.demo.sales import LATE_SHARE, Till
from pipelines.demo.supply import Stock
from pipelines.demo.truth import Books, Truth, load_truth, totals
from pipelines.demo.voices import NPS, SCALES, answers
from pipelines.durable import make_folder
from pipelines.errors import OpscopeError
from pipelines.sources.profiles import SHIPPED

Progress = Callable[[str, int, int], None]
# Yearly volatility of a rate is this times the root of 365.
RATE_STEP = 0.002
FIRST_RATES = {"GBP": 1.16, "CHF": 1.05, "USD": 0.91}


class Company:
    """All parts of the company, each with a random stream of its own."""

    def __init__(self, plan: Plan, out: Path) -> None:
        streams = [np.random.default_rng(seed) for seed in np.random.SeedSequence(plan.seed).spawn(9)]
        self.plan = plan
        self.suppliers = draw_suppliers(plan, streams[0])
        self.products = draw_products(plan, self.suppliers, streams[1])
        self.customers = draw_customers(plan, streams[2])
        self.market = Market(plan, self.products, streams[3])
        self.stock = Stock(plan, self.products, self.suppliers, streams[4])
        self.till = Till(plan, self.products, self.customers, streams[5])
        self.voices = streams[6]
        self.rates = _rates(plan, streams[7])
        self.books = Books(plan, self.suppliers)
        self.names = feeds.Names(self.products, self.customers, self.suppliers)
        self.clerks = Clerks(
            plan, out, self.books, self.names, self.products, self.customers, self.suppliers, streams[8]
        )
        self.demand = ParquetFile(out / "truth" / "demand.parquet", None)

    def live(self, day: int) -> None:
        """One day, from the price list in the morning to the exports at night."""
        market, stock, clerks = self.market, self.stock, self.clerks
        change = market.open_day(day)
        if change is not None or day == 0:
            self.till.reprice(market.price)
        received = stock.receive(day)
        expected = market.expected_lines(day)
        series, wanted = market.draw(expected)
        served = stock.serve(series, wanted)
        demand, sales = (np.bincount(series, units, market.series).astype(np.int64) for units in (wanted, served))
        stock.issue(sales, expected > 0)
        orders = stock.reorder(day, np.tile(market.on_sale(day), len(LOCATIONS)))
        self._sell(day, series, served)
        kept = self._kept(day, sales, received)
        self.demand.write(self._demand_rows(day, kept, expected, demand, sales, received))
        clerks.purchase_orders(day, orders)
        clerks.inventory(day, kept, stock, received, sales)
        clerks.rates(day, self.rates[day])
        clerks.masters(day, market, stock, change)
        clerks.close(day)

    def _sell(self, day: int, series: Ints, served: Ints) -> None:
        percent = self.market.discount_percent(day)
        is_served = served > 0
        series, served = series[is_served], served[is_served]
        location, product = np.divmod(series, len(self.products))
        bounds = np.searchsorted(location, np.arange(len(LOCATIONS) + 1))
        for number in range(len(LOCATIONS)):
            part = slice(bounds[number], bounds[number + 1])
            lines = self.till.ring_up(day, number, product[part], served[part], percent)
            if number == WEB:
                self.clerks.web(day, lines, self.till.returns(lines), answers(lines, self.voices))
            elif len(lines):
                self.clerks.store(day, lines)

    def _kept(self, day: int, sales: Ints, received: Ints) -> Ints:
        """Series the company keeps an eye on: launched, and on sale or with stock at some time of the day."""
        is_launched, is_on_sale = (
            np.tile(each, len(LOCATIONS)) for each in (self.products.launched <= day, self.market.on_sale(day))
        )
        return np.flatnonzero(is_launched & (is_on_sale | (self.stock.on_hand > 0) | (sales > 0) | (received > 0)))

    def _demand_rows(
        self, day: int, kept: Ints, expected: Floats, demand: Ints, sales: Ints, received: Ints
    ) -> pa.Table:
        stock, count = self.stock, len(self.products)
        mean = expected * np.tile(self.products.mean_quantity, len(LOCATIONS))
        return pa.table(
            {
                "product_id": feeds.pick(self.names.products, kept % count),
                "location_id": feeds.pick(self.names.locations, kept // count),
                "business_on": feeds.dates(self.plan, np.full(len(kept), day)),
                "expected_units": np.round(mean[kept], 6),
                "demand_units": demand[kept],
                "sales_units": sales[kept],
                "received_units": received[kept],
                "closing_units": stock.on_hand[kept],
                "is_censored": (sales < demand)[kept],
            }
        )


def generate(
    out: Path,
    *,
    seed: int = 7,
    days: int = 30,
    scale: float = 1.0,
    history_days: int = 420,
    dirty: bool = True,
    progress: Progress | None = None,
) -> Truth:
    """Write the demo company's deliveries, its profile and the truth behind them into `out`.

    Args:
        out: Folder of the deliveries, `<out>/<delivery day>/...`; beside them `profile.yml`, `truth.json`, `truth/`.
        seed: The same arguments give the same bytes.
        days: Delivery days, the last of them 2026-06-30.
        scale: 1 is about 150 order lines a day; products grow with its square root.
        history_days: Days before the first delivery, exported on it; 0 for plain daily deliveries.
        dirty: Whether to plant defects, corrections, duplicates, orphans and late files. Without them every record is
            told once: order lines as they stand on their day, purchase order lines on receipt.
        progress: Called with (what, days done, days in all).

    Raises:
        OpscopeError: an argument is out of its range, or `out` holds anything but an earlier run with these arguments.
    """
    plan = Plan(seed=seed, days=days, scale=scale, history_days=history_days, dirty=dirty)
    _claim(plan, out)
    company = Company(plan, out)
    for day in range(plan.total):
        company.live(day)
        if progress is not None:
            progress("demo data", day + 1, plan.total)
    company.demand.close()
    _write_profile(plan, out)
    return _write_truth(company, out)


def _claim(plan: Plan, out: Path) -> None:
    """Make the folder, or take over one that the same arguments filled: it will hold the same bytes again."""
    make_folder(out, "Name another folder with --out.")
    written = out / "truth.json"
    is_same = written.is_file() and load_truth(out).document["arguments"] == plan.arguments
    if not is_same and any(out.iterdir()):
        raise OpscopeError(f"folder {out}", "holds other files", "Empty it, or name another folder with --out.")


def _rates(plan: Plan, rng: np.random.Generator) -> list[dict[str, Decimal]]:
    """EUR for one unit per day: a random walk on weekdays; on other days the last one stands."""
    walk = np.exp(np.cumsum(rng.normal(0.0, RATE_STEP, (plan.total, len(FIRST_RATES))), axis=0))
    rates: list[dict[str, Decimal]] = []
    for day in range(plan.total):
        if rates and plan.on(day).weekday() >= 5:
            rates.append(rates[-1])
        else:
            drawn = zip(FIRST_RATES.items(), walk[day], strict=True)
            rates.append({name: Decimal(f"{first * float(factor):.6f}") for (name, first), factor in drawn})
    return rates


def _write_profile(plan: Plan, out: Path) -> None:
    """The shipped profile with this generation's first delivery day."""
    shipped = (SHIPPED / "demo.yml").read_text(encoding="utf-8")
    fitted = re.sub(r"(?m)^starts_on: .*$", f"starts_on: {plan.starts_on}", shipped)
    (out / "profile.yml").write_text(fitted, encoding="utf-8")


def _write_truth(company: Company, out: Path) -> Truth:
    plan, books = company.plan, company.books
    revenue = books.revenue_table(company.rates)
    for name, table in (
        ("net_revenue_daily", revenue),
        ("known_daily", books.known_table()),
        ("files", books.files_table()),
        ("products", _product_truth(company)),
    ):
        pq.write_table(table, out / "truth" / f"{name}.parquet", compression="zstd")
    document = {
        "arguments": plan.arguments,
        "history_from": plan.on(0).isoformat(),
        "starts_on": plan.starts_on.isoformat(),
        "ends_on": plan.on(plan.last).isoformat(),
        "feeds": books.feeds(),
        "net_revenue": totals(revenue),
        "order_lines_current": int(books.lines.sum()),
        "nps": dict(books.feedback),
        "late_orders": {"late_share": LATE_SHARE, "nps_points_per_late_day": SCALES[NPS].effect},
        "groups": [_group_truth(number) for number in range(len(GROUPS))],
        "promotions": _promotion_truth(company),
        "price_changes": [
            {
                "product_id": company.products.ids[each.product],
                "from": plan.on(each.day).isoformat(),
                "list_price": f"{each.price / 100:.2f}",
            }
            for each in company.market.price_changes
        ],
        "suppliers": books.supplier_truth(),
    }
    (out / "truth.json").write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return Truth(out, document)


def _group_truth(number: int) -> dict[str, object]:
    group = GROUPS[number]
    return {
        "category": group.name,
        "growth_a_year": group.growth,
        "season_amplitude": group.amplitude,
        "season_peak_day_of_year": group.peak_day,
        "price_elasticity": -group.elasticity,
        "web_week": list(group.web_week),
        "store_week": list(group.store_week),
    }


def _promotion_truth(company: Company) -> list[dict[str, object]]:
    return [
        {
            "promotion_id": each.promotion_id,
            "category": GROUPS[each.group].name,
            "from": company.plan.on(each.first).isoformat(),
            "to": company.plan.on(each.last).isoformat(),
            "discount_percent": each.discount_percent,
            "uplift": each.uplift,
        }
        for each in company.market.promotions
    ]


def _product_truth(company: Company) -> pa.Table:
    products, plan = company.products, company.plan
    is_ended: Bools = products.discontinued <= plan.last
    return pa.table(
        {
            "product_id": products.ids,
            "category": feeds.pick([each.name for each in GROUPS], products.group),
            "demand_class": feeds.pick(CLASSES, products.demand_class),
            "mean_quantity": products.mean_quantity,
            "base_lines_a_day": products.base_lines.sum(axis=0),
            "launched_on": [plan.on(int(day)) for day in products.launched],
            "discontinued_on": feeds.dates(plan, products.discontinued, ~is_ended),
            "supplier_id": feeds.pick(company.names.suppliers, products.supplier),
            "is_in_master": products.in_master,
        }
    )

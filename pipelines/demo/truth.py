"""The books of the demo company: what is true, and what a pipeline must find. `truth.json` and `truth/*.parquet`.

Definitions, each checkable by hand from the files:

* **Business day**: local date (Europe/Berlin) of `ordered_at`. Returns count on the day they come back.
* **Net revenue** of a line: quantity * unit_price - discount, ex tax, as known at the end of the last delivery day.
  Cancelled lines have quantity and discount 0, withdrawn ones (`is_deleted`) count for nothing, returns are negative.
  `net_revenue_daily.parquet` has it per business day, channel and currency, with the count of lines and units;
  `net_eur` is net times the day's rate, the last one published on or before the day, not rounded.
  `known_daily.parquet` has lines and net of all business days as known at the end of each delivery day, per currency.
* **Demand** (`demand.parquet`, per product, location and day): `expected_units` is the mean the draw came from,
  `demand_units` what customers wanted, `sales_units` what stock allowed: min(demand, opening + received). A day is
  `is_censored` when sales < demand. Sales are as rung up, before cancellations and corrections.
  Stock: closing = opening + received - sales; `received_units` are accepted units.
* **Suppliers**: parameters as drawn, from which follow
  mean lead = (1 - p) * (contract - early / 2) + p * (contract + 1 + extra) days from order to receipt; and counts
  over all lines delivered: `due` are promised on or before the last day; of these `on_time` came by the promise,
  `in_full` brought at least what was ordered by the last day (rejects included), `otif` both; open ones fail.
* **Late effect**: NPS = clip(round(7.6 - 0.9 * late days + normal(0, 0.9)), 0, 10), late days after the promise.
* **NPS counts** of all delivered NPS answers: promoters 9-10, detractors 0-6.
* **Files** (`files.parquet`): for each file its records = loaded + duplicates + quarantined, by reason code; a
  `duplicate` file repeats another byte for byte, a `refused` one cannot be read as a whole.
* **Feeds**: `loaded` counts valid records over all files, `current` keys that stand at the end, `withdrawn` keys whose
  last record says `is_deleted`, `corrections` = loaded - current - withdrawn, the records that changed an earlier one.
  `planted` counts planted records by kind, each once even if its file is copied or cut and sent again; all counts but
  `files` leave out copied and refused files. Orphans: one product and one customer trade but are in no master.
"""

import json
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.demo.catalogue import CURRENCIES, LOCATIONS, Suppliers
from pipelines.demo.deliveries import Delivery
from pipelines.demo.plan import Bools, Ints, Plan
from pipelines.demo.sales import Known, Lines
from pipelines.demo.supply import PurchaseOrders
from pipelines.demo.voices import NPS, Feedback

PURCHASE_COUNTS = (
    "lines",
    "due",
    "on_time",
    "in_full",
    "otif",
    "received_lines",
    "lead_days",
    "late_lines",
    "units_received",
    "units_rejected",
)


@dataclass(frozen=True)
class Truth:
    """What `generate` wrote: the folder, and `truth.json` as a dictionary. Tables are read when asked for."""

    root: Path
    document: dict[str, Any]

    def table(self, name: str) -> pa.Table:
        """One of demand, files, known_daily, net_revenue_daily, products."""
        return pq.read_table(self.root / "truth" / f"{name}.parquet")


def load_truth(root: Path) -> Truth:
    """The truth of a generated folder."""
    return Truth(root, json.loads((root / "truth.json").read_text(encoding="utf-8")))


class Books:
    """Counts and sums that grow while the company is generated; never more than one number per day and member."""

    def __init__(self, plan: Plan, suppliers: Suppliers) -> None:
        self.plan = plan
        self.suppliers = suppliers
        self.deliveries: list[Delivery] = []
        self.planted: Counter[tuple[str, str]] = Counter()
        self.current: Counter[str] = Counter()
        self.withdrawn: Counter[str] = Counter()
        self.feedback: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        shape = (plan.total, len(LOCATIONS), len(CURRENCIES))
        self.lines = np.zeros(shape, dtype=np.int64)
        self.quantity = np.zeros(shape, dtype=np.int64)
        self.net_cents = np.zeros(shape, dtype=np.int64)
        self._known: list[dict[str, Any]] = []
        self._purchases = {name: np.zeros(len(suppliers), dtype=np.int64) for name in PURCHASE_COUNTS}

    def book_lines(self, lines: Lines, state: Known) -> None:
        """Lines told for the first time."""
        self._add(lines, 1 - state.is_deleted.astype(np.int64), state.quantity * ~state.is_deleted, state.net)
        deleted = int(state.is_deleted.sum())
        self.current["order_lines"] += len(lines) - deleted
        self.withdrawn["order_lines"] += deleted

    def rebook_lines(self, lines: Lines, before: Known, after: Known) -> None:
        """Lines told again: only the change counts."""
        gone = after.is_deleted.astype(np.int64) - before.is_deleted
        quantity = after.quantity * ~after.is_deleted - before.quantity * ~before.is_deleted
        self._add(lines, -gone, quantity, after.net - before.net)
        self.current["order_lines"] -= int(gone.sum())
        self.withdrawn["order_lines"] += int(gone.sum())

    def _add(self, lines: Lines, count: Ints, quantity: Ints, net: Ints) -> None:
        place = (lines.day, lines.location)
        for book, amounts in ((self.lines, count), (self.quantity, quantity), (self.net_cents, net)):
            # Sums of a day stay far below 2**53, so the float sums of bincount are exact.
            book[place] += np.bincount(lines.currency, amounts, len(CURRENCIES)).astype(np.int64)

    def end_day(self, day: int) -> None:
        """Keep what is known at the end of a delivery day."""
        for number, currency in enumerate(CURRENCIES):
            net = Decimal(int(self.net_cents[:, :, number].sum())) / 100
            lines = int(self.lines[:, :, number].sum())
            self._known.append({"delivered_on": self.plan.on(day), "currency": currency, "lines": lines, "net": net})

    def book_purchases(self, orders: PurchaseOrders) -> None:
        """Purchase order lines with all that becomes known of them by the last day."""
        last = self.plan.last
        is_received = orders.received_day <= last
        told = np.full(len(orders), True) if self.plan.dirty else is_received
        due = told & (orders.promised <= last)
        on_time = due & is_received & (orders.received_day <= orders.promised)
        in_full = due & is_received & (orders.received >= orders.quantity)
        amounts = {
            "lines": told,
            "due": due,
            "on_time": on_time,
            "in_full": in_full,
            "otif": on_time & in_full,
            "received_lines": is_received,
            "lead_days": is_received * (orders.received_day - orders.day),
            "late_lines": is_received & (orders.received_day > orders.promised),
            "units_received": is_received * orders.received,
            "units_rejected": is_received * orders.rejected,
        }
        for name, amount in amounts.items():
            self._purchases[name] += np.bincount(orders.supplier, amount, len(self.suppliers)).astype(np.int64)
        self.current["purchase_order_lines"] += int(told.sum())

    def book_feedback(self, feedback: Feedback) -> None:
        score = feedback.score[feedback.scale == NPS]
        self.feedback["responses"] += len(score)
        self.feedback["promoters"] += int((score >= 9).sum())
        self.feedback["detractors"] += int((score <= 6).sum())
        self.current["feedback"] += len(feedback)

    def feeds(self) -> dict[str, dict[str, Any]]:
        """Per feed: files and records by what becomes of them."""
        feeds: dict[str, dict[str, Any]] = {}
        for delivery in self.deliveries:
            of = feeds.setdefault(delivery.feed, {"files": Counter(), "records": Counter(), "reasons": Counter()})
            of["files"][delivery.status] += 1
            if delivery.status not in ("refused", "duplicate"):
                of["reasons"].update(delivery.quarantined)
                of["records"]["seen"] += delivery.records
                of["records"]["loaded"] += delivery.loaded
                of["records"]["duplicate"] += delivery.duplicates
                of["records"]["quarantined"] += sum(delivery.quarantined.values())
        for feed, of in feeds.items():
            standing = self.current[feed], self.withdrawn[feed]
            of["current"], of["withdrawn"] = standing
            of["corrections"] = of["records"]["loaded"] - sum(standing)
            of["planted"] = {kind: count for (name, kind), count in sorted(self.planted.items()) if name == feed}
        return {feed: {name: _plain(value) for name, value in of.items()} for feed, of in sorted(feeds.items())}

    def supplier_truth(self) -> list[dict[str, Any]]:
        """Per supplier: how it was drawn, what follows from that, and what happened."""
        s = self.suppliers
        return [
            {
                "supplier_id": s.ids[i],
                "contract_days": int(s.contract_days[i]),
                "early_days": int(s.early[i]),
                "late_share": float(s.late_share[i]),
                "late_extra_days": float(s.late_extra[i]),
                "reject_share": float(s.reject_share[i]),
                "short_share": float(s.short_share[i]),
                **_lead_time(s, i),
                "counts": {name: int(amount[i]) for name, amount in self._purchases.items()},
            }
            for i in range(len(s))
        ]

    def revenue_table(self, rates: list[dict[str, Decimal]]) -> pa.Table:
        """Per business day, channel and currency; `rates` is one {currency: EUR per unit} per day."""
        rows = []
        channels = [each.channel_id for each in LOCATIONS]
        for day, currency in np.argwhere(self._is_booked()):
            for channel in dict.fromkeys(channels):
                at = [number for number, each in enumerate(channels) if each == channel]
                net = Decimal(int(self.net_cents[day, at, currency].sum())) / 100
                name = CURRENCIES[currency]
                rows.append(
                    {
                        "business_on": self.plan.on(int(day)),
                        "channel_id": channel,
                        "currency": name,
                        "lines": int(self.lines[day, at, currency].sum()),
                        "units": int(self.quantity[day, at, currency].sum()),
                        "net": net,
                        "net_eur": net * rates[day].get(name, Decimal(1)),
                    }
                )
        return pa.Table.from_pylist([row for row in rows if row["lines"] or row["units"]], schema=REVENUE_SCHEMA)

    def _is_booked(self) -> Bools:
        return np.asarray((self.lines != 0).any(axis=1))

    def known_table(self) -> pa.Table:
        return pa.Table.from_pylist(self._known, schema=KNOWN_SCHEMA)

    def files_table(self) -> pa.Table:
        rows = [
            {
                **{name: value for name, value in vars(each).items() if name != "quarantined"},
                "loaded": each.loaded,
                "quarantined": sum(each.quarantined.values()),
                "reasons": json.dumps(each.quarantined, sort_keys=True),
            }
            for each in sorted(self.deliveries, key=lambda each: each.path)
        ]
        return pa.Table.from_pylist(rows)


KNOWN_SCHEMA = pa.schema(
    {"delivered_on": pa.date32(), "currency": pa.string(), "lines": pa.int64(), "net": pa.decimal128(18, 2)}
)
REVENUE_SCHEMA = pa.schema(
    {
        "business_on": pa.date32(),
        "channel_id": pa.string(),
        "currency": pa.string(),
        "lines": pa.int64(),
        "units": pa.int64(),
        "net": pa.decimal128(18, 2),
        "net_eur": pa.decimal128(28, 8),
    }
)


def _lead_time(suppliers: Suppliers, i: int) -> dict[str, float]:
    """Mean and standard deviation of days from order to receipt, by the law of total variance."""
    p, extra, early = suppliers.late_share[i], suppliers.late_extra[i], suppliers.early[i]
    contract = suppliers.contract_days[i]
    on_time, late = contract - early / 2, contract + 1 + extra
    variance = (1 - p) * ((early + 1) ** 2 - 1) / 12 + p * extra + p * (1 - p) * (late - on_time) ** 2
    return {
        "lead_days_mean": round(float((1 - p) * on_time + p * late), 4),
        "lead_days_sd": round(float(variance**0.5), 4),
    }


def _plain(value: Any) -> Any:
    return dict(sorted(value.items())) if isinstance(value, Counter) else value


def totals(revenue: pa.Table) -> list[dict[str, str | int]]:
    """Net revenue per channel and currency, as decimal text."""
    grouped = revenue.group_by(["channel_id", "currency"]).aggregate([("net", "sum"), ("lines", "sum")])
    rows = sorted(grouped.to_pylist(), key=lambda row: (row["channel_id"], row["currency"]))
    return [
        {
            "channel_id": row["channel_id"],
            "currency": row["currency"],
            "lines": row["lines_sum"],
            "net": str(row["net_sum"]),
        }
        for row in rows
    ]

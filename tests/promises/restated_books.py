"""Which published numbers each delivery day changed, through which file: told again without SQL, as an oracle.

Records are applied file by file to plain dictionaries. A row keeps its old content while the rates of its day change
and then gets its new content at the new rates. Money is rounded per row to four decimals, half away from zero.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Row = Mapping[str, Any]
Cell = tuple[str, date, str]  # table, business day, segment
BASE = "EUR"
NOTHING = Decimal(0)
KEYS = {
    "order_lines": ("order_id", "line_no"),
    "purchase_order_lines": ("po_id", "line_no"),
    "feedback": ("feedback_id",),
    "inventory_levels": ("product_id", "location_id", "measured_on"),
    "exchange_rates": ("from_currency", "rate_on"),
}


@dataclass(frozen=True)
class File:
    """One delivered file. A record with `is_deleted` withdraws its key."""

    feed: str
    delivered_on: date
    name: str
    records: list[dict[str, Any]] = field(hash=False)

    @property
    def path(self) -> str:
        return f"{self.delivered_on}/{self.feed}/{self.name}"


@dataclass(frozen=True)
class Restatement:
    """One row of reports.rpt_restatements."""

    as_of: date
    table_name: str
    business_on: date
    segment_value: str
    measure: str
    old_value: Decimal
    new_value: Decimal
    change_by_file: Decimal
    cause_path: str
    rows: tuple[int, int, int]  # added, changed, removed


def money(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.0001"), ROUND_HALF_UP)


def cell_of(feed: str, row: Row) -> Cell:
    match feed:
        case "order_lines":
            return "reports.rpt_sales_daily", row["ordered_at"].date(), row["channel_id"]
        case "purchase_order_lines":
            return "marts.fct_purchase_order_lines", row["ordered_at"].date(), row["supplier_id"]
        case "feedback":
            return "marts.fct_feedback", row["submitted_at"].date(), row["scale"]
        case _:
            return "marts.fct_inventory_snapshot_daily", row["measured_on"], row["location_id"]


def measures(feed: str, row: Row, rate: Decimal | None) -> dict[str, Decimal]:
    """What a row adds to each number of its cell."""
    match feed:
        case "order_lines":
            return _sales(row, rate)
        case "purchase_order_lines":
            return {
                "lines": Decimal(1),
                "quantity_ordered": row["quantity_ordered"],
                "quantity_received": row["quantity_received"] or NOTHING,
                "quantity_rejected": NOTHING,
                "ordered_amount_base": money(money(row["quantity_ordered"] * row["unit_price"]) * (rate or NOTHING)),
            }
        case "feedback":
            score = (Decimal(row["score"] - 1) / 4).quantize(Decimal("0.000001"), ROUND_HALF_UP)
            return {"responses": Decimal(1), "scored_responses": Decimal(1), "normalised_score": score}
        case _:
            worth = money(row["quantity_on_hand"] * row["unit_cost"])
            return {
                "counts": Decimal(1),
                "quantity_on_hand": row["quantity_on_hand"],
                "inventory_value_base": worth,
            }


def _sales(row: Row, rate: Decimal | None) -> dict[str, Decimal]:
    if row["status"] in ("cancelled", "returned") and row["quantity"] > 0:
        return {}
    quantity = row["quantity"]
    gross, cost = money(quantity * row["unit_price"]), money(quantity * row["unit_cost"])
    net = gross - row["discount_amount"]
    at = rate or NOTHING
    base = {name: money(amount * at) for name, amount in (("gross", gross), ("net", net), ("cost", cost))}
    return {
        "lines": Decimal(1),
        "units_sold": max(quantity, NOTHING),
        "units_returned": max(-quantity, NOTHING),
        "gross_amount_base": base["gross"],
        "discount_amount_base": money(row["discount_amount"] * at),
        "net_amount_base": base["net"],
        "returned_amount_base": -base["net"] if quantity < 0 else NOTHING,
        "cost_amount_base": base["cost"],
        "margin_amount_base": base["net"] - base["cost"],
        "lines_without_rate": Decimal(rate is None),
    }


Parts = dict[tuple[Cell, str, str], list[Any]]  # (cell, measure, cause) -> [change, added, changed, removed]


class Books:
    """The state of knowledge, and what each delivery day did to it. `ids` maps a path to the file's id."""

    def __init__(self, ids: Mapping[str, str]) -> None:
        self._ids = ids
        self._rows: dict[str, dict[tuple, tuple[Row, str]]] = {feed: {} for feed in KEYS}

    def restatements(self, files: Iterable[File]) -> list[Restatement]:
        days: dict[date, list[File]] = defaultdict(list)
        for file in files:
            days[file.delivered_on].append(file)
        return [each for day in sorted(days) for each in self._live(day, days[day])]

    def _live(self, day: date, files: list[File]) -> list[Restatement]:
        before = {feed: dict(rows) for feed, rows in self._rows.items()}
        causes = self._apply(files)
        parts: Parts = defaultdict(lambda: [NOTHING, 0, 0, 0])
        old: dict[tuple[Cell, str], Decimal] = defaultdict(lambda: NOTHING)
        for feed in KEYS:
            if feed != "exchange_rates" and before[feed]:
                self._compare(feed, before, causes, parts, old)
        return _listed(day, parts, old)

    def _apply(self, files: list[File]) -> dict[tuple, str]:
        """Take the day's records up; return the file that changed each (feed, key)."""
        said: dict[tuple, tuple[Row, str]] = {}
        for file in sorted(files, key=lambda each: each.path):
            for record in file.records:
                said[(file.feed, *(record[name] for name in KEYS[file.feed]))] = (record, file.path)
        causes = {}
        for (feed, *key), (record, path) in said.items():
            standing = self._rows[feed].get(tuple(key))
            new = None if record["is_deleted"] else {k: v for k, v in record.items() if k != "is_deleted"}
            if (standing[0] if standing else None) == new:
                continue
            causes[(feed, *key)] = path
            if new is None:
                del self._rows[feed][tuple(key)]
            else:
                self._rows[feed][tuple(key)] = (new, path)
        return causes

    def _compare(
        self,
        feed: str,
        before: Mapping[str, dict[tuple, tuple[Row, str]]],
        causes: Mapping[tuple, str],
        parts: Parts,
        old: dict[tuple[Cell, str], Decimal],
    ) -> None:
        reach = max(cell_of(feed, row)[1] for row, _ in before[feed].values())
        sold = [_orders(feed, rows) for rows in (before[feed], self._rows[feed])]
        for row, _ in before[feed].values():
            cell = cell_of(feed, row)
            (was, _), (now, at) = _rate(before, row, cell[1]), _rate(self._rows, row, cell[1])
            was_worth = measures(feed, row, was)
            for name, value in was_worth.items():
                old[cell, name] += value
            if was != now:
                moved = {name: value - was_worth[name] for name, value in measures(feed, row, now).items()}
                cause = causes[("exchange_rates", *at)] if at in _changed(causes) else _other_cause(before, row, causes)
                _note(parts, cell, cause, moved, 2)
        turned: dict[tuple, set[str]] = defaultdict(set)
        for (changed_feed, *key), path in causes.items():
            if changed_feed == feed:
                self._revise(feed, before[feed].get(tuple(key)), self._rows[feed].get(tuple(key)), path, parts, turned)
        for cell in sold[0].keys() | sold[1].keys():
            old[cell, "orders"] += len(sold[0][cell])
            for order, sign, place in [
                *((order, 1, 1) for order in sold[1][cell] - sold[0][cell]),
                *((order, -1, 3) for order in sold[0][cell] - sold[1][cell]),
            ]:
                cause = max(turned[cell, order], key=lambda path: self._ids[path])
                _note(parts, cell, cause, {"orders": Decimal(sign)}, place)
        for part in [part for part in parts if part[0][0] == cell_table(feed) and part[0][1] > reach]:
            del parts[part]

    def _revise(
        self,
        feed: str,
        was: tuple[Row, str] | None,
        now: tuple[Row, str] | None,
        path: str,
        parts: Parts,
        turned: dict[tuple, set[str]],
    ) -> None:
        sides = []
        for side in (was, now):
            cell = cell_of(feed, side[0]) if side else None
            rate = _rate(self._rows, side[0], cell[1])[0] if side and cell else None
            sides.append((cell, measures(feed, side[0], rate) if side else {}))
        (old_cell, old_worth), (new_cell, new_worth) = sides
        if old_cell == new_cell and old_cell is not None:
            names = old_worth.keys() | new_worth.keys()
            moved = {name: new_worth.get(name, NOTHING) - old_worth.get(name, NOTHING) for name in names}
            _note(parts, old_cell, path, moved, 2)
        else:
            if old_cell is not None:
                _note(parts, old_cell, path, {name: -value for name, value in old_worth.items()}, 3)
            if new_cell is not None:
                _note(parts, new_cell, path, new_worth, 1)
        if feed == "order_lines":
            for cell, side in ((old_cell, was), (new_cell, now)):
                if side is not None and cell is not None:
                    turned[cell, side[0]["order_id"]].add(path)


def cell_table(feed: str) -> str:
    return {
        "order_lines": "reports.rpt_sales_daily",
        "purchase_order_lines": "marts.fct_purchase_order_lines",
        "feedback": "marts.fct_feedback",
        "inventory_levels": "marts.fct_inventory_snapshot_daily",
    }[feed]


def _changed(causes: Mapping[tuple, str]) -> set[tuple]:
    return {tuple(key) for feed, *key in causes if feed == "exchange_rates"}


def _other_cause(before: Mapping[str, dict[tuple, tuple[Row, str]]], row: Row, causes: Mapping[tuple, str]) -> str:
    """The rate that now holds was known before, so the one that held has been withdrawn."""
    business_on = (row.get("ordered_at") or row.get("submitted_at")).date()
    return causes[("exchange_rates", *_rate(before, row, business_on)[1])]


def _rate(
    state: Mapping[str, dict[tuple, tuple[Row, str]]], row: Row, business_on: date
) -> tuple[Decimal | None, tuple]:
    """The rate of a row's currency on a day, and the key of the rate's record."""
    currency = row.get("currency", BASE)
    if currency == BASE:
        return Decimal(1), ()
    days = [key[1] for key in state["exchange_rates"] if key[0] == currency and key[1] <= business_on]
    if not days:
        return None, ()
    key = (currency, max(days))
    return state["exchange_rates"][key][0]["rate"], key


def _orders(feed: str, rows: Mapping[tuple, tuple[Row, str]]) -> dict[Cell, set[str]]:
    found: dict[Cell, set[str]] = defaultdict(set)
    if feed == "order_lines":
        for row, _ in rows.values():
            if row["quantity"] > 0 and row["status"] not in ("cancelled", "returned"):
                found[cell_of(feed, row)].add(row["order_id"])
    return found


def _note(parts: Parts, cell: Cell, cause: str, moved: Mapping[str, Decimal], place: int) -> None:
    for name, change in moved.items():
        if change:
            part = parts[cell, name, cause]
            part[0] += change
            part[place] += 1


def _listed(day: date, parts: Parts, old: Mapping[tuple[Cell, str], Decimal]) -> list[Restatement]:
    totals: dict[tuple[Cell, str], Decimal] = defaultdict(lambda: NOTHING)
    for (cell, name, _), (change, *_) in parts.items():
        totals[cell, name] += change
    found = []
    for (cell, name, cause), (change, *rows) in parts.items():
        if change and totals[cell, name]:
            was = old[cell, name]
            found.append(Restatement(day, *cell, name, was, was + totals[cell, name], change, cause, tuple(rows)))
    return found

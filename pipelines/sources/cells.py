"""Cells of sources that type each cell on its own (Excel, SQL drivers) -> Arrow columns of one type.

A column whose cells agree gets their type; a column whose cells do not stays text, so that one odd cell is refused by
the contract instead of bending its neighbours. Numbers are never rounded.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

MAX_DIGITS = 38
# A double holds every whole number up to here.
MAX_EXACT_INTEGER = 2**53
INT64_LIMIT = 2**63


@dataclass
class ColumnKind:
    """What the cells of one column were, gathered while they pass."""

    kinds: set[str] = field(default_factory=set)
    scale: int = 0
    whole_digits: int = 0

    def text(self, cell: object) -> str | None:
        """The cell as canonical text: ISO 8601, plain decimal point, JSON for nested values; None stays None."""
        if cell is None:
            return None
        kind, text = canonical(cell)
        self.kinds.add(kind)
        if kind in ("integer", "decimal"):
            whole, _, fraction = text.lstrip("-").partition(".")
            self.scale = max(self.scale, len(fraction))
            self.whole_digits = max(self.whole_digits, len(whole))
        return text

    @property
    def arrow_type(self) -> pa.DataType:
        """The one type that holds all cells seen, string when there is none."""
        if self.kinds <= {"integer"} and self.kinds:
            return pa.int64()
        if self.kinds <= {"integer", "decimal"} and self.kinds and self.scale + self.whole_digits <= MAX_DIGITS:
            return pa.decimal128(MAX_DIGITS, self.scale)
        single = {
            frozenset({"date"}): pa.date32(),
            frozenset({"timestamp"}): pa.timestamp("us"),
            frozenset({"date", "timestamp"}): pa.timestamp("us"),
            frozenset({"zoned"}): pa.timestamp("us", tz="UTC"),
            frozenset({"boolean"}): pa.bool_(),
        }
        return single.get(frozenset(self.kinds), pa.string())


def canonical(cell: object) -> tuple[str, str]:
    """(kind, canonical text) of one cell that is not None."""
    if isinstance(cell, str):
        return "text", cell
    if isinstance(cell, bool):
        return "boolean", "true" if cell else "false"
    if isinstance(cell, (int, float, Decimal)):
        return _number(cell)
    if isinstance(cell, datetime):
        return _moment(cell)
    if isinstance(cell, date):
        return "date", cell.isoformat()
    if isinstance(cell, (bytes, memoryview)):
        return "text", bytes(cell).hex()
    if isinstance(cell, (dict, list, tuple)):
        return "text", json.dumps(cell, ensure_ascii=False, default=str)
    return "text", str(cell)


def _number(cell: int | float | Decimal) -> tuple[str, str]:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= MAX_EXACT_INTEGER:
        cell = int(cell)
    if isinstance(cell, int):
        return ("integer" if -INT64_LIMIT <= cell < INT64_LIMIT else "decimal"), str(cell)
    exact = Decimal(repr(cell)) if isinstance(cell, float) else cell
    return ("decimal", format(exact, "f")) if exact.is_finite() else ("text", str(cell))


def _moment(cell: datetime) -> tuple[str, str]:
    if cell.tzinfo is None:
        return "timestamp", cell.isoformat(sep=" ")
    return "zoned", cell.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def typed(texts: pa.Array | pa.ChunkedArray, target: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """Canonical texts as the column type found for them."""
    if pa.types.is_boolean(target):
        return pc.equal(texts, "true")
    if pa.types.is_timestamp(target) and target.tz is not None:
        return pc.assume_timezone(pc.cast(texts, pa.timestamp("us")), "UTC")
    return pc.cast(texts, target)


def typed_column(cells: Iterable[Any]) -> pa.Array:
    """One whole column of cells as one Arrow array."""
    kind = ColumnKind()
    texts = pa.array([kind.text(cell) for cell in cells], pa.string())
    return typed(texts, kind.arrow_type)

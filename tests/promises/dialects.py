"""Twelve ways in which companies write their files: what the profile says, and the same told to the golden model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from pipelines.sources.contracts import contract
from pipelines.sources.profiles import Source
from tests.promises.golden import Described
from tests.promises.golden_company import Kind

ZONE = "Europe/Berlin"
GERMAN = {"delimiter": ";", "decimal": ",", "date_format": "%d.%m.%Y", "timestamp_format": "%d.%m.%Y %H:%M:%S"}


@dataclass(frozen=True)
class Dialect:
    """One source of a profile. `left_out` maps contract columns that the files do not have to what fills them."""

    name: str
    feed: str
    notation: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, Any] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    where: tuple[str, str, Callable[[str], bool]] | None = None
    day_column: str | None = None
    line_end: bytes = b"\n"
    is_packed: bool = False

    @cached_property
    def source(self) -> Source:
        columns: dict[str, Any] = self.left_out | self.renamed
        path = f"{self.name}/*.csv*" if self.day_column else f"{{delivered_on}}/{self.name}/*.csv*"
        day = {"column": self.day_column} if self.day_column else "path"
        condition = self.where[1] if self.where else None
        return Source(
            path=path, notation=self.notation, columns=columns, delivered_on=day, where=condition, **self.options
        )

    @cached_property
    def kind(self) -> Kind:
        described = Described(
            notation=self.source.notation,
            columns={name: SimpleNamespace(**mapping.model_dump()) for name, mapping in self.source.columns.items()},
            identical_records=self.source.identical_records,
            key_versions=self.source.key_versions,
            where=self._holds if self.where else None,
            where_reads=(self.where[0],) if self.where else (),
            day_column=self.day_column,
        )
        return Kind(self.feed, contract(self.feed), described, self.name)

    def _holds(self, cells: dict[str, str]) -> bool:
        """What the condition says of a record: SQL calls a condition on nothing neither true nor false."""
        assert self.where is not None
        column, _, holds = self.where
        return cells[column] not in {"", *self.source.notation.null_values} and holds(cells[column])

    def delivered(self, column: str) -> str:
        """The name that a contract column has in the files."""
        return self.renamed.get(column, column)

    def folder(self, day: str) -> str:
        return self.name if self.day_column else f"{day}/{self.name}"


DIALECTS = (
    Dialect("plain", "order_lines"),
    Dialect(
        "german",
        "order_lines",
        GERMAN | {"thousands": ".", "encoding": "cp1252"},
        renamed={"order_id": "Beleg", "quantity": "Menge", "unit_price": "Preis"},
        line_end=b"\r\n",
    ),
    Dialect("wide", "order_lines", {"encoding": "utf-16", "delimiter": "\t"}),
    Dialect(
        "packed",
        "order_lines",
        {"time_zone": "America/New_York", "thousands": ",", "null_values": ("NA", "NULL", "-")},
        is_packed=True,
    ),
    Dialect(
        "till",
        "order_lines",
        {"delimiter": "|", "quote": "'", "encoding": "latin-1"},
        left_out={
            "line_no": {"ordinal_within": ["order_id"]},
            "channel_id": {"constant": "store"},
            "currency": {"constant": "EUR"},
        },
        options={"identical_records": "duplicate"},
    ),
    Dialect("log", "order_lines", options={"key_versions": "last_wins"}, line_end=b"\r\n"),
    Dialect("dump", "order_lines", day_column="told"),
    Dialect("tests", "order_lines", where=("channel_id", "channel_id <> 'test'", lambda text: text != "test")),
    Dialect("items", "products", {"true_values": ("J", "Ja"), "false_values": ("N",)} | GERMAN),
    Dialect("people", "customers", {"timestamp_format": "%m/%d/%Y %H:%M", "date_format": "%m/%d/%Y"}),
    Dialect(
        "rates", "exchange_rates", {"decimal": ",", "delimiter": ";"}, left_out={"to_currency": {"constant": "EUR"}}
    ),
    Dialect("voices", "feedback", {"null_values": ("", "NULL")}),
)


def feeds(dialects: tuple[Dialect, ...] = DIALECTS) -> dict[str, list[Source]]:
    """The feeds of a profile that reads all these dialects."""
    found: dict[str, list[Source]] = {}
    for dialect in dialects:
        found.setdefault(dialect.feed, []).append(dialect.source)
    return found

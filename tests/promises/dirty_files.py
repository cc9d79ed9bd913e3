"""Writes delivered files from a seed: clean ones whose values are known, and the same with dirt planted in them.

Nothing here says what the dirt must lead to; that is the golden model's business.
"""

import csv
import gzip
import io
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.promises.dialects import ZONE, Dialect

ODD_CELLS = (
    *("", "NA", "NULL", "-", "x" * 129, "1.5", "1,5", "1e3", "nan", "-Infinity", "1e309", "1e400", "--1", "+3", " 7 "),
    *("-0", "-1", "0", "9" * 19, "9" * 39, "9" * 60, "0" * 50 + "7", "1,234.5", "1.234,5", "12,34", "1 000", "$5"),
    *("0x10", "1_0", "5\u00a0", "\u0661", "3.14159", "0.000000001", "1000000000.001", "999999999.9999", "1E-2", "5."),
    *("2025-02-29", "2024-02-29", "2025-03-30 02:30:00", "2025-10-26 02:30:00", "30.03.2025 02:30:00", "03/04/2025"),
    *("2025-03-01 24:00:00", "2025-03-01 10:00:60", "2025-03-01T10:00:00+02:00", "2025-03-01 10:00:00.1234567"),
    *("0001-01-01 00:00:00", "9999-12-31 23:59:59", "1989-12-31 23:59:59", "1970-01-01", "31.04.2025", "2025-4-1"),
    *("true", "N", "maybe", "J", "1", "eur", "EURO", "EUR\n", "test", "open", "gone", "=1+1", "@cmd", "caf\u00e9"),
    *("two\nlines", "a\tb", 'q"q', "q'q", "a,b;c|d", "\u20ac", "<b>", '{"a": 1}', "\u202eabc", "\ufeff"),
)
SPLINTERS = (
    *(b'"', b'""', b"\n", b"\r", b"\r\n", b",", b";", b"|", b"\t", b"'", b"\0", b"\x1b", b"\x7f", b"\xff", b"\xc3"),
    *(b"\xed\xa0\x80", b"\xc0\xaf", b"\x81", b"\xef\xbb\xbf", b"\xff\xfe", b'"\n"', b"\n\n", b"\0\n", b"\xd8\0"),
)


@dataclass(frozen=True)
class Written:
    """A delivered file: its bytes, and the values of its rows when nothing was done to it."""

    name: str
    content: bytes
    rows: list[dict[str, Any]] | None


class Writer:
    """Writes files of a dialect; the same seed gives the same files."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self._count = 0

    def write(self, dialect: Dialect, days: list[date]) -> Written:
        """One file; about half of them are clean."""
        self._count += 1
        names = self._columns(dialect)
        rows = [self._row(dialect, names, number, days) for number in range(self.chance.choice((0, 1, 3, 6, 10, 15)))]
        dirt = self.chance.choice((0, 0, 0, 1, 1, 2, 4))
        cells = [[self._cell(dialect, name, row[name]) for name in names] for row in rows]
        header = [dialect.delivered(name) for name in names]
        for _ in range(dirt):
            self._soil(cells, header)
        content = self._encoded(dialect, header, cells)
        damage = dirt > 0 and self.chance.random() < 0.5
        if damage:
            content = self._damaged(content, dialect)
        name = f"f{self._count:05}.csv"
        if dialect.is_packed:
            name, content = f"{name}.gz", gzip.compress(content, 1, mtime=0)
            if dirt and self.chance.random() < 0.15:
                content = self._splintered(content, SPLINTERS)
        return Written(name, content, None if dirt else rows)

    # ----------------------------------------------------------------------------------------------- clean content

    def _columns(self, dialect: Dialect) -> list[str]:
        columns = [column for column in dialect.kind.contract.columns if column.name not in dialect.left_out]
        asked = {dialect.where[0]} if dialect.where else set()
        names = [each.name for each in columns if each.required or each.name in asked or self.chance.random() < 0.4]
        extra = [name for name in ("note", "Bemerkung") if self.chance.random() < 0.2]
        told = [dialect.day_column] if dialect.day_column else []
        names += extra + told
        self.chance.shuffle(names)
        return names

    def _row(self, dialect: Dialect, names: list[str], number: int, days: list[date]) -> dict[str, Any]:
        known = {column.name: column for column in dialect.kind.contract.columns}
        row: dict[str, Any] = {}
        for name in names:
            if name == dialect.day_column:
                row[name] = self.chance.choice(days)
            elif name in known:
                row[name] = self._value(dialect, known[name], number)
            else:
                row[name] = self.chance.choice(("", "x", "a,b"))
        return row

    def _value(self, dialect: Dialect, column: Any, number: int) -> Any:
        chance = self.chance
        if not column.required and chance.random() < 0.3:
            return None
        if column.key_position and column.physical_type == "VARCHAR" and not column.pattern:
            return f"{dialect.name}-{self._count}-{number}"
        if column.allowed:
            return chance.choice(column.allowed)
        if column.pattern:
            return "".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=3))
        kind = column.physical_type
        if kind == "VARCHAR":
            return chance.choice(("P1", "007", "web", "a b", "caf\u00e9", "x, y; z", 'say "hi"', "it's", "\u00a0"))[:64]
        if kind == "BIGINT":
            return number + 1
        if kind == "BOOLEAN":
            return chance.random() < 0.5
        if kind == "DATE":
            return date(2024, 1, 1) + timedelta(days=number * 400 + chance.randrange(400))
        if kind == "TIMESTAMP":
            return datetime(2024, 1, 1, 9, tzinfo=UTC) + timedelta(
                days=chance.randrange(700), minutes=chance.randrange(300)
            )
        most = int(column.maximum) if column.maximum is not None and column.maximum < 100 else 5000
        scale = chance.randint(0, column.precision_scale[1])
        least = 0 if column.minimum is not None and column.minimum >= 0 else -most
        return Decimal(chance.randint(least * 10**scale + 1, most * 10**scale)).scaleb(-scale)

    def _cell(self, dialect: Dialect, name: str, value: Any) -> str:
        notation = dialect.source.notation
        if value is None:
            return self.chance.choice(("", *notation.null_values))
        if isinstance(value, bool):
            return self.chance.choice(notation.true_values if value else notation.false_values)
        if isinstance(value, Decimal):
            mark = "," if notation.thousands and self.chance.random() < 0.5 else ""
            text = f"{value:{mark}f}"
            return text.translate(str.maketrans({",": notation.thousands, ".": notation.decimal}))
        if isinstance(value, datetime):
            local = value.astimezone(ZoneInfo(notation.time_zone or ZONE)).replace(tzinfo=None)
            form = notation.timestamp_format or self.chance.choice(("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M"))
            return local.strftime(form)
        return value.strftime(notation.date_format) if isinstance(value, date) else str(value)

    def _encoded(self, dialect: Dialect, header: list[str], cells: list[list[str]]) -> bytes:
        notation = dialect.source.notation
        text = io.StringIO()
        style = csv.QUOTE_ALL if self.chance.random() < 0.3 else csv.QUOTE_MINIMAL
        end = dialect.line_end.decode()
        writer = csv.writer(
            text, delimiter=notation.delimiter, quotechar=notation.quote, lineterminator=end, quoting=style
        )
        writer.writerows([header, *cells])
        mark = b"\xef\xbb\xbf" if notation.encoding == "utf-8" and self.chance.random() < 0.2 else b""
        return mark + text.getvalue().encode(notation.encoding, "replace")

    # -------------------------------------------------------------------------------------------------------- dirt

    def _soil(self, cells: list[list[str]], header: list[str]) -> None:
        chance = self.chance
        if not cells or chance.random() < 0.04:
            self._soil_header(header)
            return
        row = chance.randrange(len(cells))
        copy = list(cells[row])
        match chance.randrange(8):
            case 0:
                cells.insert(chance.randrange(len(cells) + 1), copy)
            case 1:
                copy[chance.randrange(len(copy))] = chance.choice(ODD_CELLS)
                cells.insert(chance.randrange(len(cells) + 1), copy)
            case 2:
                cells.insert(row, list(header))
            case 3:
                cells[row] = copy + [""] * chance.randint(1, 3)
            case 4:
                cells[row] = copy[:-1]
            case _:
                cells[row][chance.randrange(len(copy)) % len(cells[row])] = chance.choice(ODD_CELLS)

    def _soil_header(self, header: list[str]) -> None:
        at = self.chance.randrange(len(header))
        match self.chance.randrange(5):
            case 0:
                header[at] = header[at - 1]
            case 1:
                header[at] = header[at].upper()
            case 2:
                header[at] = ""
            case 3:
                del header[at]
            case 4:
                header.insert(at, "new_column")

    def _damaged(self, content: bytes, dialect: Dialect) -> bytes:
        for _ in range(self.chance.choice((1, 1, 2))):
            if self.chance.random() < 0.1:
                content = content[: self.chance.randrange(len(content) + 1)]
            else:
                content = self._splintered(content, SPLINTERS)
        return content

    def _splintered(self, content: bytes, splinters: tuple[bytes, ...]) -> bytes:
        at = self.chance.randrange(len(content) + 1)
        return content[:at] + self.chance.choice(splinters) + content[at + self.chance.choice((0, 0, 1, 2)) :]

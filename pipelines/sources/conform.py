"""From records to contract rows: lookups, the profile's mapping, strict types, the contract's rules.

What comes in as a `Chunk` goes out completely: as rows, rejects, duplicates, or filtered records. Reading files is the
business of the readers, writing rows that of ingestion.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import FileRefusedError, ProfileError
from pipelines.sources.chunks import Chunk, Reject
from pipelines.sources.contracts import Column, Contract
from pipelines.sources.expressions import Evaluator, Expression, parse_expression
from pipelines.sources.lookups import LookupTable
from pipelines.sources.occurrences import Ordinals, Repeats
from pipelines.sources.plan import Plan
from pipelines.sources.profiles import Notation, Profile, Source
from pipelines.sources.rules import broken_rules
from pipelines.sources.texts import without_null_values
from pipelines.sources.typed import CANONICAL, arrow_type, days_of, typed_values
from pipelines.sources.values import BLANKS, Values

Mask = npt.NDArray[np.bool_]

RECORD_NO, DELIVERED_ON = "_record_no", "_delivered_on"
# Money is kept as DECIMAL(18, 4) by the transforms.
LARGEST_AMOUNT = 10**14
EXCERPT = 80  # characters of a refused value that a message shows
EXPECTED = {
    "not_an_integer": "a whole number",
    "not_a_number": "a number in the declared notation",
    "not_finite": "a finite number",
    "number_too_large": "a number that fits {type}",
    "too_many_decimals": "a number that fits {type} without rounding",
    "not_a_date": "a day written {date_format}",
    "not_a_timestamp": "a moment written {timestamp_format}",
    "nonexistent_local_time": "a local time that was not skipped in {zone}",
    "not_a_boolean": "one of the declared true and false values",
    "expression_failed": "a value the profile's expression can be computed for",
    "no_delivery_day": "a day, or a moment, that says when the record was delivered",
}


@dataclass(frozen=True)
class Conformed:
    """What became of the records of one chunk.

    `rows`: contract columns, `_record_no`, and `_delivered_on` when each record carries its own day. `rejects` begin
    with those of the chunk. Amounts are sums of the contract's control amount (None when it has none); of quarantined
    records only where it could be read.
    """

    rows: pa.Table
    rejects: list[Reject]
    filtered: int
    duplicates: int
    amount_loaded: Decimal | None
    amount_duplicate: Decimal | None
    amount_quarantined: Decimal | None


@dataclass(frozen=True)
class _Cells:
    """The cells that fill a contract column: as delivered, in which notation, and where they could not be computed."""

    array: pa.Array
    notation: Notation
    origin: str
    failed: Mask | None = None


@dataclass(frozen=True)
class _Verdict:
    code: str
    column_name: str
    message: str


@dataclass
class _Batch:
    """The records of a chunk that are still in play, the columns of lookups among them, and what is held against them.

    `places` are the records' positions in the chunk.
    """

    chunk: Chunk
    columns: dict[str, pa.Array]
    places: npt.NDArray[np.int64]
    verdicts: dict[int, _Verdict] = field(default_factory=dict)
    unread: dict[str, Mask] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.places)

    def only(self, kept: Mask) -> "_Batch":
        columns = {name: array.filter(pa.array(kept)) for name, array in self.columns.items()}
        moved = np.cumsum(kept) - 1
        verdicts = {int(moved[row]): verdict for row, verdict in self.verdicts.items()}
        return _Batch(self.chunk, columns, self.places[kept], verdicts)


class Conformer:
    """Turns the chunks of one file into rows of its contract; keeps what must be known across chunks of the file.

    Args:
        source: How the file's columns become contract columns.
        contract: The feed's contract.
        profile: The company, for its time zone.
        lookups: The records of the source's lookup files, by the name the profile gives them.

    Raises:
        ProfileError: an expression or constant of the profile is wrong.
        FileRefusedError: (lookup_failed) a lookup lacks its key or holds a key twice.
    """

    def __init__(
        self, source: Source, contract: Contract, profile: Profile, lookups: Mapping[str, pa.Table] | None = None
    ) -> None:
        self._source, self._contract = source, contract
        self._plan = Plan(source, contract)
        self._used = self._plan.used_columns
        self._zone = profile.time_zone
        tables = lookups or {}
        self._lookups = {
            name: LookupTable(name, lookup, tables[name]) for name, lookup in source.lookups.items() if name in tables
        }
        self._constants = {
            column.name: self._constant(column)
            for column in contract.columns
            if self._plan.fillings[column.name].kind == "constant"
        }
        self._amount = parse_expression(contract.control_amount, "controlAmount") if contract.control_amount else None
        self._repeats = Repeats() if source.identical_records == "duplicate" else None
        self._ordinals: dict[str, Ordinals] = defaultdict(Ordinals)
        self._absent: dict[pa.DataType, pa.Array] = {}
        self._evaluator = Evaluator()

    def close(self) -> None:
        self._evaluator.close()

    @property
    def required_columns(self) -> frozenset[str]:
        """Delivered columns without which the file cannot be read."""
        return self._plan.required_columns

    @property
    def used_columns(self) -> frozenset[str]:
        """Delivered columns that end up in a row or decide about it; all others are ignored."""
        return self._plan.used_columns

    def missing_columns(self, delivered: Collection[str]) -> list[str]:
        """Contract columns that stay null because the file lacks what fills them."""
        return self._plan.missing_columns(delivered)

    def conform(self, chunk: Chunk) -> Conformed:
        """The rows of one chunk. Chunks of a file must come in order.

        Raises FileRefusedError(missing_column) when the records lack a column that lookups or `where` need.
        """
        batch = self._filtered(self._batch(chunk))
        repeated = np.zeros(len(batch), np.bool_)
        if self._repeats:
            repeated = self._repeats.mark(chunk.records.take(pa.array(batch.places)))
        arrays = {column.name: self._column(column, batch, repeated) for column in self._contract.columns}
        arrays[RECORD_NO] = chunk.record_no.take(pa.array(batch.places))
        if self._source.delivered_on.kind == "column":
            arrays[DELIVERED_ON] = self._delivery_days(self._source.delivered_on.column or "", batch)
        return self._sorted_out(pa.table(arrays), batch, repeated)

    # -------------------------------------------------------------------------------------- which records are in play

    def _batch(self, chunk: Chunk) -> _Batch:
        """The chunk's records, widened by the columns of lookups, each lookup able to use those before it."""
        columns = {name: whole(chunk.records.column(name)) for name in chunk.records.column_names if name in self._used}
        batch = _Batch(chunk, columns, np.arange(len(chunk.record_no)))
        for name, lookup in self._lookups.items():
            self._demand(set(lookup.record_columns), batch, f"lookup {name}")
            added = lookup.rows_for(columns)
            columns |= {f"{name}.{column}": whole(added.column(column)) for column in added.column_names}
        return batch

    def _filtered(self, batch: _Batch) -> _Batch:
        where = self._plan.where
        if where is None:
            return batch
        self._demand(where.names, batch, "where")
        values, failed = self._computed(where, batch, "where")
        holds = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
        message = "where: expected a condition that can be computed"
        batch.verdicts |= {int(row): _Verdict("expression_failed", "where", message) for row in np.flatnonzero(failed)}
        kept = holds | failed
        return batch if kept.all() else batch.only(kept)

    def _demand(self, names: Collection[str], batch: _Batch, reader: str) -> None:
        missing = sorted(set(names) - set(batch.columns))
        if missing:
            cause = f"{reader} reads {', '.join(missing)}, which was not delivered"
            raise FileRefusedError("missing_column", self._contract.feed, cause, "Compare the header with the profile.")

    # ------------------------------------------------------------------------------------------------ contract columns

    def _column(self, column: Column, batch: _Batch, repeated: Mask) -> pa.Array:
        """A contract column of all records of the batch; what is refused is null and held against its record."""
        kind = arrow_type(column)
        cells = self._cells(column, batch, repeated)
        if cells is None:
            values = Values(self._nulls(kind, len(batch)))
        else:
            if column.is_identifier and pa.types.is_string(cells.array.type):
                cells = replace(cells, array=pc.utf8_trim(cells.array, characters=BLANKS))
            values = typed_values(cells.array, kind, cells.notation, cells.notation.time_zone or self._zone)
        self._judge(column, cells, values, batch)
        return values.array

    def _nulls(self, kind: pa.DataType, size: int) -> pa.Array:
        """Nulls without a new array for every chunk and column."""
        if kind not in self._absent or len(self._absent[kind]) < size:
            self._absent[kind] = pa.nulls(size, kind)
        return self._absent[kind].slice(0, size)

    def _cells(self, column: Column, batch: _Batch, repeated: Mask) -> _Cells | None:
        """What fills a contract column; None when it was not delivered."""
        filling = self._plan.fillings[column.name]
        if filling.kind == "constant":
            return _Cells(_repeat(self._constants[column.name], len(batch)), CANONICAL, "")
        if not self._plan.reads(column.name) <= set(batch.columns):
            return None
        if filling.kind == "ordinal_within":
            return _Cells(self._ordinal(column.name, filling.within, batch, repeated), CANONICAL, "")
        if filling.kind == "expression":
            values, failed = self._computed(self._plan.expressions[column.name], batch, column.name)
            return _Cells(values, self._source.notation, "", failed)
        origin = filling.source or ""
        return _Cells(batch.columns[origin], self._notation_of(origin), "" if origin == column.name else origin)

    def _notation_of(self, name: str) -> Notation:
        lookup = self._plan.lookup_of(name)
        return self._source.lookups[lookup].notation if lookup else self._source.notation

    def _constant(self, column: Column) -> pa.Scalar:
        text = self._plan.fillings[column.name].constant
        values = typed_values(pa.array([text], pa.string()), arrow_type(column), CANONICAL, self._zone)
        if values.refused:
            place = f"{self._contract.feed}.columns.{column.name}"
            raise ProfileError(
                place, f"the constant {text!r} is no {column.physical_type}", "Write it in ISO notation."
            )
        return values.array[0]

    def _ordinal(self, name: str, within: tuple[str, ...], batch: _Batch, repeated: Mask) -> pa.Array:
        keys = pa.table({key: batch.columns[key] for key in within})
        if not repeated.any():
            return self._ordinals[name].number(keys)
        counted = pa.array(~repeated)
        ranks = self._ordinals[name].number(keys.filter(counted))
        return pc.replace_with_mask(pa.array(np.zeros(len(batch), np.int64)), counted, ranks)

    def _computed(self, expression: Expression, batch: _Batch, name: str) -> tuple[pa.Array, Mask]:
        columns = {
            read: _as_null(batch.columns[read], self._notation_of(read))
            for read in expression.names & set(batch.columns)
        }
        return self._evaluator.evaluate(expression, columns, len(batch), f"{self._contract.feed}.{name}")

    def _delivery_days(self, name: str, batch: _Batch) -> pa.Array:
        self._demand((name,), batch, "delivered_on")
        notation = self._notation_of(name)
        values = days_of(batch.columns[name], notation, notation.time_zone or self._zone)
        for row in np.flatnonzero(values.array.is_null().to_numpy(zero_copy_only=False)).tolist():
            message = f"{name}: expected {EXPECTED['no_delivery_day']}"
            batch.verdicts.setdefault(row, _Verdict("no_delivery_day", name, message))
        return values.array

    # --------------------------------------------------------------------------------------------------- the judgement

    def _judge(self, column: Column, cells: _Cells | None, values: Values, batch: _Batch) -> None:
        """Hold against each record the first rule that this column breaks, unless an earlier column broke one."""
        refused = dict(values.refused)
        if cells is not None and cells.failed is not None:
            refused |= {int(row): "expression_failed" for row in np.flatnonzero(cells.failed)}
        if refused:
            batch.unread[column.name] = np.zeros(len(batch), np.bool_)
            batch.unread[column.name][list(refused)] = True
        zone = (cells.notation.time_zone if cells else None) or self._zone
        for row, code in refused.items():
            if row not in batch.verdicts:
                notation = cells.notation if cells else CANONICAL
                batch.verdicts[row] = _verdict(column, cells, row, code, _expected(code, column, notation, zone))
        for broken in broken_rules(column, values.array):
            for row in np.flatnonzero(broken.rows).tolist():
                if row not in batch.verdicts and row not in refused:
                    batch.verdicts[row] = _verdict(column, cells, row, broken.code, broken.expected)

    def _sorted_out(self, table: pa.Table, batch: _Batch, repeated: Mask) -> Conformed:
        amounts, unread = self._control_amounts(table, batch)
        refused = np.zeros(len(batch), np.bool_)
        refused[list(batch.verdicts)] = True
        refused &= ~repeated
        is_clean = not refused.any() and not repeated.any()
        loaded, duplicate, quarantined = _amounts(amounts, unread, refused, repeated)
        return Conformed(
            rows=table if is_clean else table.filter(pa.array(~(refused | repeated))),
            rejects=self._rejects(batch, refused),
            filtered=len(batch.chunk.record_no) - len(batch),
            duplicates=int(repeated.sum()),
            amount_loaded=loaded,
            amount_duplicate=duplicate,
            amount_quarantined=quarantined,
        )

    def _rejects(self, batch: _Batch, refused: Mask) -> list[Reject]:
        chunk = batch.chunk
        found = list(chunk.rejects)
        numbers = chunk.record_no.to_numpy()
        offsets = None if chunk.byte_offset is None else chunk.byte_offset.to_numpy()
        for row in np.flatnonzero(refused).tolist():
            place, verdict = int(batch.places[row]), batch.verdicts[row]
            offset = None if offsets is None else int(offsets[place])
            text = chunk.raw_text(place)
            found.append(Reject(int(numbers[place]), offset, verdict.code, verdict.column_name, verdict.message, text))
        return sorted(found, key=lambda reject: reject.record_no)

    def _control_amounts(self, table: pa.Table, batch: _Batch) -> tuple[pa.Array | None, Mask]:
        """The control amount of every record, and where it could not be read; what no amount can be is refused."""
        unread = np.zeros(len(batch), np.bool_)
        if self._amount is None:
            return None, unread
        columns = {name: whole(table.column(name)) for name in self._amount.names}
        amounts, failed = self._evaluator.evaluate(self._amount, columns, len(batch), "controlAmount")
        for name in self._amount.names & set(batch.unread):
            unread |= batch.unread[name]
        first = next(column.name for column in self._contract.columns if column.name in self._amount.names)
        message = f"{self._amount.sql}: expected an amount below {LARGEST_AMOUNT:,}"
        too_large = _Verdict("number_too_large", first, message)
        for row in np.flatnonzero(failed | _beyond(amounts)).tolist():
            batch.verdicts.setdefault(row, too_large)
        return amounts, unread | failed


def _beyond(amounts: pa.Array) -> Mask:
    """Which amounts do not fit the money columns of what comes after."""
    bounds = pc.min_max(amounts)
    least, most = bounds["min"].as_py(), bounds["max"].as_py()
    if least is None or max(abs(least), abs(most)) < LARGEST_AMOUNT:
        return np.zeros(len(amounts), np.bool_)
    return np.array([abs(amount or 0) >= LARGEST_AMOUNT for amount in amounts.to_pylist()], np.bool_)


def _amounts(
    amounts: pa.Array | None, unread: Mask, refused: Mask, repeated: Mask
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Control amounts of loaded, duplicate and quarantined records."""
    if amounts is None:
        return None, None, None
    if not unread.any() and not refused.any() and not repeated.any():
        return _total(amounts), Decimal(0), Decimal(0)
    parts = (~(refused | repeated), repeated & ~unread, refused & ~unread)
    loaded, duplicate, quarantined = (_total(amounts.filter(pa.array(part))) for part in parts)
    return loaded, duplicate, quarantined


def _repeat(value: pa.Scalar, size: int) -> pa.Array:
    return pa.repeat(value, size) if value.is_valid else pa.nulls(size, value.type)


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, copied only if it is in parts."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _as_null(array: pa.Array, notation: Notation) -> pa.Array:
    """Text with empty cells and null values as nulls; other types as they are."""
    return without_null_values(array, notation) if pa.types.is_string(array.type) else array


def _total(amounts: pa.Array) -> Decimal:
    return Decimal(pc.sum(amounts).as_py() or 0)


def _expected(code: str, column: Column, notation: Notation, zone: str) -> str:
    return EXPECTED[code].format(
        type=column.physical_type,
        date_format=notation.date_format,
        timestamp_format=notation.timestamp_format or "in ISO 8601, date and time of day",
        zone=zone,
    )


def _verdict(column: Column, cells: _Cells | None, row: int, code: str, expected: str) -> _Verdict:
    """The refusal of one record; the value is shown unless it is personal."""
    name = f"{column.name} (from {cells.origin})" if cells and cells.origin else column.name
    value = cells.array[row].as_py() if cells is not None and not column.is_personal else None
    if value is None:
        return _Verdict(code, column.name, f"{name}: expected {expected}")
    text = str(value)
    excerpt = text if len(text) <= EXCERPT else f"{text[:EXCERPT]}..."
    return _Verdict(code, column.name, f"{name} is {excerpt!r}; expected {expected}")

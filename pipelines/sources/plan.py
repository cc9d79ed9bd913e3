"""What a source of a profile asks of its files: where each contract column comes from, and which columns that takes."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from pipelines.sources.contracts import Contract
from pipelines.sources.expressions import Expression, parse_expression
from pipelines.sources.profiles import Mapping as Filling
from pipelines.sources.profiles import Source


class Plan:
    """The mapping of one source, its expressions checked.

    Columns of a lookup are named `lookup.column` throughout.

    Raises ProfileError when an expression is not one.
    """

    def __init__(self, source: Source, contract: Contract) -> None:
        self._source, self._contract = source, contract
        self.fillings: Mapping[str, Filling] = {
            column.name: source.columns.get(column.name) or Filling(kind="source", source=column.name)
            for column in contract.columns
        }
        self.expressions: Mapping[str, Expression] = {
            name: parse_expression(filling.expression or "", f"{contract.feed}.columns.{name}")
            for name, filling in self.fillings.items()
            if filling.kind == "expression"
        }
        self.where = _condition(source.where, f"{contract.feed}.where") if source.where else None

    def lookup_of(self, name: str) -> str | None:
        """The lookup that a column name belongs to; None for the record's own columns."""
        lookup, dot, _ = name.partition(".")
        return lookup if dot and lookup in self._source.lookups else None

    def reads(self, name: str) -> frozenset[str]:
        """The columns, own and of lookups, that fill a contract column."""
        filling = self.fillings[name]
        if filling.kind == "source":
            return frozenset((filling.source or "",))
        if filling.kind == "ordinal_within":
            return frozenset(filling.within)
        return self.expressions[name].names if filling.kind == "expression" else frozenset()

    @property
    def required_columns(self) -> frozenset[str]:
        """Delivered columns without which no file of this source can be read."""
        needed = {name for lookup in self._source.lookups.values() for name in lookup.key.values()}
        if self.where:
            needed |= self.where.names
        if self._source.delivered_on.column:
            needed.add(self._source.delivered_on.column)
        for column in self._contract.columns:
            if column.required:
                needed |= self.reads(column.name)
        return self._own(needed)

    @property
    def used_columns(self) -> frozenset[str]:
        """Delivered columns that end up in a row or decide about it; all others are ignored."""
        used = {name for column in self._contract.columns for name in self.reads(column.name)}
        return self.required_columns | self._own(used)

    def missing_columns(self, delivered: Collection[str]) -> list[str]:
        """Contract columns that stay null because a file lacks what fills them."""
        have = frozenset(delivered)
        return [column.name for column in self._contract.columns if not self._own(self.reads(column.name)) <= have]

    def _own(self, names: Collection[str]) -> frozenset[str]:
        return frozenset(name for name in names if self.lookup_of(name) is None)


def _condition(sql: str, place: str) -> Expression:
    return replace(parse_expression(sql, place), sql=f"cast((\n{sql}\n) as boolean)")

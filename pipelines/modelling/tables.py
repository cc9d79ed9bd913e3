"""A table of schema `ml` as data: its columns, comments, parents and owner, and how it is made in the warehouse.

Which tables there are is each producer's to say; what stands in them, its `write`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb


@dataclass(frozen=True)
class MlTable:
    """One table of the models.

    Attributes:
        name: table within schema `ml`.
        description: what one row is; the comment of the table.
        columns: DDL type (with `NOT NULL` where it holds) and comment of each column, by name.
        deps: tables (schema.table) it is computed from, as the asset graph shows them.
        owner: team that answers for it.
    """

    name: str
    description: str
    columns: Mapping[str, tuple[str, str]]
    deps: tuple[str, ...]
    owner: str

    @property
    def full_name(self) -> str:
        return f"ml.{self.name}"

    def type_of(self, column: str) -> str:
        """The column's data type without its constraint, as DuckDB spells it."""
        return self.columns[column][0].removesuffix(" NOT NULL").replace(", ", ",")

    def create(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Make the table unless it is there as declared, and say what it holds; return whether it was made.

        One of another shape, as an earlier release made it, is dropped: its rows can be computed again.
        """
        found = connection.execute(
            "select column_name, data_type, comment from duckdb_columns() "
            "where schema_name = 'ml' and table_name = ? order by column_index",
            [self.name],
        ).fetchall()
        is_there = [(name, kind) for name, kind, _ in found] == [(name, self.type_of(name)) for name in self.columns]
        if not is_there:
            columns = ", ".join(f"{name} {kind}" for name, (kind, _) in self.columns.items())
            connection.execute(f"create or replace table {self.full_name} ({columns})")
        self._describe(connection, {name: comment for name, _, comment in found} if is_there else {})
        return not is_there

    def _describe(self, connection: duckdb.DuckDBPyConnection, described: Mapping[str, str | None]) -> None:
        """Comment the table and its columns, as far as they do not say it already."""
        (told,) = connection.execute(
            "select any_value(comment) from duckdb_tables() where schema_name = 'ml' and table_name = ?", [self.name]
        ).fetchone() or (None,)
        if told != self.description:
            connection.execute(f"comment on table {self.full_name} is {_quoted(self.description)}")
        for name, (_, comment) in self.columns.items():
            if described.get(name) != comment:
                connection.execute(f"comment on column {self.full_name}.{name} is {_quoted(comment)}")


def prepare(connection: duckdb.DuckDBPyConnection, tables: Iterable[MlTable]) -> bool:
    """Make the tables that are not there as declared, with their comments; return whether any had to be made."""
    made = [table.create(connection) for table in tables]
    return any(made)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

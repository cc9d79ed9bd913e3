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
        """The column's data type without its constraint."""
        return self.columns[column][0].removesuffix(" NOT NULL")

    def create(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Make the table unless it is there as declared, and comment it; return whether it was made.

        One of another shape, as an earlier release made it, is dropped: its rows can be computed again.
        """
        found = connection.execute(
            "select column_name, data_type from duckdb_columns() where schema_name = 'ml' and table_name = ? "
            "order by column_index",
            [self.name],
        ).fetchall()
        if found and found == [(name, self.type_of(name)) for name in self.columns]:
            return False
        if found:
            connection.execute(f"drop table {self.full_name}")
        columns = ", ".join(f"{name} {kind}" for name, (kind, _) in self.columns.items())
        connection.execute(f"create table if not exists {self.full_name} ({columns})")
        connection.execute(f"comment on table {self.full_name} is {_quoted(self.description)}")
        for name, (_, comment) in self.columns.items():
            connection.execute(f"comment on column {self.full_name}.{name} is {_quoted(comment)}")
        return True


def prepare(connection: duckdb.DuckDBPyConnection, tables: Iterable[MlTable]) -> bool:
    """Make the tables that are not there as declared, with their comments; return whether any had to be made."""
    made = [table.create(connection) for table in tables]
    return any(made)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

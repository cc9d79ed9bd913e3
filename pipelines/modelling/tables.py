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

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Create the table unless it is there, and comment it."""
        columns = ", ".join(f"{name} {kind}" for name, (kind, _) in self.columns.items())
        connection.execute(f"create table if not exists {self.full_name} ({columns})")
        connection.execute(f"comment on table {self.full_name} is {_quoted(self.description)}")
        for name, (_, comment) in self.columns.items():
            connection.execute(f"comment on column {self.full_name}.{name} is {_quoted(comment)}")


def prepare(connection: duckdb.DuckDBPyConnection, tables: Iterable[MlTable]) -> None:
    """Create the tables with their comments."""
    for table in tables:
        table.create(connection)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

"""Whether the views in the warehouse stand as the project would make them, so that a night leaves them alone.

A view costs a night as much as a table, nearly all of it dbt's own work on its node, and changes only with the project
or with the tables it reads. After a build that made or left all views of its selection, a print of both is noted; the
next build leaves the views alone while the print is the same. Whatever else touched them (dbt by hand, a run that died,
a table with other columns, another version of the engine) makes another print, and they are made anew.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

import duckdb


@dataclass(frozen=True)
class Views:
    """The views of one build: its name, the schemas they stand in, and those of the tables that dbt does not make."""

    build: str
    schemas: Collection[str]
    sources: Collection[str]

    def stand(self, connection: duckdb.DuckDBPyConnection, project: str) -> bool:
        """Whether all views are what the project, known by its digest, would make them."""
        noted = connection.execute("select print from ops.standing_views where build = ?", [self.build]).fetchone()
        return noted is not None and noted[0] == self._print(connection, project)

    def note(self, connection: duckdb.DuckDBPyConnection, project: str) -> None:
        """Note that the views stand, which a build of this project has just seen to."""
        connection.execute(
            "insert or replace into ops.standing_views values (?, ?)", [self.build, self._print(connection, project)]
        )

    def _print(self, connection: duckdb.DuckDBPyConnection, project: str) -> str:
        views = connection.execute(
            "select schema_name, view_name, sql from duckdb_views() where list_contains(?, schema_name) order by all",
            [list(self.schemas)],
        ).fetchall()
        columns = connection.execute(
            """
            select schema_name, table_name, column_name, data_type
            from duckdb_columns() where list_contains(?, schema_name) order by all
            """,
            [list(self.sources)],
        ).fetchall()
        return hashlib.sha256(repr((project, duckdb.__version__, views, columns)).encode()).hexdigest()

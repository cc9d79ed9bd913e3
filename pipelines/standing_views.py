"""Whether the views and comments in the warehouse stand as the project would make them; a night leaves them alone.

A view costs a night as much as a table, nearly all of it dbt's own work on its node, and changes only with the project
or with the tables it reads; so do the comments of a table that nights add to. After a build that made or left all of
them, a print is noted; the next build leaves them alone while the print is the same. Whatever else touched them (dbt by
hand, a run that died, a table with other columns, another version of the engine) makes another print, and they are made
anew.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

import duckdb


@dataclass(frozen=True)
class Views:
    """The views of one build, and the comments on its tables.

    Attributes:
        build: its name.
        schemas: where the views stand.
        sources: the schemas of the tables that dbt does not make.
        described: those of the tables that it comments.
    """

    build: str
    schemas: Collection[str]
    sources: Collection[str]
    described: Collection[str]

    def stand(self, connection: duckdb.DuckDBPyConnection, project: str) -> bool:
        """Whether views and comments are what the project, known by its digest, would make them."""
        noted = connection.execute("select print from ops.standing_views where build = ?", [self.build]).fetchone()
        return noted is not None and noted[0] == self._print(connection, project)

    def note(self, connection: duckdb.DuckDBPyConnection, project: str) -> None:
        """Note that they stand, which a build of this project has just seen to."""
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
        comments = connection.execute(
            """
            select schema_name, table_name, null as column_name, comment
            from duckdb_tables() where list_contains($described, schema_name) and comment is not null
            union all
            select schema_name, table_name, column_name, comment
            from duckdb_columns() where list_contains($described, schema_name) and comment is not null
            order by all
            """,
            {"described": list(self.described)},
        ).fetchall()
        return hashlib.sha256(repr((project, duckdb.__version__, views, columns, comments)).encode()).hexdigest()

"""The SQL expressions of profiles: checked before use, computed without access to anything but the record.

An expression sees the record's columns as text (empty cells and null values as NULL) and those of lookups as
`lookup.column`. It is one scalar expression: no subquery, aggregate, window, clock, chance or look outside.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.errors import ProfileError

RECORD = "record"  # the name under which an expression can qualify the record's own columns
LOCKED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "threads": "1",
}
# Macros are SQL of DuckDB itself; most look into the catalogue. These are plain functions of their arguments.
MACROS = frozenset(
    {"array_to_string", "date_add", "days_in_month", "fdiv", "fmod"}
    | {"list_first", "list_last", "nullif", "round_even", "split_part"}
)
REFUSED_FUNCTIONS = frozenset(
    ("current_setting", "generate_series", "getenv", "getvariable", "range", "repeat", "row", "unnest", "version")
)
REFUSED_NODES = {
    "SUBQUERY": "a subquery",
    "WINDOW": "a window function",
    "STAR": "a star",
    "PARAMETER": "a parameter",
    "POSITIONAL_REFERENCE": "a positional reference",
    "DEFAULT": "default",
    "LAMBDA": "a lambda",
}
REMEDY = "Write one SQL expression over the columns of the record, such as upper(Country)."
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Expression:
    """A checked expression: its text, and the names of the columns it reads, those of lookups as `lookup.column`."""

    sql: str
    names: frozenset[str]


def parse_expression(sql: str, place: str) -> Expression:
    """Check an expression of a profile; `place` is its key there.

    Raises ProfileError that names the expression and what is wrong with it.
    """
    select = _select_of(sql, place)
    names = set()
    for node in _nodes(select["select_list"][0]):
        kind = node.get("class")
        if kind in REFUSED_NODES:
            raise _refusal(sql, place, f"holds {REFUSED_NODES[kind]}")
        if kind == "FUNCTION":
            _check_function(str(node["function_name"]), sql, place)
        if kind == "COLUMN_REF":
            names.add(_column(node["column_names"], sql, place))
    return Expression(sql, frozenset(names))


def _select_of(sql: str, place: str) -> dict[str, Any]:
    """The parse tree of `select (sql)`, proved to be nothing more than that."""
    with _LOCK:
        row = sandbox().execute("select json_serialize_sql(?)", [f"select (\n{sql}\n)"]).fetchone()
    tree = json.loads(row[0]) if row else {"error": True, "error_message": "no answer"}
    if tree["error"]:
        raise _refusal(sql, place, f"is not SQL ({tree.get('error_message', 'not a select')})")
    statements = tree["statements"]
    node: dict[str, Any] = statements[0]["node"]
    plain = len(statements) == 1 and node["type"] == "SELECT_NODE" and node["from_table"]["type"] == "EMPTY"
    clauses = ("where_clause", "having", "qualify", "sample", "group_expressions", "modifiers")
    if not plain or len(node["select_list"]) != 1 or any(node.get(clause) for clause in clauses):
        raise _refusal(sql, place, "is more than one expression")
    return node


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for child in tree.values():
            yield from _nodes(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _nodes(child)


def _check_function(name: str, sql: str, place: str) -> None:
    if name.lower() not in _allowed_functions():
        raise _refusal(sql, place, f"calls {name}, which is no plain function of its arguments")


def _column(parts: list[str], sql: str, place: str) -> str:
    if len(parts) > 2:
        raise _refusal(sql, place, f"reads {'.'.join(parts)}, which is no column")
    if len(parts) == 1 and _means_itself(parts[0]):
        raise _refusal(sql, place, f"asks for {parts[0]}, which is no column")
    return ".".join(parts).removeprefix(f"{RECORD}.")


def _refusal(sql: str, place: str, cause: str) -> ProfileError:
    return ProfileError(place, f"the expression {sql!r} {cause}", REMEDY)


@cache
def _allowed_functions() -> frozenset[str]:
    """Scalar functions that give the same result for the same arguments, and what the parser writes for operators."""
    query = (
        "select function_name, function_type, bool_and(stability = 'CONSISTENT') from duckdb_functions() group by all"
    )
    with _LOCK:
        rows = sandbox().execute(query).fetchall()
    kinds: dict[str, set[str]] = {}
    for name, kind, is_stable in rows:
        kinds.setdefault(name, set()).add(kind if kind != "scalar" or is_stable else "volatile")
    scalar = {name for name, found in kinds.items() if "scalar" in found and not found & {"aggregate", "volatile"}}
    return frozenset((scalar | MACROS) - REFUSED_FUNCTIONS)


@cache
def _means_itself(name: str) -> bool:
    """Whether SQL gives the bare name a value where no column has it, as it does for the clock and the user."""
    quoted = name.replace('"', '""')
    with _LOCK:
        try:
            sandbox().execute(f'select "{quoted}"')
        except duckdb.Error:
            return False
    return True


@cache
def sandbox() -> duckdb.DuckDBPyConnection:
    """A database in memory that can reach nothing and whose settings cannot be changed. Use cursors of it."""
    connection = duckdb.connect(":memory:", config=dict(LOCKED))
    connection.execute("set lock_configuration = true")
    return connection


class Evaluator:
    """Computes expressions over batches of records. One per file; close it."""

    def __init__(self) -> None:
        with _LOCK:
            self._cursor = sandbox().cursor()

    def close(self) -> None:
        self._cursor.close()

    def evaluate(
        self, expression: Expression, columns: Mapping[str, pa.Array], size: int, place: str
    ) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
        """The expression's value for each of `size` records, and for which it could not be computed (null there).

        `columns` hold what the expression reads, by the names it has for them.

        Raises ProfileError when the expression does not fit the columns at all.
        """
        tables = self._register({name: columns[name] for name in sorted(expression.names)}, size)
        none = np.zeros(size, np.bool_)
        try:
            table = self._cursor.execute(f"select ({expression.sql}\n) as v from {tables}").to_arrow_table()
            return table.column(0).combine_chunks(), none
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
            cause = f"does not fit the columns ({str(error).splitlines()[0]})"
            raise _refusal(expression.sql, place, cause) from error
        except duckdb.Error:
            return self._evaluate_each(expression, tables)

    def _evaluate_each(self, expression: Expression, tables: str) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
        tried = f"try(struct_pack(v := ({expression.sql}\n)))"
        query = f"select t.v, t is null from (select {tried} as t from {tables})"
        table = self._cursor.execute(query).to_arrow_table()
        return table.column(0).combine_chunks(), table.column(1).to_numpy()

    def _register(self, columns: Mapping[str, pa.Array], size: int) -> str:
        """Make the columns known to the database; what to select from.

        A column of a lookup can be written as one quoted name or as lookup and column.
        """
        self._cursor.register(RECORD, pa.table({"_row": pa.nulls(size, pa.bool_()), **columns}))
        tables = {name.partition(".")[0] for name in columns if "." in name}
        for lookup in tables:
            own = {name.partition(".")[2]: array for name, array in columns.items() if name.startswith(f"{lookup}.")}
            self._cursor.register(lookup, pa.table(own))
        return " positional join ".join((RECORD, *(f'"{name}"' for name in sorted(tables))))

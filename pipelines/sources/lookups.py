"""Lookups: a second file that adds columns to each record. Every record finds at most one row of it."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import FileRefusedError
from pipelines.sources.occurrences import fingerprints
from pipelines.sources.profiles import Lookup


class LookupTable:
    """One lookup, indexed by its key; `columns` are those it adds (its key adds nothing).

    Raises FileRefusedError(lookup_failed) when a key column is missing or a key stands twice.
    """

    def __init__(self, name: str, lookup: Lookup, table: pa.Table) -> None:
        missing = sorted(set(lookup.key) - set(table.column_names))
        place = f"lookup {name} ({lookup.path})"
        if missing:
            raise FileRefusedError("lookup_failed", place, f"lacks column {', '.join(missing)}", "Check its key.")
        self._keys = fingerprints(table.select(list(lookup.key)))
        if pc.count_distinct(self._keys).as_py() != len(table):
            keys = ", ".join(lookup.key)
            raise FileRefusedError("lookup_failed", place, f"has a {keys} more than once", "Give it a key of one row.")
        self.record_columns = tuple(lookup.key.values())
        self.columns = tuple(column for column in table.column_names if column not in lookup.key)
        self._added = table.select(list(self.columns)).combine_chunks()

    def rows_for(self, records: Mapping[str, pa.Array]) -> pa.Table:
        """The added columns for each record, null where its key is not found."""
        keys = fingerprints(pa.table({name: records[name] for name in self.record_columns}))
        return self._added.take(pc.index_in(keys, value_set=self._keys))

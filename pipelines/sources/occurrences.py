"""What can only be said of a record by looking at those before it in the file: is it a repeat, the how-manieth is it.

Both keep a few dozen bytes per distinct record or key for as long as a file is read.
"""

from collections import Counter
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]


class Repeats:
    """Which records equal an earlier one of their file in all columns."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def mark(self, records: pa.Table) -> Mask:
        """True for each record that stood in the file before. Nulls equal nulls, not empty texts."""
        marks = np.zeros(len(records), np.bool_)
        for row, text in enumerate(fingerprints(records).to_pylist()):
            digest = blake2b(text, digest_size=16).digest()
            if digest in self._seen:
                marks[row] = True
            else:
                self._seen.add(digest)
        return marks


class Ordinals:
    """The rank of each record among those of its file that share a key, from 1, in file order."""

    def __init__(self) -> None:
        self._counts: Counter[bytes] = Counter()

    def number(self, keys: pa.Table) -> pa.Int64Array:
        """The ranks of the next records of the file."""
        encoded = fingerprints(keys).dictionary_encode()
        codes = encoded.indices.to_numpy()
        names = encoded.dictionary.to_pylist()
        counts = np.bincount(codes, minlength=len(names))
        order = np.argsort(codes, kind="stable")
        first = np.cumsum(counts) - counts
        ranks = np.empty(len(codes), np.int64)
        ranks[order] = np.arange(len(codes)) - np.repeat(first, counts)
        before = np.array([self._counts[name] for name in names], np.int64)
        self._counts.update(dict(zip(names, counts.tolist(), strict=True)))
        return pa.array(ranks + before[codes] + 1 if len(codes) else ranks)


def fingerprints(records: pa.Table) -> pa.Array:
    """One binary value per record that is equal exactly for equal records: each cell after its length."""
    parts: list[pa.Array] = []
    for column in records.columns:
        cells = _as_binary(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
        sizes = pc.fill_null(pc.binary_length(cells).cast(pa.string()), "-").cast(pa.binary())
        parts += [sizes, pc.fill_null(cells, b"")]
    return pc.binary_join_element_wise(*parts, b":")


def _as_binary(column: pa.Array) -> pa.Array:
    if pa.types.is_nested(column.type):
        return pa.array([None if value is None else repr(value).encode() for value in column.to_pylist()], pa.binary())
    if pa.types.is_binary(column.type):
        return column
    return column.cast(pa.string()).cast(pa.binary())

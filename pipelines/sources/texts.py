"""Arrays of text from the inside, and the two forms in which a type is read from them.

A fast form reads a whole column and raises `pa.ArrowInvalid` as soon as anything is not plain; a slow form reads one
trimmed text and decides. They agree wherever the fast form answers.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources.profiles import Notation

Fast = Callable[[pa.StringArray], pa.Array]
Slow = Callable[[str], Any]


class RefusedValueError(Exception):
    """A text that is no value; `code` is one of `ops.REASONS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def lengths_in_bytes(texts: pa.StringArray) -> npt.NDArray[np.int32]:
    """Byte length of each text."""
    return np.diff(offsets_of(texts))


def offsets_of(texts: pa.StringArray) -> npt.NDArray[np.int32]:
    if len(texts) == 0:
        return np.zeros(1, np.int32)
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]


def content_of(texts: pa.StringArray) -> npt.NDArray[np.uint8]:
    offsets = offsets_of(texts)
    if len(texts) == 0 or offsets[-1] == offsets[0]:
        return np.empty(0, np.uint8)
    return np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]


def without_null_values(texts: pa.StringArray, notation: Notation) -> pa.StringArray:
    """Empty cells and null values as nulls; null slots hold no bytes."""
    empty = lengths_in_bytes(texts) == 0
    spelled = [value for value in notation.null_values if value]
    if spelled:
        found = pc.is_in(texts, value_set=pa.array(spelled, pa.string()))
        if pc.any(found).as_py():
            return pc.if_else(pc.or_(found, pa.array(empty)), pa.scalar(None, pa.string()), texts)
    if not empty.any():
        return texts
    if texts.offset or texts.null_count:
        return pc.if_else(pa.array(empty), pa.scalar(None, pa.string()), texts)
    validity = pa.py_buffer(np.packbits(~empty, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), len(texts), [validity, *texts.buffers()[1:]])


def only_signs(texts: pa.StringArray, signs: bytes) -> None:
    """Raise unless the texts are made of these signs."""
    allowed = np.zeros(256, np.bool_)
    allowed[list(signs)] = True
    if not allowed[content_of(texts)].all():
        raise pa.ArrowInvalid("other signs")

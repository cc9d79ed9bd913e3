"""Defects that are planted in deliveries, each with the reason code a strict pipeline must give it.

A planted defect is always a record more, under a key of its own: the company's true figures stay what they are, and a
pipeline that loads or loses one of them shows it. A defect is spoiled from a sound record, one field at a time.
"""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Planted:
    """Lines as they stand in the file. `repeats_first_row` means a second copy of the file's own first row."""

    kind: str
    reason_code: str | None
    lines: tuple[bytes, ...] = ()
    quarantined: int = 0
    duplicates: int = 0
    repeats_first_row: bool = False

    @property
    def records(self) -> int:
        return self.quarantined + self.duplicates


@dataclass(frozen=True)
class Sound:
    """A sound CSV record of a feed and which of its columns can be spoiled how; '' where a kind does not apply."""

    columns: dict[str, str]
    key: str
    text: str
    number: str
    moment: str
    moment_reason: str
    currency: str = ""
    status: str = ""
    delimiter: str = ","
    encoding: str = "utf-8"

    def line(self, serial: int, **changed: str) -> bytes:
        fields = {**self.columns, self.key: f"9{serial:07d}", **changed}
        return self.delimiter.join(fields.values()).encode(self.encoding)


CSV_KINDS = (
    "short_record",
    "bad_number",
    "conflicting_key",
    "long_record",
    "bad_moment",
    "exact_duplicate",
    "missing_key",
    "nul",
    "stray_quote",
    "bad_currency",
    "bad_status",
    "bad_encoding",
    "repeated_header",
)
JSON_KINDS = ("not_json", "score_above_scale", "missing_key", "unknown_scale", "bad_moment")


def kinds_of_day(kinds: tuple[str, ...], index: int, days: int) -> tuple[str, ...]:
    """The kinds planted on delivery day `index` of `days`: all of them once in few days, one a day in many."""
    a_day = -(-len(kinds) // days)
    return tuple(kinds[(index * a_day + offset) % len(kinds)] for offset in range(a_day))


def spoil(sound: Sound, kind: str, serial: int) -> Planted | None:
    """One defect of that kind, None where the feed has no column for it."""
    line = sound.line(serial)
    if kind == "short_record":
        return _one(kind, "field_count", line.rsplit(sound.delimiter.encode(), 2)[0])
    if kind == "long_record":
        return _one(kind, "field_count", line + sound.delimiter.encode() + b"more")
    if kind == "conflicting_key":
        lines = (line, sound.line(serial, **{sound.number or sound.text: "7"}))
        return Planted(kind, "duplicate_key", lines, quarantined=2)
    if kind == "exact_duplicate":
        return Planted(kind, None, duplicates=1, repeats_first_row=True)
    if kind == "repeated_header":
        header = sound.delimiter.join(sound.columns).encode(sound.encoding)
        return _one(kind, "repeated_header", header)
    if kind == "bad_encoding":
        spoiled = sound.line(serial, **{sound.text: "@"}).replace(b"@", b"\xff\xfe")
        return _one(kind, "invalid_encoding", spoiled) if sound.encoding == "utf-8" else None
    return _spoil_field(sound, kind, serial)


def _spoil_field(sound: Sound, kind: str, serial: int) -> Planted | None:
    column, value, reason = {
        "bad_number": (sound.number, "1O.5", "not_a_number"),
        "bad_moment": (sound.moment, "31.02.2026", sound.moment_reason),
        "missing_key": (sound.key, "", "missing_required"),
        "nul": (sound.text, "P0\x0001", "control_character"),
        "stray_quote": (sound.text, 'P"0001', "stray_quote"),
        "bad_currency": (sound.currency, "Euro", "pattern_mismatch"),
        "bad_status": (sound.status, "unterwegs", "not_allowed"),
    }[kind]
    return _one(kind, reason, sound.line(serial, **{column: value})) if column else None


def spoil_json(sound: dict[str, Any], kind: str, serial: int) -> Planted:
    """One defect of a JSON-lines feedback record."""
    record = {**sound, "id": f"9{serial:07d}"}
    change: dict[str, tuple[dict[str, Any], str]] = {
        "score_above_scale": ({"score": 11}, "above_maximum"),
        "missing_key": ({"id": None}, "missing_required"),
        "unknown_scale": ({"scale": "smileys"}, "not_allowed"),
        "bad_moment": ({"at": "2026-13-01T10:00:00+01:00"}, "not_a_timestamp"),
        "not_json": ({}, "not_json"),
    }
    spoiled, reason = change[kind]
    text = json.dumps({**record, **spoiled}, ensure_ascii=False)
    return _one(kind, reason, (text[:-9] if kind == "not_json" else text).encode())


def _one(kind: str, reason: str, line: bytes) -> Planted:
    return Planted(kind, reason, (line,), quarantined=1)

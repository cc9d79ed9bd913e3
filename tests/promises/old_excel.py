"""Writes .xls workbooks of one sheet, for tests: BIFF8 records ([MS-XLS]) in a compound file ([MS-CFB])."""

import struct
from datetime import date, datetime
from typing import Any

SECTOR = 512
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
GENERAL, MOMENT, DAY = 0, 1, 2  # index among the cell formats
FORMATS = {GENERAL: 0, MOMENT: 22, DAY: 14}  # their built-in number formats


def workbook(rows: list[list[Any]], *, far_cell: bool = False, sheet: str = "Sheet1") -> bytes:
    """A workbook whose sheet holds these rows; None leaves a cell out. `far_cell` fills the last one there can be."""
    stream = _stream(rows, sheet, far_cell)
    return _compound_file(stream + bytes(max(4096 - len(stream), -len(stream) % SECTOR)))


def _stream(rows: list[list[Any]], sheet: str, far_cell: bool) -> bytes:
    formats = b"".join(_record(0xE0, struct.pack("<HH16x", 0, number)) for number in FORMATS.values())
    name = sheet.encode("latin-1")
    globals_size = 20 + 6 + len(formats) + 4 + 8 + len(name) + 4
    bound = _record(0x85, struct.pack("<IBBBB", globals_size, 0, 0, len(name), 0) + name)
    head = _begin(0x05) + _record(0x42, struct.pack("<H", 1200)) + formats + bound + _record(0x0A, b"")
    assert len(head) == globals_size
    cells = [_cell(y, x, value) for y, row in enumerate(rows) for x, value in enumerate(row) if value is not None]
    if far_cell:
        cells.append(_cell(65535, 255, 1))
    return head + _begin(0x10) + b"".join(cells) + _record(0x0A, b"")


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def _begin(kind: int) -> bytes:
    return _record(0x809, struct.pack("<HHHHII", 0x600, kind, 0xDBB, 0x7CC, 0, 0))


def _cell(row: int, column: int, value: Any) -> bytes:
    if isinstance(value, bool):
        return _record(0x205, struct.pack("<HHHBB", row, column, GENERAL, value, 0))
    if isinstance(value, str):
        text = value.encode("utf-16-le")
        return _record(0x204, struct.pack("<HHHHB", row, column, GENERAL, len(text) // 2, 1) + text)
    form = MOMENT if isinstance(value, datetime) else DAY if isinstance(value, date) else GENERAL
    return _record(0x203, struct.pack("<HHHd", row, column, form, _serial(value)))


def _serial(value: Any) -> float:
    """Days since the end of 1899, as workbooks count them."""
    if isinstance(value, datetime):
        return (value - datetime(1899, 12, 30)).total_seconds() / 86400  # noqa: DTZ001 - a workbook knows no zone
    if isinstance(value, date):
        return float((value - date(1899, 12, 30)).days)
    return float(value)


def _compound_file(stream: bytes) -> bytes:
    """One stream named Workbook, at least 4096 bytes long: header, allocation table, directory, content."""
    sectors = len(stream) // SECTOR
    tables = 1
    while tables * SECTOR // 4 < tables + 1 + sectors:
        tables += 1
    chain = [*range(tables + 2, tables + 1 + sectors), END]
    table = [FAT] * tables + [END, *chain]
    table += [FREE] * (tables * SECTOR // 4 - len(table))
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIII", 0, tables, tables, 0, 4096, END, 0, END, 0)
    header += struct.pack("<109I", *range(tables), *[FREE] * (109 - tables))
    entries = _entry("Root Entry", 5, 1, END, 0) + _entry("Workbook", 2, FREE, tables + 1, len(stream))
    directory = entries + 2 * (bytes(68) + struct.pack("<III", FREE, FREE, FREE) + bytes(48))
    return header + struct.pack(f"<{len(table)}I", *table) + directory + stream


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le")
    head = text.ljust(64, b"\0") + struct.pack("<HBBIII", len(text) + 2, kind, 1, FREE, FREE, child)
    return head + bytes(36) + struct.pack("<IQ", start, size)

"""
Leaves read, weighed and cut by the words of docs/format/table.md, one cell after the other.

Slow and plain, so that it can be compared with the page line by line. A cell is given
as `Plain` tells it: a tuple of its sort and its value, the same for whatever Python
value, column type or Arrow array it came from.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from blake3 import blake3

__all__ = ["cut", "read_leaf", "row_hash", "row_size"]

Cell = Any
"""None, or (sort, value): ("int", 3), ("list", [...]), ("struct", {...}), ..."""

_NUMBERED = {
    3: lambda p: ("int", p - (1 << 64) if p >> 63 else p),
    4: lambda p: ("int", p),
    5: lambda p: ("float", p),
    9: lambda p: ("date", _signed(p)),
    10: lambda p: ("local", 1000 * _signed(p)),
    11: lambda p: ("local", _signed(p)),
    14: lambda p: ("duration", 1000 * _signed(p)),
    15: lambda p: ("duration", _signed(p)),
    16: lambda p: ("time", _signed(p)),
}
_BODIES = {6: "text", 7: "bytes", 8: "decimal"}
_DTYPE_BYTES = {
    "bool": 1,
    **{f"{s}{n}": n // 8 for s in ("int", "uint", "float") for n in (16, 32, 64)},
}
_DTYPE_BYTES |= {"int8": 1, "uint8": 1}
_MASK = (1 << 64) - 1


def _signed(payload: int) -> int:
    return payload - (1 << 64) if payload >> 63 else payload


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        assert self.at + count <= len(self.data), "beyond the end"
        self.at += count
        return self.data[self.at - count : self.at]

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def numbers(self, code: str, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}{code}", self.take(count * struct.calcsize(code)))


def read_leaf(data: bytes) -> list[list[Cell]]:
    """The columns of a leaf, each as its cells; fails where a byte is left or missing."""
    reader = _Reader(data)
    rows, columns = reader.u32(), reader.u32()
    found = [_column(reader, rows) for _ in range(columns)]
    assert reader.at == len(data), "bytes are left"
    return found


def _column(reader: _Reader, rows: int) -> list[Cell]:
    kinds = reader.take(rows)
    payloads = reader.numbers("Q", rows)
    cells: list[Cell] = [None] * rows
    for at, kind in enumerate(kinds):
        if kind == 0:
            assert payloads[at] == 0
        elif kind in (1, 2):
            assert payloads[at] == 0
            cells[at] = ("bool", kind == 2)
        elif kind in _NUMBERED:
            cells[at] = _NUMBERED[kind](payloads[at])
    for kind, sort in _BODIES.items():
        for at in (at for at in range(rows) if kinds[at] == kind):
            body = reader.take(payloads[at])
            cells[at] = (sort, body if sort == "bytes" else body.decode())
    _zoned(reader, kinds, payloads, cells)
    lists = [at for at in range(rows) if kinds[at] == 20]
    elements = sum(payloads[at] for at in lists)
    held = iter(_column(reader, elements) if elements else ())
    for at in lists:
        cells[at] = ("list", [next(held) for _ in range(payloads[at])])
    if 21 in kinds:
        members = _members(reader, 21, rows)
        for at in (at for at in range(rows) if kinds[at] == 21):
            cells[at] = ("struct", {n: c[at] for n, c in members.items() if c[at] is not None})
    _arrays(reader, kinds, payloads, cells)
    _media(reader, kinds, cells)
    assert all((cells[at] is None) == (kinds[at] == 0) for at in range(rows))
    return cells


def _blocks(reader: _Reader, kind: int, count: int) -> Any:
    """Names of one kind, each with the rows it has, until `count` rows are found."""
    last = ""
    while count:
        assert reader.take(1)[0] == kind
        name = reader.take(reader.u32()).decode()
        assert name > last
        rows = reader.numbers("I", reader.u32())
        assert list(rows) == sorted(set(rows))
        yield name, rows
        last = name
        count -= len(rows)
    assert count == 0


def _zoned(reader: _Reader, kinds: bytes, payloads: Sequence[int], cells: list[Cell]) -> None:
    for zone, rows in _blocks(reader, 12, kinds.count(12) + kinds.count(13)):
        for at in rows:
            unit = 1000 if kinds[at] == 12 else 1
            cells[at] = ("zoned", (zone, unit * _signed(payloads[at])))


def _arrays(reader: _Reader, kinds: bytes, payloads: Sequence[int], cells: list[Cell]) -> None:
    for dtype, rows in _blocks(reader, 22, kinds.count(22)):
        shapes = [reader.numbers("Q", reader.take(1)[0]) for _ in rows]
        for at, shape in zip(rows, shapes, strict=True):
            data = reader.take(payloads[at] * _DTYPE_BYTES[dtype])
            cells[at] = ("array", (dtype, shape, data))


def _media(reader: _Reader, kinds: bytes, cells: list[Cell]) -> None:
    for name, rows in _blocks(reader, 23, kinds.count(23)):
        members = _members(reader, 23, len(kinds))
        for at in rows:
            told = {member: c[at] for member, c in members.items() if c[at] is not None}
            cells[at] = ("media", (name, told))


def _members(reader: _Reader, kind: int, rows: int) -> dict[str, list[Cell]]:
    members: dict[str, list[Cell]] = {}
    while (mark := reader.take(1)[0]) != 0:
        assert mark == kind
        name = reader.take(reader.u32()).decode()
        assert name not in members
        assert not members or name > max(members)
        members[name] = _column(reader, rows)
        assert any(cell is not None for cell in members[name])
    return members


# where rows are cut ---------------------------------------------------------------------


def row_size(cells: Sequence[Cell]) -> int:
    return sum(map(_size, cells))


def _size(cell: Cell) -> int:
    return 9 + (0 if cell is None else _body_size(*cell))


def _body_size(sort: str, value: Any) -> int:
    if sort in ("text", "bytes", "decimal"):
        return len(_body(sort, value))
    if sort == "array":
        return len(value[2])
    if sort == "list":
        return sum(map(_size, value))
    if sort in ("struct", "media"):
        members = value if sort == "struct" else value[1]
        return sum(map(_size, members.values()))
    return 0


def _body(sort: str, value: Any) -> bytes:
    return value if sort == "bytes" else value.encode()


def _mixed(value: int) -> int:
    value &= _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def _name_hash(name: str) -> int:
    return int.from_bytes(blake3(name.encode()).digest()[:8], "little")


def row_hash(names: Sequence[str], cells: Sequence[Cell]) -> int:
    return _mixed(_named_sum(zip(names, cells, strict=True)))


def _named_sum(cells: Any) -> int:
    found = ((name, _hash(cell)) for name, cell in cells)
    return sum(_mixed(number ^ _name_hash(name)) for name, number in found if number) & _MASK


def _hash(cell: Cell) -> int:
    if cell is None:
        return 0
    kind, payload = _head(*cell)
    total = _mixed(payload + kind * 0x9E3779B97F4A7C15)
    sort, value = cell
    if sort in ("text", "bytes", "decimal"):
        total += _ends(_body(sort, value))
    elif sort == "array":
        total += _ends(value[2])
    elif sort == "list":
        places = enumerate(map(_hash, value))
        total += sum(_mixed(number + at * 0xC2B2AE3D27D4EB4F) for at, number in places)
    elif sort in ("struct", "media"):
        total += _named_sum((value if sort == "struct" else value[1]).items())
    return total & _MASK


def _ends(body: bytes) -> int:
    if not body:
        return 0
    head, tail = (int.from_bytes(part, "little") for part in (body[:8], body[-8:]))
    return _mixed(head) + _mixed(tail ^ 0xD6E8FEB86659FD93)


def _head(sort: str, value: Any) -> tuple[int, int]:
    if sort == "bool":
        return (2 if value else 1), 0
    if sort == "int":
        return (4 if value >> 63 > 0 else 3), value & _MASK
    if sort in ("float", "date", "time"):
        return {"float": 5, "date": 9, "time": 16}[sort], value & _MASK
    if sort in ("text", "bytes", "decimal"):
        return {"text": 6, "bytes": 7, "decimal": 8}[sort], len(_body(sort, value))
    if sort in ("local", "zoned", "duration"):
        number = value[1] if sort == "zoned" else value
        kind = {"local": 10, "zoned": 12, "duration": 14}[sort]
        fine = number % 1000 != 0
        return kind + fine, (number if fine else number // 1000) & _MASK
    if sort == "list":
        return 20, len(value)
    if sort == "array":
        return 22, len(value[2]) // _DTYPE_BYTES[value[0]]
    return (21 if sort == "struct" else 23), 0


def cut(hashes: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """The rows before which a leaf ends; the last row ends one."""
    ends, size = [], 0
    for at, (number, bytes_) in enumerate(zip(hashes, sizes, strict=True), 1):
        size += bytes_
        likely = number < min(bytes_, 8191) * ((1 << 64) // 8192)
        if likely or bytes_ >= 8192 or size >= 65536 or at == len(sizes):
            ends.append(at)
            size = 0
    return ends

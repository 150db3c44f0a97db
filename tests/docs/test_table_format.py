"""
The worked examples of docs/format/table.md are what the code makes of the rows they tell.

They are golden vectors: a change that breaks one of these tests changes format 1.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import numpy as np
import pytest
from blake3 import blake3

from artstore import canonical
from artstore.digest import EMPTY
from artstore.tables import cutting
from artstore.tables.arrowcells import NOT_IDENTITY, encode_column
from artstore.tables.arrowtypes import arrow_type
from artstore.tables.encoding import Kind, encoded_bytes, hashes_of_rows, row_sizes
from artstore.tables.fragments import Fragment, fragment_key
from artstore.tables.schema import COLUMNS_MAX
from artstore.tables.table import Table
from artstore.tables.tablefile import (
    HEADER_MAX_BYTES,
    Extent,
    TableFile,
    decode_table,
    encode_table,
    table_digest,
)
from artstore.tables.types import (
    DECIMAL_DIGITS,
    NESTED_MAX,
    PLAIN,
    Plain,
    decode_type,
    encode_type,
)
from artstore.tables.widening import tag_of, widened
from tests.docs.pages import DOCS, block_named
from tests.property.leafreference import read_leaf

PAGE = DOCS / "format" / "table.md"
TEXT = PAGE.read_text("utf-8")
PUSH = bytes.fromhex("0011223344556677")


def told(name: str) -> dict[str, bytes]:
    """The parts of a block by their names; a part without one goes on."""
    parts: dict[str, bytes] = {}
    last = ""
    for line in block_named(PAGE, f"text {name}").splitlines():
        last = line[:8].strip() or last
        rest = line[8:]
        data = rest.encode() if last == "json" else bytes.fromhex(rest)
        parts[last] = parts.get(last, b"") + data
    return parts


def whole(parts: dict[str, bytes]) -> tuple[bytes, bytes]:
    """All parts but the digest, and the digest."""
    return b"".join(part for name, part in parts.items() if name != "digest"), parts["digest"]


def example() -> Table:
    table = Table(["n", "name"], data=[[1, "cat"], [0.5, ""], [None, "dog"]])
    table.set_pk("n")
    return table


def encoded(table: Table) -> list[Any]:
    rows = table.read_rows()
    return [encode_column(k, a) for k, a in zip(rows.schema.types, rows.arrays, strict=True)]


def test_the_leaf_is_as_shown() -> None:
    data, digest = whole(told("leaf"))
    assert encoded_bytes(encoded(example()), 0, 3) == data
    assert blake3(data).digest() == digest
    assert list(example().built().leaves()) == [(3, digest)]


def test_the_digest_of_the_table_is_as_shown() -> None:
    data, digest = whole(told("table-digest"))
    assert blake3(data).digest() == digest
    table = example()
    built = table.built()
    assert table_digest(built.schema, table.keys, built.leaves()) == digest


def test_bodies_of_each_sort_are_as_shown() -> None:
    cells = [
        [1, "x"],
        {"k": 2},
        dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
        np.array([[1, 2]], np.int8),
    ]
    data, digest = whole(told("bodies"))
    assert encoded_bytes(encoded(Table(data={"a": cells})), 0, 4) == data
    assert blake3(data).digest() == digest
    assert read_leaf(data) == [
        [
            ("list", [("int", 1), ("text", "x")]),
            ("struct", {"k": ("int", 2)}),
            ("zoned", ("UTC", 946_684_800_000_000_000)),
            ("array", ("int8", (1, 2), b"\1\2")),
        ]
    ]


def test_sizes_and_hashes_of_rows_are_as_shown() -> None:
    columns = encoded(example())
    hashes = hashes_of_rows(columns, ["n", "name"]).tolist()
    sizes = sum(map(row_sizes, columns)).tolist()
    shown = [line.split() for line in block_named(PAGE, "text rows").splitlines()]
    assert [[f"{h:016x}", str(size)] for h, size in zip(hashes, sizes, strict=True)] == shown


def test_the_description_is_as_shown() -> None:
    built = example().built()
    fragment = Fragment(EMPTY, PUSH, 1000, 3, 0)
    table = TableFile(
        built.schema,
        3,
        (built.schema,),
        (fragment,),
        (Extent(0, 0, 3),),
        built.leaves(),
        example().keys,
    )
    header = block_named(PAGE, "json description").rstrip("\n").encode()
    parts = told("description-bytes")
    data = parts["head"] + header + parts["extent"] + parts["leaf"]
    assert encode_table(table) == data
    assert decode_table(data, where="the example") == table
    assert table.digest() == told("table-digest")["digest"]
    assert re.fullmatch(r"fragments/af/af13.*-0011223344556677\.parquet", fragment_key(EMPTY, PUSH))


def section(number: int) -> str:
    return TEXT.partition(f"\n## {number}. ")[2].partition("\n## ")[0]


def test_the_types_are_those_that_are_told() -> None:
    rows = re.findall(r"^\| [^|]+ \| (`.+`) \| [^|]+ \|$", section(2), re.MULTILINE)
    shown = [json.loads(found) for row in rows for found in re.findall(r"`([^`]+)`", row)]
    assert {one for one in shown if isinstance(one, str)} == PLAIN
    for value in shown:
        kind = decode_type(value, where="the page")
        assert canonical.encode(encode_type(kind)) == canonical.encode(value)
        assert arrow_type(kind) is not None
    assert len(shown) == len(PLAIN) + 8


@pytest.mark.parametrize(
    ("shown", "value"),
    [
        ("at most 76 before it", DECIMAL_DIGITS),
        ("cells that are added, 12 lists", NESTED_MAX),
        ("at most 10,000, no name twice", COLUMNS_MAX),
        ("of the header, at most 67,108,864", HEADER_MAX_BYTES),
        ("its size is 8,192 or more", cutting.LEAF_BYTES),
        ("with this one, reach 65,536", cutting.LEAF_MAX_BYTES),
    ],
)
def test_the_limits_are_those_that_are_told(shown: str, value: int) -> None:
    assert shown in TEXT.replace("\n", " ").replace("  ", " ")
    assert f"{value:,}" in shown


def test_the_kinds_of_cells_are_those_that_are_told() -> None:
    shown = [int(number) for number in re.findall(r"^\| (\d+) \|", section(3), re.MULTILINE)]
    kinds = [value for name, value in vars(Kind).items() if name.isupper()]
    assert shown == sorted(kinds)
    for name in NOT_IDENTITY:
        assert f"`{name}`" in section(3)


def test_tags_are_those_that_are_told() -> None:
    for name in PLAIN - {"null"}:
        tag = tag_of(Plain(name))
        assert tag == name or f"`{tag}`" in section(2)
    mixed = widened(widened(Plain("int8"), Plain("text")), Plain("float32"))
    assert str(mixed) == "float64 | text"

"""How the columns of a fragment are laid out: dictionaries only where values come back."""

from __future__ import annotations

import datetime as dt
import io
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artstore.tables.pagecodecs import PageCodecs, page_codecs
from artstore.tables.table import Table

ROWS = 20_000


@pytest.fixture
def seeded() -> random.Random:
    return random.Random(7)


def codecs_of(**columns: object) -> PageCodecs:
    return page_codecs(pa.table(columns))


def test_values_that_come_back_get_a_dictionary(seeded: random.Random) -> None:
    found = codecs_of(
        label=[seeded.randrange(10) for _ in range(ROWS)],
        name=[f"class {seeded.randrange(10)}" for _ in range(ROWS)],
        rounded=[round(seeded.gauss(0, 1), 2) for _ in range(ROWS)],
    )
    assert found == PageCodecs(["label", "name", "rounded"], {})


def test_whole_numbers_without_one_are_told_by_their_differences(seeded: random.Random) -> None:
    start = dt.datetime(2026, 1, 1)
    found = codecs_of(
        id=list(range(ROWS)),
        count=[seeded.randrange(10**6) for _ in range(ROWS)],
        at=[start + dt.timedelta(seconds=n) for n in range(ROWS)],
    )
    assert not found.dictionaries
    assert found.encodings == dict.fromkeys(("id", "count", "at"), "DELTA_BINARY_PACKED")


def test_few_numbers_far_apart_get_a_dictionary(seeded: random.Random) -> None:
    users = [seeded.getrandbits(62) for _ in range(4000)]
    found = codecs_of(user=[seeded.choice(users) for _ in range(ROWS)])
    assert found.dictionaries == ["user"]


def test_other_fractions_and_texts_are_plain(seeded: random.Random) -> None:
    found = codecs_of(
        score=[seeded.random() for _ in range(ROWS)], path=[f"images/{n}.png" for n in range(ROWS)]
    )
    assert found == PageCodecs([], {})


def test_members_and_elements_are_decided_one_by_one() -> None:
    cells = [
        {"id": n, "kind": "a", "boxes": [{"class": n % 3, "score": n / 7}]} for n in range(ROWS)
    ]
    found = codecs_of(cell=cells)
    assert found.dictionaries == ["cell.kind", "cell.boxes.list.element.class"]
    assert found.encodings == {"cell.id": "DELTA_BINARY_PACKED"}


@pytest.mark.parametrize(
    "cells",
    [
        pa.nulls(3),
        pa.array([], pa.int64()),
        pa.array([None, None], pa.int64()),
        pa.array([True, None]),
        pa.array([2**63, None, 0], pa.uint64()),
        pa.array([None, dt.time(1, 2)], pa.time64("us")),
        pa.array([dt.timedelta(1)] * 3, pa.duration("us")),
        pa.array([dt.date(2026, 1, 1)] * 3),
        pa.array([[], None, [1.5]], pa.list_(pa.field("element", pa.float64()))),
        pa.array([b"\0", None]),
    ],
)
def test_any_column_can_be_written_as_was_decided(cells: pa.Array) -> None:
    table = pa.table({"c": cells})
    codecs = page_codecs(table)
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        use_dictionary=list(codecs.dictionaries) or False,
        column_encoding=dict(codecs.encodings) or None,
    )
    assert pq.read_table(sink).column("c").to_pylist() == cells.to_pylist()


def test_a_fragment_is_laid_out_so(seeded: random.Random) -> None:
    table = Table(
        data={
            "id": list(range(ROWS)),
            "label": [n % 10 for n in range(ROWS)],
            "score": [seeded.random() for _ in range(ROWS)],
        }
    )
    (part,) = table.built().parts
    group = pq.ParquetFile(io.BytesIO(part.read())).metadata.row_group(0)
    encodings = {group.column(n).path_in_schema: group.column(n).encodings for n in range(3)}
    assert "DELTA_BINARY_PACKED" in encodings["id"]
    assert any("DICTIONARY" in encoding for encoding in encodings["label"])
    assert set(encodings["score"]) <= {"PLAIN", "RLE"}

"""Tables for tests of exchange formats, and comparing them cell by cell."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from pathlib import Path
from typing import Any

import numpy as np

import artstore as art
from artstore.tables.reading import RowReader
from artstore.tables.table import Table
from artstore.tables.tablefile import table_digest

CLASSES = art.Classes([{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}])


def picture(seed: int, width: int = 12, height: int = 10) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def mask(seed: int) -> np.ndarray:
    ids = np.zeros((10, 12), np.uint8)
    ids[2:5, 3:7] = 1 + seed % 2
    ids[7, 7] = 2
    return ids


def rich_image(seed: int) -> art.Image:
    """Everything that can be said of an image."""
    boxes = [
        {
            "position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.9},
            "class_id": 1,
            "scores": {"sure": 0.25},
            "box_caption": 'a "cat" <b>',
        },
        {
            "position": {"minX": 1, "maxX": 5, "minY": 2, "maxY": 9},
            "domain": "pixel",
            "class_id": 2,
        },
    ]
    return art.Image(
        picture(seed),
        caption=f"caption {seed} \N{CAT}",
        classes=CLASSES,
        boxes={"truth": {"box_data": boxes}, "guess": {"box_data": boxes[:1]}},
        masks={"truth": {"mask_data": mask(seed)}},
    )


def image_table(rows: int = 7) -> Table:
    """What every format holds: ids, images with boxes and masks, labels, texts."""
    table = Table(["id", "image", "label", "text", "score"])
    for at in range(rows):
        label = ["cat", "do/g", "Käfer", None][at % 4]
        text = ['é"x\n,', None, ""][at % 3]
        table.add_data(f"k{at}", rich_image(at), label, text, [0.1, None, 2.0][at % 3])
    table.set_pk("id")
    return table


def every_type_table() -> Table:
    """One column of each sort of cell."""
    first = ["id", "f", "when", "local", "xs", "nested", "dec", "arr", "ragged", "mixed"]
    table = Table([*first, "blob", "day", "time", "took", "flag", "none", "big"])
    zone = dt.timezone(dt.timedelta(hours=2))
    for at in range(9):
        table.add_data(
            at,
            [1.5, math.nan, None, math.inf, -0.0][at % 5],
            dt.datetime(2020, 1, 1, tzinfo=zone) + dt.timedelta(microseconds=at),
            dt.datetime(1969, 12, 31, 23, 59, 59, at),
            [[1, None, 3], None, []][at % 3],
            {"a": at, "b": {"c": "NA", "d": [dt.date(2020, 1, 1)]}} if at else None,
            decimal.Decimal("1.50") * at,
            np.arange(6, dtype=np.float32).reshape(2, 3) * np.float32(0.1) * at,
            np.ones((at % 3, 2), np.int16),
            [1, "1", 2.5, None, True][at % 5],
            b"\x00\xff" + bytes([at]) if at else b"",
            dt.date(2020, 1, 1 + at),
            dt.time(1, 2, 3, at),
            dt.timedelta(seconds=-at),
            bool(at % 2),
            None,
            2**60 + at,
        )
    return table


def digest(table: Table) -> bytes:
    """Of schema, keys and rows: as a version would tell it."""
    return table_digest(table.schema, table.keys, table.built().leaves())


def same(one: Any, two: Any) -> bool:
    if isinstance(one, float) and isinstance(two, float) and math.isnan(one):
        return math.isnan(two)
    if isinstance(one, np.ndarray):
        return isinstance(two, np.ndarray) and one.dtype == two.dtype and np.array_equal(one, two)
    if isinstance(one, list):
        return isinstance(two, list) and len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)
    return type(one) is type(two) and one == two


def assert_equal(found: RowReader, expected: RowReader) -> None:
    assert found.columns == expected.columns
    assert found.row_count == expected.row_count
    for number, (row, wanted) in enumerate(zip(found.rows, expected.rows, strict=True)):
        for name in wanted:
            assert same(row[name], wanted[name]), (number, name, row[name], wanted[name])
        for name, cell in wanted.items():
            if isinstance(cell, art.Image):
                assert np.array_equal(row[name].to_numpy(), cell.to_numpy())


def logged(table: Table, store: Path, name: str = "digits") -> Table:
    """The table as a version has it."""
    opened = art.open_store(str(store))
    opened.create()
    artifact = art.Artifact(name, "dataset")
    artifact.add(table, "examples")
    opened.log_artifact(artifact)
    found = opened.artifact(f"{name}:latest").get("examples")
    assert isinstance(found, Table)
    return found

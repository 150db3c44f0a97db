"""
Tables of every type, the same in every process; run as a program it prints their digests.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from artstore.media.image import Image
from artstore.tables.table import Table
from artstore.tables.tablefile import table_digest

__all__ = ["digests", "samples"]

D = decimal.Decimal
NOON = dt.datetime(2026, 7, 1, 12, 0, 0, 5)
CELLS: dict[str, list[Any]] = {
    "null": [None, None],
    "bool": [True, False, None],
    "int": [0, -1, 2**53, -(2**53)],
    "int64": [2**53 + 1, -(2**63), 2**63 - 1],
    "uint64": [2**63, 2**64 - 1],
    "float": [0.5, -0.0, float("nan"), float("inf"), 2.0**53 + 2, 5e-324],
    "numbers": [1, 0.5, 2**60, 2**63, 2**70, 10**80],
    **{
        f"numpy {name}": [getattr(np, name)(1), getattr(np, name)(0), None]
        for name in ("int8", "uint8", "int16", "uint32", "int64", "uint64", "float16", "float32")
    },
    "text": ["", "a", "é\0", "x" * 7, "x" * 8, "x" * 9, "x" * 100],
    "bytes": [b"", b"\0\xff", b"x" * 100],
    "date": [dt.date(1, 1, 1), dt.date(1970, 1, 1), dt.date(9999, 12, 31)],
    "time": [dt.time(), dt.time(23, 59, 59, 999999)],
    "local": [NOON, dt.datetime.min, dt.datetime.max],
    "zoned": [NOON.replace(tzinfo=dt.UTC), dt.datetime(1969, 12, 31, 23, tzinfo=dt.UTC)],
    "zones": [
        NOON.replace(tzinfo=ZoneInfo("Europe/Berlin")),
        NOON.replace(tzinfo=dt.UTC),
        NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=-3, minutes=-30))),
        NOON,
    ],
    "nanoseconds": [np.datetime64(1, "ns"), np.datetime64(1000, "ns"), NOON],
    "duration": [dt.timedelta(1, 2, 3), -dt.timedelta(1), np.timedelta64(7, "ns")],
    "decimal": [D("1.50"), D("0"), D("-1E-10"), D("1E+5"), D("123.456")],
    "wide decimal": [D("1E-50"), D("9" * 70), D("0.5"), D(0)],
    "list": [[1, None], [], None, [2**60], ["x"], [[0.5]]],
    "struct": [{"b": 1, "a": "x"}, {}, None, {"a": None}, {"c": {"d": [1]}}],
    "array": [np.arange(6.0).reshape(2, 3), np.full((2, 3), np.nan), None],
    "arrays": [np.zeros(3, np.float32), np.ones((1, 2), np.float32), np.zeros((0, 2), np.float32)],
    "array types": [np.array([True]), np.array([1], np.int16), np.array([0.5], np.float16)],
    "union": [1, "1", b"1", True, 0.5, [1], {"a": 1}, D("1.0"), dt.date(2026, 7, 1), None],
}


def columns() -> dict[str, Any]:
    """Enough rows for many leaves, and some that are longer than a leaf."""
    numbers = np.arange(20_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) % np.uint64(1009)
    return {
        "n": pa.array(numbers.astype(np.int64)),
        "x": pa.array(numbers / 7),
        "text": pa.array(["t" * (n % 50) for n in numbers.tolist()]),
        "long": pa.array(["l" * 9000 if n == 5 else "" for n in numbers.tolist()]),
        "lists": pa.array([list(range(n % 4)) for n in numbers.tolist()]),
    }


def image(seed: int, **options: Any) -> Image:
    return Image(np.full((2, 3), seed, np.uint8), **options)


def samples() -> dict[str, Table]:
    """A table of each type, of many rows, of equal rows, and of images."""
    tables = {name: Table(data={"a": cells}) for name, cells in CELLS.items()}
    tables["many"] = Table(data=columns())
    tables["equal"] = Table(data={"a": np.zeros(30_000), "b": ["x"] * 30_000})
    box = {"position": {"minX": 0.0, "maxX": 1.0, "minY": 0.0, "maxY": 0.5}, "class_id": 1}
    classes = [{"id": 1, "name": "car"}]
    tables["images"] = Table(
        data={
            "image": [
                image(1),
                image(2, caption="two", classes=classes, boxes={"truth": {"box_data": [box]}}),
                None,
                image(3, masks={"truth": {"mask_data": np.ones((2, 3), np.uint8)}}),
            ]
        }
    )
    keyed = Table(data={"id": [1, 2], "other": [3, 4]})
    keyed.set_pk("id")
    keyed.set_fk("other", keyed, "id")
    tables["keys"] = keyed
    tables["no rows"] = Table(["a", "b"])
    return tables


def digests() -> dict[str, list[Any]]:
    """Of each table its digest, and how many leaves and which last leaf it has."""
    found = {}
    for name, table in samples().items():
        built = table.built()
        leaves = built.leaves()
        last = leaves.digest(len(leaves) - 1).hex() if len(leaves) else None
        found[name] = [table_digest(built.schema, table.keys, leaves).hex(), len(leaves), last]
    return found


if __name__ == "__main__":
    print(json.dumps(digests(), indent=1))  # noqa: T201 - what it is run for

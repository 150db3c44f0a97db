"""
Spark reads the fragments of a table where they lie, and has its rows. Run by `make spark`.

What it needs to know stands in the description of the table: which rows of which fragment
come one after the other. Spark knows nothing of us, and we nothing of Spark.
"""

from __future__ import annotations

import datetime as dt
import decimal
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import artstore as art

ROWS = 120_000
DAY = dt.datetime(2026, 7, 1, 12, 0, 0, 5)


def columns(numbers: range) -> dict[str, list[Any]]:
    """A column for each type that Spark has, too."""
    noise = np.random.default_rng(5).normal(size=ROWS + 1_000)
    made: dict[str, list[Any]] = {
        "id": list(numbers),
        "noise": [float(noise[n]) for n in numbers],
        "text": [f"row {n} é" for n in numbers],
        "flag": [n % 3 == 0 for n in numbers],
        "day": [dt.date(1990, 1, 1) + dt.timedelta(n % 9_000) for n in numbers],
        "local": [DAY + dt.timedelta(seconds=n) for n in numbers],
        "moment": [(DAY + dt.timedelta(n % 900)).replace(tzinfo=dt.UTC) for n in numbers],
        "price": [decimal.Decimal(n).scaleb(-2) for n in numbers],
        "bytes": [b"\0%d" % n for n in numbers],
        "list": [[n, None, n + 1] if n % 5 else None for n in numbers],
        "struct": [{"a": n, "b": {"c": [str(n)]}} for n in numbers],
    }
    return made


def log_versions(place: Path) -> art.Table:
    """A table whose newest version takes parts of older fragments."""
    store = art.open_store(str(place))
    store.create()
    whole, kept = range(ROWS), (range(7_000), range(9_000, 60_123), range(60_300, ROWS + 1_000))
    for parts in ((whole,), kept):
        table = art.Table(list(columns(range(1))))
        for numbers in parts:
            for row in zip(*columns(numbers).values(), strict=True):
                table.add_data(*row)
        draft = art.Artifact("spark", "dataset")
        draft.add(table, "table")
        store.log_artifact(draft)
    found: art.Table = store.artifact("spark:latest").get("table")
    return found


def rows_in_spark(spark: Any, table: art.Table) -> Iterator[dict[str, Any]]:
    """The rows of the extents of a table, as Spark has them."""
    stored, home = table.stored, table.home
    assert stored is not None
    assert home is not None
    read: dict[int, list[dict[str, Any]]] = {}
    for number, path in enumerate(home.fragment_paths(stored.fragments)):
        frame = spark.read.parquet(str(path))
        frame = frame.select("*", "_metadata.row_index").orderBy("row_index")
        read[number] = [row.asDict(recursive=True) for row in frame.collect()]
        assert len(read[number]) == stored.fragments[number].row_count
    for extent in stored.extents:
        yield from read[extent.fragment][extent.first : extent.first + extent.row_count]


def same(ours: Any, theirs: Any) -> bool:
    """Whether a cell of pandas is one of Spark; which says None, and moments without a zone."""
    if ours is None or ours != ours:  # noqa: PLR0124 - NaN
        return theirs is None
    if isinstance(ours, dt.datetime) and ours.tzinfo is not None:
        return bool(ours.astimezone(dt.UTC).replace(tzinfo=None) == theirs)
    return bool(ours == (bytes(theirs) if isinstance(theirs, bytearray) else theirs))


def main() -> int:
    # Moments are told in the zone of the session, dates in that of the process.
    os.environ["TZ"] = "UTC"
    from pyspark.sql import SparkSession

    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
    }
    builder = SparkSession.builder.master("local[2]").appName("artstore")
    for name, value in settings.items():
        builder = builder.config(name, value)
    with tempfile.TemporaryDirectory() as directory:
        os.environ["ARTSTORE_CACHE_DIR"] = str(Path(directory, "cache"))
        table = log_versions(Path(directory, "store"))
        stored = table.stored
        assert stored is not None
        spark = builder.getOrCreate()
        try:
            theirs = list(rows_in_spark(spark, table))
        finally:
            spark.stop()
        ours = table.to_pandas()
    assert len(theirs) == len(ours) == table.row_count
    for name in table.columns:
        for at, cell in enumerate(ours[name].tolist()):
            assert same(cell, theirs[at][name]), (name, at, cell, theirs[at][name])
    held = sum(fragment.row_count for fragment in stored.fragments)
    print(  # noqa: T201 - what was seen
        f"Spark {spark.version} reads {len(theirs):,} rows x {len(table.columns)} columns in "
        f"{len(stored.extents)} extents of {len(stored.fragments)} fragments with {held:,} rows: "
        "the same as to_pandas()"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

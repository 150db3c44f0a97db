"""
One job on tables, as a process of its own: `python -m benchmarks.table_work JOB DIR SCALE ANSWER`.

What a job says of itself it writes to the file ANSWER, as JSON. The process around it is
measured by `table_rows`.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

JOBS: dict[str, Callable[[Path, float], dict[str, Any]]] = {}
SEED = 20_261_121


def job(run: Callable[[Path, float], dict[str, Any]]) -> Callable[[Path, float], dict[str, Any]]:
    JOBS[run.__name__.replace("_", "-")] = run
    return run


def count(full: int, scale: float) -> int:
    return max(int(full * scale), 100)


def opened(place: Path) -> Any:
    import artstore as art

    store = art.open_store(str(place / "store"))
    store.create()
    return store


def loaded(place: Path) -> tuple[Any, Any]:
    """The package with what tables and images need imported, as a reference has its libraries."""
    import numpy as np

    import artstore as art

    store = opened(place)
    table = art.Table(["image"], [[art.Image(np.zeros((1, 1)))]])
    draft = art.Artifact(f"loaded-{os.getpid()}", "dataset")
    draft.add(table, "table")
    store.log_artifact(draft)
    return art, store


def log(place: Path, name: str, table: Any) -> Any:
    import artstore as art

    draft = art.Artifact(name, "dataset")
    draft.add(table, "table")
    return opened(place).log_artifact(draft)


def numbers(rows: int, columns: int, seed: int = SEED) -> dict[str, Any]:
    """Columns of a table: an id, then measurements, counts and labels in turn."""
    import numpy as np

    rng = np.random.default_rng(seed)
    kinds: tuple[Callable[[], Any], ...] = (
        lambda: rng.normal(size=rows),
        lambda: rng.integers(0, 1_000_000, rows),
        lambda: rng.normal(size=rows).astype("float32").round(3),
    )
    made = {f"c{at}": kinds[at % 3]() for at in range(columns - 1)}
    return {"id": np.arange(rows), **made}


# logging ----------------------------------------------------------------------------


def frame(scale: float) -> Any:
    import pandas as pd

    return pd.DataFrame(numbers(count(1_000_000, scale), 5))


@job
def frame_parquet(place: Path, scale: float) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = frame(scale)
    began = time.perf_counter()
    pq.write_table(pa.Table.from_pandas(data), place / "frame.parquet")
    return {"work_seconds": time.perf_counter() - began}


@job
def frame_art(place: Path, scale: float) -> dict[str, Any]:
    data = frame(scale)
    art, store = loaded(place)
    began = time.perf_counter()
    draft = art.Artifact(f"frame-{os.getpid()}", "dataset")
    draft.add(art.Table(dataframe=data), "table")
    store.log_artifact(draft)
    return {"work_seconds": time.perf_counter() - began}


def measured_rows(scale: float) -> Iterator[list[list[float]]]:
    import numpy as np

    rng = np.random.default_rng(SEED)
    total = count(1_000_000, scale)
    for start in range(0, total, 10_000):
        yield rng.normal(size=(min(10_000, total - start), 12)).tolist()


@job
def rows_art(place: Path, scale: float) -> dict[str, Any]:
    import artstore as art

    table = art.Table([f"c{at}" for at in range(12)])
    seconds = 0.0
    for part in measured_rows(scale):
        began = time.perf_counter()
        for row in part:
            table.add_data(*row)
        seconds += time.perf_counter() - began
    log(place, f"rows-{os.getpid()}", table)
    return {"microseconds_a_row": seconds / len(table) * 1e6}


def pictures(scale: float) -> Any:
    import numpy as np

    rng = np.random.default_rng(SEED)
    total = count(10_000, scale)
    blurred = rng.random((total, 7, 7)).repeat(4, 1).repeat(4, 2)
    return (blurred * 255).astype("uint8")


@job
def images_pillow(_place: Path, scale: float) -> dict[str, Any]:
    from PIL import Image

    arrays = pictures(scale)
    began = time.perf_counter()
    for array in arrays:
        Image.fromarray(array).save(io.BytesIO(), "PNG")
    return {"work_seconds": time.perf_counter() - began}


@job
def images_art(place: Path, scale: float) -> dict[str, Any]:
    arrays = pictures(scale)
    # A store of its own: images that another run has stored would not be stored again.
    art, store = loaded(place / str(os.getpid()))
    began = time.perf_counter()
    table = art.Table(["id", "image", *(f"c{at}" for at in range(10))])
    for at, array in enumerate(arrays):
        table.add_data(at, art.Image(array), *([0.5] * 10))
    draft = art.Artifact(f"images-{os.getpid()}", "dataset")
    draft.add(table, "table")
    store.log_artifact(draft)
    return {"work_seconds": time.perf_counter() - began}


# what a second version stores ---------------------------------------------------------


def two_versions(place: Path, name: str, first: dict[str, Any], second: Any) -> dict[str, Any]:
    import artstore as art

    before = log(place, name, art.Table(data=first))
    table_bytes = before.push.stored_bytes
    began = time.perf_counter()
    after = log(place, name, second(before))
    return {
        "table_bytes": table_bytes,
        "stored_bytes": after.push.stored_bytes,
        "stored_part": after.push.stored_bytes / table_bytes,
        "second_seconds": time.perf_counter() - began,
    }


def with_inserted(columns: dict[str, Any], rows: int) -> dict[str, Any]:
    import numpy as np

    total = len(columns["id"])
    new = numbers(rows, len(columns), SEED + 1)
    return {
        name: np.concatenate([cells[: total // 2], new[name], cells[total // 2 :]])
        for name, cells in columns.items()
    }


@job
def insert_art(place: Path, scale: float) -> dict[str, Any]:
    import artstore as art

    first = numbers(count(2_000_000, scale), 13)
    second = with_inserted(first, count(10_000, scale))
    return two_versions(place, f"insert-{os.getpid()}", first, lambda _: art.Table(data=second))


@job
def append_art(place: Path, scale: float) -> dict[str, Any]:
    first = numbers(count(2_000_000, scale), 13)
    more = numbers(count(20_000, scale), 13, SEED + 2)

    def grown(version: Any) -> Any:
        import pyarrow as pa

        from artstore.tables.rows import Rows

        table = version.get("table")
        for batch in pa.table(more).to_batches():
            table.add_rows(Rows.of_batch(batch))
        return table

    return two_versions(place, f"append-{os.getpid()}", first, grown)


@job
def relog_art(place: Path, scale: float) -> dict[str, Any]:
    import numpy as np

    import artstore as art

    first = numbers(count(1_000_000, scale), 20)
    rng = np.random.default_rng(SEED)
    changed = {name: cells.copy() for name, cells in first.items()}
    changed["c1"][rng.choice(len(first["id"]), count(1_000, scale), replace=False)] += 1
    second = with_inserted(changed, count(10_000, scale))
    return two_versions(place, f"relog-{os.getpid()}", first, lambda _: art.Table(data=second))


# queries ------------------------------------------------------------------------------

QUERIES = {
    "filter": "SELECT count(*) FROM {t} WHERE score > 2.5 AND guess <> label",
    "group": "SELECT label, count(*), avg(score) FROM {t} GROUP BY label",
    "histogram": "SELECT floor(score * 10) AS b, count(*) FROM {t} GROUP BY b",
    "top": "SELECT * FROM {t} ORDER BY score DESC LIMIT 50",
    "page": "SELECT * FROM {t} LIMIT 50 OFFSET {deep}",
    "join": "SELECT count(*), sum(weight) FROM {t} JOIN {r} USING (id) WHERE guess <> label",
}


def batches(rows: int) -> Iterator[Any]:
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng(SEED)
    for start in range(0, rows, 1_000_000):
        n = min(1_000_000, rows - start)
        yield pa.record_batch(
            {
                "id": np.arange(start, start + n),
                "label": rng.integers(0, 10, n),
                "guess": rng.integers(0, 10, n),
                "score": rng.normal(size=n).astype("float32"),
            }
        )


@job
def large_make(place: Path, scale: float) -> dict[str, Any]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    import artstore as art

    rows = count(100_000_000, scale)
    schema = next(batches(1)).schema
    with pq.ParquetWriter(place / "large.parquet", schema, compression="zstd") as writer:
        for batch in batches(rows):
            writer.write_batch(batch)
    small = count(1_000_000, scale)
    keys = np.random.default_rng(SEED).choice(rows, small, replace=False)
    right = pa.table({"id": keys, "weight": np.linspace(0, 1, small)})
    pq.write_table(right, place / "right.parquet", compression="zstd")
    began = time.perf_counter()
    reader = pa.RecordBatchReader.from_batches(schema, batches(rows))
    version = log(place, "large", art.Table(data=reader))
    seconds = time.perf_counter() - began
    log(place, "right", art.Table(data=right))
    stored = version.get("table").stored
    return {
        "log_seconds": seconds,
        "fragments": len(stored.fragments),
        "leaves": len(stored.leaves),
    }


def timed_queries(connection: Any, table: str, right: str, rows: int) -> dict[str, float]:
    found = {}
    for name, sql in QUERIES.items():
        text = sql.format(t=table, r=right, deep=int(rows * 0.9))
        runs = []
        for _ in range(5):
            began = time.perf_counter()
            connection.execute(text).fetchall()
            runs.append(time.perf_counter() - began)
        found[name] = sorted(runs[1:])[1]
    return found


@job
def large_query(place: Path, scale: float) -> dict[str, Any]:
    import duckdb

    from artstore.tables.engine import engine

    rows = count(100_000_000, scale)
    raw = duckdb.connect()
    store = opened(place)
    tables = [store.artifact(f"{name}:latest").get("table") for name in ("large", "right")]
    began = time.perf_counter()
    views = [engine().view(table) for table in tables]
    open_seconds = time.perf_counter() - began
    files = [f"read_parquet('{place / name}')" for name in ("large.parquet", "right.parquet")]
    ours = timed_queries(engine().connection, *views, rows)
    theirs = timed_queries(raw, *files, rows)
    again = timed_queries(engine().connection, *views, rows)
    best = {name: min(ours[name], again[name]) for name in ours}
    return {
        "open_seconds": open_seconds,
        **{f"{name}_seconds": best[name] for name in best},
        **{f"{name}_ratio": best[name] / theirs[name] for name in best},
    }


def diffed(place: Path, scale: float, *, scattered: bool) -> dict[str, Any]:
    """A diff by key of two versions of 2 M x 13, against a scan of the key and what changed."""
    import duckdb
    import numpy as np

    import artstore as art
    from artstore.tables.diffs.comparing import diff_tables

    rows = count(2_000_000, scale)
    first = numbers(rows, 13)
    rng = np.random.default_rng(SEED)
    if scattered:
        chosen = rng.choice(rows, count(1_000, scale), replace=False)
    else:
        chosen = (rng.choice(rows - 50, 20, replace=False)[:, None] + np.arange(50)).ravel()
    second = {name: cells.copy() for name, cells in first.items()}
    second["c1"][chosen] += 1
    second["c2"][chosen] += 1
    name = f"diff-{os.getpid()}"
    old, new = (log(place, name, art.Table(data=data)) for data in (first, second))
    old.download(place / f"{name}-old")
    new.download(place / f"{name}-new")
    files = [str(place / f"{name}-{which}" / "table.parquet") for which in ("old", "new")]
    scans, runs = [], []
    for _ in range(4):
        tables = [version.get("table") for version in (old, new)]
        for table in tables:
            # As after a pull: fragments that were hashed once are not hashed again.
            table.home.fragment_paths(table.stored.fragments)
        began = time.perf_counter()
        found = diff_tables(*tables, "id")
        assert found.changed == len(set(chosen.tolist()))
        runs.append(time.perf_counter() - began)
        connection = duckdb.connect()
        began = time.perf_counter()
        for file in files:
            connection.execute(f"SELECT sum(id), sum(c1), sum(c2) FROM read_parquet('{file}')")  # noqa: S608 - a file of ours
            connection.fetchall()
        scans.append(time.perf_counter() - began)
    return {
        "diff_seconds": sorted(runs)[1],
        "scan_seconds": sorted(scans)[1],
        "to_scan": sorted(runs)[1] / sorted(scans)[1],
        "read_part": found.read_bytes / found.total_bytes,
    }


@job
def diff_runs(place: Path, scale: float) -> dict[str, Any]:
    return diffed(place, scale, scattered=False)


@job
def diff_scattered(place: Path, scale: float) -> dict[str, Any]:
    return diffed(place, scale, scattered=True)


@job
def extents_query(place: Path, scale: float) -> dict[str, Any]:
    """What it costs a reader that 10,000 scattered rows of 10 M were changed and stored alone."""
    import numpy as np
    import pyarrow as pa

    import artstore as art
    from artstore.tables.engine import engine

    rows = count(10_000_000, scale)
    whole = pa.Table.from_batches(batches(rows))
    changed = whole.column("score").to_numpy().copy()
    chosen = np.random.default_rng(SEED).choice(rows, count(10_000, scale), replace=False)
    changed[chosen] += 1
    edited = whole.set_column(3, "score", pa.array(changed))
    name = f"extents-{os.getpid()}"
    plain = log(place, name, art.Table(data=whole))
    delta = log(place, name, art.Table(data=edited))
    anew = log(place, f"{name}-anew", art.Table(data=edited))
    right = log(place, f"{name}-right", art.Table(data={"id": chosen, "weight": chosen / rows}))
    tables = [version.get("table") for version in (delta, anew, right)]
    views = [engine().view(table) for table in tables]
    ours = timed_queries(engine().connection, views[0], views[2], rows)
    theirs = timed_queries(engine().connection, views[1], views[2], rows)
    return {
        "stored_part": delta.push.stored_bytes / plain.push.stored_bytes,
        "extents": len(tables[0].stored.extents),
        **{f"{name}_ratio": ours[name] / theirs[name] for name in ours},
    }


@job
def joined_make(place: Path, scale: float) -> dict[str, Any]:
    import numpy as np

    import artstore as art

    rows, drawn = count(1_000_000, scale), count(10_000, scale)
    rng = np.random.default_rng(SEED)
    arrays = pictures(scale)
    truth = art.Table(["id", "image", "label"])
    images = [art.Image(array) for array in arrays[:drawn]]
    labels = rng.integers(0, 10, rows).tolist()
    for at in range(rows):
        truth.add_data(at, images[at % drawn], labels[at])
    log(place, "truth", truth)
    order = rng.permutation(rows)
    scores = {f"s{at}": rng.random(rows).astype("float32") for at in range(10)}
    pred = art.Table(data={"id": order, "guess": rng.integers(0, 10, rows), **scores})
    store = opened(place)
    out = art.Artifact("pred", "predictions")
    out.add(pred, "pred")
    out.add(art.JoinedTable(pred, store.artifact("truth:latest").get("table"), "id"), "joined")
    store.log_artifact(out)
    return {}


@job
def joined_first(place: Path, _scale: float) -> dict[str, Any]:
    import duckdb

    duckdb.connect().close()
    _, store = loaded(place)
    began = time.perf_counter()
    joined = store.artifact("pred:latest").get("joined")
    rows = joined.rows[:50]
    sizes = [row["image"].to_pil().size for row in rows]
    return {"first_seconds": time.perf_counter() - began, "images": len(sizes)}


def main() -> None:
    name, place, scale, answer = sys.argv[1:]
    found = JOBS[name](Path(place), float(scale))
    Path(answer).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()

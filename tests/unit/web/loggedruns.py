"""
Runs with histories, consoles and files of steps, stored without a process that trains.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from artstore.api import Store
from artstore.catalog.runs.format import object_key
from artstore.digest import digest_of
from artstore.runs.history import write_segment
from artstore.runs.historycolumns import JSON_FIELD
from artstore.runs.nonfinite import encoded
from tests.unit.web.runshelf import SESSION, add_run

BEGUN: Final = 1_767_225_600.0


def add_logged_run(
    store: Store,
    run_id: str,
    rows: Sequence[Mapping[str, Any]] = (),
    *,
    system: Sequence[Mapping[str, float]] = (),
    console: Sequence[bytes] = (),
    **more: Any,
) -> None:
    """
    One run.

    Args:
        rows: of its history, each one step; what is no number, truth value or text is JSON.
        console: its segments.
        more: as `add_run`.
    """
    storage = store._guarded_storage()
    segments: dict[str, list[dict[str, Any]]] = {}

    def put(kind: str, ending: str, data: bytes, count: int) -> None:
        known = segments.setdefault(kind, [])
        name = f"{SESSION}-{len(known):06d}.{ending}"
        key = object_key(store.project, run_id, kind, name)
        storage.create(key, data)
        bounds = {"first_step": 0, "last_step": count - 1} if kind == "history" else {}
        known.append({"key": key, "rows": count, "bytes": len(data), **bounds})

    if rows:
        put("history", "parquet", write_segment(_table(rows, "_step")), len(rows))
    if system:
        put("system", "parquet", write_segment(_table(system, None)), len(system))
    for data in console:
        put("console", "txt", data, data.count(b"\n"))
    told = {kind: {SESSION: found} for kind, found in segments.items()}
    add_run(store, run_id, segments=told, **more)


def add_file(store: Store, run_id: str, data: bytes, ending: str) -> str:
    """A file that a step logged; the path that its row has."""
    name = f"{digest_of(data).hex()}.{ending}"
    key = object_key(store.project, run_id, "media", name)
    store._guarded_storage().create(key, data)
    return f"media/{name}"


def _table(rows: Sequence[Mapping[str, Any]], step: str | None) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    columns: dict[str, Any] = {} if step is None else {step: pa.array(range(len(rows)), pa.int64())}
    columns["_timestamp"] = pa.array([BEGUN + at for at in range(len(rows))], pa.float64())
    fields = [pa.field(name, column.type) for name, column in columns.items()]
    for name in names:
        values = [row.get(name) for row in rows]
        is_json = any(isinstance(value, (dict, list)) for value in values)
        if is_json:
            values = [None if one is None else json.dumps(encoded(one)) for one in values]
        columns[name] = pa.array(values)
        field = pa.field(name, columns[name].type)
        fields.append(field.with_metadata(JSON_FIELD) if is_json else field)
    return pa.table(list(columns.values()), schema=pa.schema(fields))

"""Runs in a store, written as the recorder would, and the lineage of what they made."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import artstore as art
from artstore import clock
from artstore.api import Store
from artstore.catalog.runs.format import object_key
from artstore.catalog.runs.runlog import RunLog
from artstore.runs.history import write_segment
from tests.unit.syncing.stores import log_files

SESSION = "0123456789abcdef"
BEGAN = "2026-01-01T00:00:00Z"


def put_segment(store: Store, run_id: str, number: int, count: int) -> dict[str, Any]:
    rows = pa.table({"_step": [*range(count)], "_timestamp": [1.0] * count, "loss": [0.5] * count})
    data = write_segment(rows)
    key = object_key("p", run_id, "history", f"{SESSION}-{number:06d}.parquet")
    store._guarded_storage().create(key, data)
    return {"key": key, "rows": count, "bytes": len(data), "first_step": 0, "last_step": count - 1}


def log_of(store: Store, run_id: str) -> RunLog:
    log = RunLog(store._guarded_storage(), "p", run_id, "ada@lab")
    log.refresh()
    return log


def start(store: Store, run_id: str, next_by: str | None = None, **changes: Any) -> None:
    soon = clock.format_time(clock.now_seconds() + 60)
    fields = {"session": SESSION, "is_primary": True, "started": BEGAN, "user": "ada"}
    log_of(store, run_id).append(
        lambda _: ("start", {**fields, "next_by": next_by or soon, "changes": changes})
    )


def end(store: Store, run_id: str, **changes: Any) -> None:
    fields = {"session": SESSION, "is_primary": True, "started": BEGAN, "ended": BEGAN}
    told = {**fields, "state": "finished", "exit_code": 0, "changes": changes}
    log_of(store, run_id).append(lambda _: ("end", told))


def record(version: art.LoggedArtifact, **more: Any) -> dict[str, Any]:
    return {
        "artifact": version.collection.qualified_name,
        "version": int(version.version[1:]),
        "time": BEGAN,
        **more,
    }


def train(store: Store, run_id: str, source: str, name: str) -> None:
    """A run that used a version and made another one."""
    used = store.artifact(source)
    made = log_files(store, name, {"w": run_id.encode()}, type="model", run=f"p/{run_id}")
    segment = put_segment(store, run_id, 0, 5)
    store._guarded_storage().create(object_key("p", run_id, "media", "ab.png"), b"picture")
    end(
        store,
        run_id,
        name="first",
        config={"lr": 0.1},
        summary={"loss": 0.5},
        used=[record(used, through="use_artifact", alias="latest")],
        logged=[record(made, type="model", is_new=True)],
        segments={"history": {SESSION: [segment]}},
    )


def edges(store: Store, *names: str) -> set[tuple[str, str, str]]:
    """All edges of a graph but those that say from where a version was brought."""
    graph = store.lineage(*names)
    return {
        (edge.kind, str(edge.before), str(edge.after))
        for edge in graph.edges
        if edge.kind != "derived"
    }

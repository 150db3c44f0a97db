"""Runs in a store, with one of each kind of value that runs have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from artstore.api import Store
from artstore.catalog.runs.format import object_key, run_prefix
from artstore.catalog.runs.runlog import RunLog
from artstore.digest import digest_of
from artstore.runs.history import write_segment
from artstore.runs.historycolumns import JSON_FIELD
from artstore.storage.protocol import Storage

SESSION = "0123456789abcdef"
BEGAN = "2026-01-01T00:00:00Z"
LATER = "2030-01-01T00:00:00Z"
PICTURES = (b"first picture", b"second picture")
PROJECT = "p"


def cell(path: str) -> dict[str, Any]:
    """What a row says of a picture that its run keeps."""
    return {"_type": "image-file", "path": path, "entry": "media/images/a.png"}


def path_of(picture: bytes) -> str:
    return f"media/{digest_of(picture).hex()}.png"


def history(pictures: tuple[bytes, ...]) -> bytes:
    count = len(pictures)
    told = [json.dumps(cell(path_of(picture))) for picture in pictures]
    schema = pa.schema(
        [
            ("_step", pa.int64()),
            ("_timestamp", pa.float64()),
            ("loss", pa.float64()),
            pa.field("pic", pa.string(), metadata=JSON_FIELD),
        ]
    )
    columns = [[*range(count)], [1.0] * count, [0.5] * count, told]
    return write_segment(pa.table(columns, schema=schema))


def samples() -> bytes:
    return write_segment(pa.table({"_timestamp": [1.0, 2.0], "cpu": [10.0, 90.0]}))


def segment(storage: Storage, run_id: str, kind: str, data: bytes, **told: Any) -> dict[str, Any]:
    """Store a segment; what the log says of it."""
    extension = "txt" if kind == "console" else "parquet"
    key = object_key(PROJECT, run_id, kind, f"{SESSION}-{told.pop('number', 0):06d}.{extension}")
    storage.create(key, data)
    return {"key": key, "bytes": len(data), "digest": digest_of(data).hex(), **told}


def record_run(store: Store, run_id: str = "r1", *, has_digests: bool = True) -> str:
    """A run with three entries, a segment of each kind and two pictures; its prefix."""
    storage = store._guarded_storage()
    for picture in PICTURES:
        storage.create(run_prefix(PROJECT, run_id) + path_of(picture), picture)
    stored = {
        "history": segment(storage, run_id, "history", history(PICTURES), rows=len(PICTURES)),
        "system": segment(storage, run_id, "system", samples(), rows=2),
        "console": segment(storage, run_id, "console", b"hello\nworld\n", rows=2),
    }
    if not has_digests:
        for one in stored.values():
            del one["digest"]
    log = RunLog(storage, PROJECT, run_id, "ada@lab")
    log.refresh()
    began = {"session": SESSION, "is_primary": True, "started": BEGAN}
    segments = {kind: {SESSION: [one]} for kind, one in stored.items()}
    for body in (
        ("start", {**began, "next_by": LATER, "changes": {"config": {"lr": 0.1}}}),
        ("update", {"session": SESSION, "next_by": LATER, "changes": {"segments": segments}}),
        (
            "end",
            {
                **began,
                "ended": LATER,
                "state": "finished",
                "exit_code": 0,
                "changes": {"summary": {"loss": 0.5, "pic": cell(path_of(PICTURES[-1]))}},
            },
        ),
    ):
        log.append(lambda _, body=body: body)  # type: ignore[misc]
    return log.prefix


def values_of(storage: Storage, prefix: str) -> Iterator[tuple[str, str]]:
    """Kind and key of all that lies below the prefix of a run."""
    for info in storage.scan(prefix):
        kind, slash, _ = info.key[len(prefix) :].partition("/")
        yield kind if slash else "log", info.key

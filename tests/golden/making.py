"""
The store of format v1 as this release writes it: every kind of value that it can write,
and every kind of log entry that it can read.

The same bytes each time: time stands still, random bytes are a counter, one
thread stores at a time. Only a new release of zstd or of pyarrow may change them, which is no
reason to write the golden store anew.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

import artstore as art
from artstore import api, clock, limits
from artstore.api import Store
from artstore.catalog.format import RawEntry, collection_prefix, entry_key
from artstore.catalog.requests import PublishRequest
from artstore.catalog.retention import Retention
from artstore.catalog.upkeeplog import UPKEEP_PREFIX
from artstore.digest import digest_of
from artstore.manifests.entry import (
    FILE,
    LINK,
    TABLE,
    artifact_digest,
    directory_entry,
    reference_entry,
    symlink_entry,
)
from artstore.manifests.reader import root_key
from artstore.manifests.root import Root, encode_root
from artstore.manifests.segment import encode_segment
from artstore.media.image import Image
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Storage
from artstore.tables.joined import JoinedTable
from artstore.tables.table import Table
from tests.trees import EMPTY, File, Symlink, Tree, build, noise, open_at, push
from tests.unit.catalog.logs import TIME, FixedClock, LogWriter, root_of

DIRECTORY = Path(__file__).parent / "v1"
AUTHOR = "ann@example.org"

FIRST: Tree = {
    "README": File(b"hello\n"),
    "data/a.bin": File(noise(3_000, 1)),
    "data/b.txt": File(b"the same line again\n" * 500),
    "data-x": File(b"between data and data/ in no order but that of bytes"),
    "empty": File(b""),
    "link": Symlink("data/a.bin"),
    "outward": Symlink("../elsewhere"),
    "run.sh": File(b"#!/bin/sh\necho\n", executable=True),
    "void": EMPTY,
    "é/Ω\n": File(b"any Unicode"),
    "e\u0301/\u03a9\n": File(b"normalised nowhere"),
}
SECOND: Tree = {
    **{path: node for path, node in FIRST.items() if path != "data-x"},
    "README": File(b"hello again\n"),
    "data/a.bin": File(noise(3_000, 1), executable=True),
    "moved": FIRST["data-x"],
}
LARGE: Tree = {"zeros": File(bytes(40 * limits.MIB)), "tail": File(noise(2_000, 2))}
"""Zeros take no room in this repository, and their list of chunks is one of format v1."""
MANY: Tree = {f"{i % 50:02}/{i:04}": File(b"") for i in range(3_000)}
"""Enough entries for segments that lie in packs."""
METADATA = {"accuracy": 0.5, "classes": ["a", "b"], "nested": {"n": 1, "none": None}}
REFERENCE = "s3://bucket/key?versionId=1"
TABLE_COLUMNS = ["id", "score", "mixed", "tags", "image"]
TABLE_ROW_COUNT = 400
TABLE_ROWS: list[list[Any]] = [
    [0, 0.5, "text", ["a", "b"], None],
    [1, None, 7, [], None],
    [2, -0.0, None, None, None],
]
FUTURE_ENTRIES = (
    ("directory", "directory"),
    ("file", "file"),
    ("link", "link"),
    ("reference", "reference"),
    ("symlink", "symlink"),
    ("table", "table"),
)
"""(path, kind) of the artifact `kinds`."""


@contextmanager
def making() -> Iterator[Path]:
    """A place to work in, where every run is like every other."""
    names = (
        "ARTSTORE_CACHE_DIR",
        "ARTSTORE_JOBS",
        "ARTSTORE_TEST_GRACE_FLOOR",
        "XDG_STATE_HOME",
    )
    before = {name: os.environ.get(name) for name in names}
    author = api.author
    base = Path(tempfile.mkdtemp(prefix="artstore-golden-"))
    os.environ |= {
        "ARTSTORE_CACHE_DIR": str(base / "cache"),
        # One value after the other: each takes the next time of the clock.
        "ARTSTORE_JOBS": "1",
        "ARTSTORE_TEST_GRACE_FLOOR": "0",
        "XDG_STATE_HOME": str(base / "state"),
    }
    api.author = lambda: AUTHOR  # type: ignore[assignment]
    try:
        with clock.use(FixedClock()):
            yield base
    finally:
        api.author = author
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(base)


def make() -> MemoryStorage:
    """The golden store, in memory."""
    storage = MemoryStorage()
    with making() as base:
        store = open_at("memory://golden", storage, project="golden")
        _collect(store, base)
        _push_versions(store, base)
        _push_references(store)
        _push_tables(store)
        _publish_kinds(store, storage)
        _write_future_log(storage)
    return storage


def _collect(store: Store, base: Path) -> None:
    """A version of which a part lives on in a pack that was repacked; a rule, a pin."""
    tree: Tree = {"kept": File(noise(2_000, 3)), "given up": File(noise(9_000, 4))}
    push(store, build(base / "whole", tree), name="collected")
    push(store, build(base / "part", {"kept": tree["kept"]}), name="collected", aliases=["best"])
    store.delete("collected:v0")
    store.set_retention("collected", Retention(5, timedelta(days=30), ("best",)))
    store.protect("collected", ["best"])
    store.pin("collected:v1", "2999-12-31", holder="ann")
    for _ in range(2):
        store.collect_garbage(grace=timedelta(0), restore_window=timedelta(0), force=True)


def _push_versions(store: Store, base: Path) -> None:
    push(
        store,
        build(base / "first", FIRST),
        type="model",
        description="A model of nothing",
        metadata=METADATA,
        message="first",
        aliases=["best", "v-one"],
        tags=["checked by hand"],
    )
    push(store, build(base / "second", SECOND), aliases=["best"])
    push(store, base / "first")
    store.delete("ds:v2")
    push(store, base / "first", description="told later")
    store.delete("ds:v1", force=True)
    store.restore("ds:v1")
    store.set_tags("ds:v0", remove=["checked by hand"])
    push(store, build(base / "large", LARGE), name="large")
    push(store, build(base / "many", MANY), name="Many")
    for number in range(70):
        # Past 64 entries a log has a rollup.
        store.set_aliases("Many:v0", add=[f"a{number}"])


def _push_references(store: Store) -> None:
    artifact = art.Artifact("references", type="dataset")
    artifact.add_reference(REFERENCE, "there/key", checksum=False)
    store.log_artifact(artifact)


def golden_table() -> Table:
    """A table with numbers, a mixed column, lists and an image."""
    table = Table(TABLE_COLUMNS, TABLE_ROWS)
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    boxes = {"found": {"box_data": [BOX], "class_labels": {1: "spot"}}}
    table.add_data(3, 1e300, {"k": [1.5]}, ["c"], Image(pixels, caption="dots", boxes=boxes))
    for number in range(4, TABLE_ROW_COUNT):
        # Enough for several leaves: a row more leaves the first ones where they are.
        table.add_data(number, number / 7, f"text {number}", [], None)
    return table


BOX = {
    "position": {"minX": 0.25, "maxX": 0.5, "minY": 0.0, "maxY": 1.0},
    "class_id": 1,
    "scores": {"sure": 0.75},
}


def _push_tables(store: Store) -> None:
    """A table, the same with a row more that widens a column, and a join of both."""
    draft = art.Artifact("tables", type="dataset")
    draft.add(golden_table(), "cells")
    first = store.log_artifact(draft)
    longer = first.get("cells")
    longer.add_data("four", 4, None, None, None)
    draft = art.Artifact("tables")
    draft.add(longer, "cells")
    draft.add(JoinedTable(first.get("cells"), first.get("cells"), "id"), "both")
    store.log_artifact(draft)


def _publish_kinds(store: Store, storage: Storage) -> None:
    """One entry of each kind that format v1 names."""
    model = store.artifact("ds:v0").entry("README")
    source = {"project": "golden", "name": "ds", "version": 0, "path": "README"}
    entries = [
        directory_entry("directory"),
        replace(model, path="file"),
        replace(model, path="link", kind=LINK, extra={"source": source}),
        reference_entry("reference", REFERENCE, size_bytes=3, etag="e", version_id="1"),
        symlink_entry("symlink", "file"),
        replace(store.artifact("tables:v0").entry("cells.parquet"), path="table"),
    ]
    digest = artifact_digest(entries).hex()
    counts = {
        "size_bytes": sum(entry.content_bytes for entry in entries),
        "file_count": sum(entry.kind in (FILE, LINK, TABLE) for entry in entries),
        "entry_count": len(entries),
    }
    header = {"digest": digest, "type": "dataset", **counts}
    data = encode_root(Root(header, inline=(encode_segment(entries),)))
    push_id = clock.random_bytes(8)
    key = root_key(digest_of(data), push_id)
    storage.create(key, data)
    request = PublishRequest(type="dataset", digest=digest, root=key, push=push_id.hex(), **counts)
    store._place().catalog.commit("golden", "kinds", request)


def version_fields(number: int) -> dict[str, Any]:
    return {
        "version": number,
        "digest": f"{number:064x}",
        "root": root_of(number),
        "push": f"{number:016x}",
        "size_bytes": number,
        "file_count": 1,
        "entry_count": 1,
        "aliases": [],
        "tags": [],
    }


def _write_future_log(storage: Storage) -> None:
    """Entries of every kind that later releases write and this one reads; no content behind."""
    log = LogWriter(storage, collection_prefix("future", "log"), AUTHOR)
    log.add("create", project="future", name="log", type="dataset")
    for number in range(3):
        log.add("publish", **version_fields(number))
    log.add("link", **version_fields(3), source={"project": "golden", "name": "ds", "version": 0})
    log.add("ttl", version=0, seconds=3600)
    log.add("ttl", version=0, seconds=None)
    log.add("pin", version=1, until=TIME, holder="run-1")
    log.add("unpin", version=1, holder="run-1")
    log.add("draft_open", draft="draft-1")
    log.add("publish", **version_fields(4), draft="draft-1")
    log.add("draft_open", draft="draft-2")
    log.add("draft_abandon", draft="draft-2")
    log.add("fence", plan=0)
    log.add("attest", target=3, digest="ab" * 32, signature="not one")
    log.add("delete", version=2)
    log.add("purge", version=2)
    for number in (0, 1, 3, 4):
        # What they name is not there: for a check they are gone.
        log.add("delete", version=number)
    log.add("named", project="future", name="renamed")
    renamed = LogWriter(storage, collection_prefix("future", "renamed"), AUTHOR)
    renamed.add("redirect", project="future", name="log")
    upkeep = LogWriter(storage, UPKEEP_PREFIX, AUTHOR)
    upkeep.raws = [RawEntry.of(n, storage.read(entry_key(UPKEEP_PREFIX, n))) for n in range(3)]
    upkeep.add("prune")


def write(storage: Storage, directory: Path) -> int:
    """One file a value; how many there are."""
    count = 0
    for info in storage.scan(""):
        path = directory / info.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(storage.read(info.key))
        count += 1
    return count

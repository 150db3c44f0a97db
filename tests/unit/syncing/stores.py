"""Two stores and what lies in them, for the tests of syncing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import artstore as art
from artstore.api import LoggedArtifact, Store
from artstore.storage.memory import MemoryStorage
from artstore.syncing.report import SyncReport
from artstore.syncing.storesync import sync
from tests.trees import keys_of, open_at

__all__ = ["brought", "contents", "log_files", "opened", "quiet", "sync"]


def opened(name: str, project: str = "p") -> Store:
    """A store in memory, of this test alone."""
    store = open_at(f"memory://{name}", MemoryStorage(), project=project)
    store.create()
    return store


def log_files(
    store: Store, name: str, files: Mapping[str, bytes], **options: object
) -> LoggedArtifact:
    """Log a version of files in memory."""
    draft = art.Artifact(name, str(options.pop("type", "dataset")))
    for key in ("description", "metadata"):
        if key in options:
            setattr(draft, key, options.pop(key))
    for path, data in files.items():
        with draft.new_file(path, mode="wb") as file:
            file.write(data)
    return store.log_artifact(draft, **options)  # type: ignore[arg-type]


def contents(store: Store, name: str, directory: Path) -> dict[str, bytes]:
    """Every file of a version, by pulling it."""
    place = directory / store.id / name.replace("/", "_").replace(":", "_")
    store.artifact(name).download(place)
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def brought(report: SyncReport) -> list[str]:
    """`p/ds:v0` of what is new, `p/ds:v0 as v3` where the number differs."""
    assert report.problems == ()
    return [
        f"{one.project}/{one.name}:v{one.version}"
        + (f" as v{one.target_version}" if one.is_renumbered else "")
        for one in report.new_versions
    ]


def quiet(source: Store, target: Store) -> SyncReport:
    """Sync again: nothing may be written."""
    keys = keys_of(target._storage)
    report = sync(source, target)
    assert keys_of(target._storage) == keys
    assert report.new_versions == ()
    assert report.new_runs == ()
    assert report.label_count == 0
    assert report.stored_bytes == 0
    return report

"""
What versions take: logical, stored, unique and shared bytes; of the store, what runs take too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from artstore.catalog.catalog import Catalog
from artstore.catalog.runs.format import run_prefix
from artstore.catalog.runs.survey import RUNS_PREFIX
from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import DamagedDataError
from artstore.manifests.reader import Manifest
from artstore.packs.locator import ChunkRef
from artstore.packs.reader import PackReader, batches
from artstore.storage.protocol import KeyInfo, Storage
from artstore.upkeep.survey import all_collections, version_fragments, version_refs
from artstore.upkeep.usage_runs import RunUsage, measure_runs

__all__ = ["UsageReport", "measure_new", "measure_run", "measure_usage"]

_ONCE, _AGAIN, _ELSEWHERE = 1, 2, 4
IsMeant = Callable[[CollectionState, VersionState], bool]


@dataclass(frozen=True, slots=True)
class UsageReport:
    """
    Attributes:
        logical_bytes: of all files, as if each version were a full copy.
        stored_bytes: what they take in the store, each chunk counted once.
        unique_bytes: the part of it that deleting them would free.
        shared_bytes: the part that something else needs too.
        runs: of the whole store: what the runs of each project take, which is in `stored_bytes`.
    """

    logical_bytes: int
    stored_bytes: int
    unique_bytes: int
    shared_bytes: int
    runs: tuple[RunUsage, ...] = ()


def measure_usage(storage: Storage, catalog: Catalog, is_meant: IsMeant | None) -> UsageReport:
    """
    Add up what the versions that `is_meant` picks take.

    For the whole store (None) unique is what one version alone needs, shared
    what several do; what no version needs, runs too, is in neither.

    Raises:
        DamagedDataError: a manifest cannot be read.
    Cost: reads all manifests; one byte of memory a chunk. Of the whole store also one
        scan of all, and an entry of each run.
    """
    packs = PackReader(storage)
    # A chunk that was moved lies where other versions, later ones, may name it.
    packs.moved.survey()
    marks: dict[bytes, bytearray] = {}
    sizes: dict[bytes, dict[int, int]] = {}
    logical = roots = 0
    for project, name in all_collections(catalog):
        state = catalog.state_or_none(project, name)
        # A renamed collection is counted where it lies.
        if state is None or (state.project, state.name) != (project, name):
            continue
        for version in state.live:
            meant = is_meant is None or is_meant(state, version)
            manifest = Manifest.open(storage, packs, version.root)
            if meant:
                logical += version.size_bytes
                roots += storage.stat(version.root).size_bytes
            for (place, ordinal), stored_bytes in _parts(manifest, packs, is_moved=True):
                _mark(marks, sizes, place, ordinal, stored_bytes, meant=meant)
    once = again = 0
    for pack, column in marks.items():
        for ordinal, mark in enumerate(column):
            if not mark & _ONCE:
                continue
            elsewhere = mark & (_AGAIN if is_meant is None else _ELSEWHERE)
            if elsewhere:
                again += sizes[pack][ordinal]
            else:
                once += sizes[pack][ordinal]
    total = once + again + roots
    runs: tuple[RunUsage, ...] = ()
    if is_meant is None:
        total, runs = _measure_all(storage)
    return UsageReport(logical, total, once + roots, again, runs)


def measure_run(storage: Storage, project: str, run_id: str) -> UsageReport:
    """
    What one run takes; nothing else uses any of it.

    Cost: one scan, one read; of a run that goes on, one for each entry.
    """
    runs = measure_runs(storage, storage.scan(run_prefix(project, run_id)))
    total = sum(one.stored_bytes for one in runs)
    return UsageReport(total, total, total, 0, runs)


def _measure_all(storage: Storage) -> tuple[int, tuple[RunUsage, ...]]:
    """Bytes of all values, and what runs take of them, by one scan."""
    total = 0

    def counted() -> Iterator[KeyInfo]:
        nonlocal total
        for info in storage.scan(""):
            total += info.size_bytes
            if info.key.startswith(RUNS_PREFIX):
                yield info

    runs = measure_runs(storage, counted())
    return total, runs


def measure_new(
    storage: Storage, manifest: Manifest, packs: PackReader, version: VersionState
) -> int:
    """
    What the push of a version stored of what it needs: every key of a push holds its id (O2).

    Raises:
        DamagedDataError: the manifest cannot be read.
    Cost: reads the manifest.
    """
    push = bytes.fromhex(version.push)
    fragment = f"-{version.push}.parquet".encode()
    parts = sum(
        stored_bytes
        for (place, _), stored_bytes in _parts(manifest, packs)
        if place.endswith((push, fragment))
    )
    return parts + storage.stat(version.root).size_bytes


def _parts(
    manifest: Manifest, packs: PackReader, *, is_moved: bool = False
) -> Iterator[tuple[tuple[bytes, int], int]]:
    """
    What a version needs, each once: (pack, ordinal) or (fragment, 0), and its bytes.

    Args:
        is_moved: say of chunks where they lie now, not where they were stored at first.
    """
    seen: set[tuple[bytes, int]] = set()
    for batch in batches(ref for _, ref in version_refs(manifest, packs)):
        for ref in _places(packs, batch) if is_moved else batch:
            if (ref.pack, ref.ordinal) not in seen:
                seen.add((ref.pack, ref.ordinal))
                yield (ref.pack, ref.ordinal), ref.stored_bytes
    fragments = {one.key: one for _, one in version_fragments(manifest, packs)}
    for key, fragment in fragments.items():
        yield (key.encode(), 0), fragment.size_bytes


def _places(packs: PackReader, refs: list[ChunkRef]) -> list[ChunkRef]:
    try:
        return packs.moved.places(refs)
    except DamagedDataError:
        # What is lost takes no place, but what is not counts all the same: `check` tells.
        return refs


def _mark(
    marks: dict[bytes, bytearray],
    sizes: dict[bytes, dict[int, int]],
    pack: bytes,
    ordinal: int,
    stored_bytes: int,
    *,
    meant: bool,
) -> None:
    column = marks.setdefault(pack, bytearray())
    if len(column) <= ordinal:
        column.extend(bytes(ordinal + 1 - len(column)))
    if not meant:
        column[ordinal] |= _ELSEWHERE
    else:
        column[ordinal] |= _AGAIN if column[ordinal] & _ONCE else _ONCE
        sizes.setdefault(pack, {})[ordinal] = stored_bytes

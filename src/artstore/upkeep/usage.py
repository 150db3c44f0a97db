"""
What versions take: logical, stored, unique and shared bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from artstore.catalog.catalog import Catalog
from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import DamagedDataError
from artstore.manifests.reader import Manifest
from artstore.packs.locator import ChunkRef
from artstore.packs.reader import PackReader, batches
from artstore.storage.protocol import Storage
from artstore.upkeep.survey import all_collections, version_fragments, version_refs

__all__ = ["UsageReport", "measure_new", "measure_usage"]

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
    """

    logical_bytes: int
    stored_bytes: int
    unique_bytes: int
    shared_bytes: int


def measure_usage(storage: Storage, catalog: Catalog, is_meant: IsMeant | None) -> UsageReport:
    """
    Add up what the versions that `is_meant` picks take.

    For the whole store (None) unique is what one version alone needs, shared
    what several do; what no version needs is in neither.

    Raises:
        DamagedDataError: a manifest cannot be read.
    Cost: reads all manifests; one byte of memory a chunk.
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
    if is_meant is None:
        total = sum(info.size_bytes for info in storage.scan(""))
    return UsageReport(logical, total, once + roots, again)


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
    name = f"-{version.push}".encode()
    parts = sum(
        stored_bytes
        for (place, _), stored_bytes in _parts(manifest, packs)
        if place.endswith((push, name))
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

"""
Every collection and version of a store, and every chunk that a version names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from artstore.catalog.catalog import Catalog
from artstore.catalog.fold import Fold
from artstore.catalog.state import CollectionState, VersionState
from artstore.errors import ArtstoreError, DamagedDataError, StorageError
from artstore.manifests.entry import TABLE, Entry
from artstore.manifests.reader import Manifest
from artstore.manifests.tree import decode_node
from artstore.packs.locator import ChunkRef
from artstore.packs.reader import PackReader

if TYPE_CHECKING:
    from artstore.tables.fragments import Fragment

__all__ = [
    "all_collections",
    "state_in_store",
    "version_fragments",
    "version_name",
    "version_refs",
]


def all_collections(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """(project, name) of every log of a collection, those that only redirect among them."""
    for project in catalog.projects():
        for name in catalog.collections(project):
            yield project, name


def state_in_store(catalog: Catalog, project: str, name: str) -> CollectionState:
    """
    The state by the entries themselves: neither the replica nor a redirect counts.

    Cost: reads the whole log.
    """
    fold = Fold(CollectionState(project, name))
    for raw in catalog.raw_entries(project, name):
        if raw.n > fold.head_n + 1:
            fold.skip_hole(fold.head_n + 1, raw.n - 1)
        fold.apply(raw)
    return fold.state()


def version_name(state: CollectionState, version: VersionState) -> str:
    """`project/name:v3`."""
    return f"{state.project}/{state.name}:v{version.version}"


def version_refs(manifest: Manifest, packs: PackReader) -> Iterator[tuple[Entry | None, ChunkRef]]:
    """
    Every stored chunk that a version needs: segments and lists of them (without
    an entry), chunk lists and chunks of files.

    Raises:
        DamagedDataError: at the first list that cannot be read, or does not make
            up what it stands for.
    Cost: each chunk list is read once, however often it is named: a few lists
        that name one another could stand for more chunks than there are atoms.
    """
    for ref in (*manifest.list_refs(), *manifest.segment_refs()):
        yield None, ref
    seen: set[tuple[bytes, int, int]] = set()
    for entry in manifest.entries():
        if entry.chunks and sum(ref.span_bytes for ref in entry.chunks) != entry.size_bytes:
            raise _damaged(f"chunks of {entry.path!r}")
        for ref in entry.chunks:
            yield entry, ref
            for below in _below(ref, entry, packs, seen):
                yield entry, below


def version_fragments(
    manifest: Manifest, packs: PackReader, *, skip_damaged: bool = False
) -> Iterator[tuple[Entry, Fragment]]:
    """
    Every fragment that a table of a version has rows in.

    Args:
        skip_damaged: pass over tables of which the description cannot be read.
    Raises:
        DamagedDataError: `table-damaged`, and those of chunks.
    """
    for entry in manifest.entries():
        if entry.kind == TABLE:
            from artstore.tables.stored import read_table

            try:
                table = read_table(packs, entry)
            except StorageError:
                raise
            except ArtstoreError:
                if not skip_damaged:
                    raise
                continue
            for fragment in table.fragments:
                yield entry, fragment


def _below(
    top: ChunkRef,
    entry: Entry,
    packs: PackReader,
    seen: set[tuple[bytes, int, int]],
) -> Iterator[ChunkRef]:
    pending = [(top, entry.level)]
    while pending:
        ref, level = pending.pop()
        if not level:
            if ref.span_bytes != ref.plain_bytes:
                raise _damaged(f"chunks of {entry.path!r}")
            continue
        place = (ref.pack, ref.ordinal, level)
        if place in seen:
            continue
        seen.add(place)
        node = decode_node(bytes(packs.chunk(ref)), where=f"a chunk list of {entry.path!r}")
        if sum(child.span_bytes for child in node) != ref.span_bytes:
            raise _damaged(f"chunks in a list of {entry.path!r}")
        yield from node
        pending += [(child, level - 1) for child in node]


def _damaged(what: str) -> DamagedDataError:
    return DamagedDataError(f"{what} do not add up", code="manifest-damaged")

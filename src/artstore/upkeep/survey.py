"""
Every collection and version of a store, and every chunk that a version names.
"""

from __future__ import annotations

from collections.abc import Iterator

from artstore.catalog.catalog import Catalog
from artstore.catalog.state import CollectionState, VersionState
from artstore.manifests.entry import Entry
from artstore.manifests.reader import Manifest
from artstore.manifests.tree import decode_node
from artstore.packs.locator import ChunkRef
from artstore.packs.reader import PackReader

__all__ = ["all_collections", "live_versions", "version_name", "version_refs"]


def all_collections(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """(project, name) of every collection, redirects of renamed ones left out."""
    for project in catalog.projects():
        for name in catalog.collections(project):
            yield project, name


def live_versions(state: CollectionState) -> Iterator[VersionState]:
    """Versions that are not deleted, oldest first."""
    yield from state.live


def version_name(state: CollectionState, version: VersionState) -> str:
    """`project/name:v3`."""
    return f"{state.project}/{state.name}:v{version.version}"


def version_refs(manifest: Manifest, packs: PackReader) -> Iterator[tuple[Entry | None, ChunkRef]]:
    """
    Every stored chunk that a version needs: segments and lists of them (without
    an entry), chunk lists and chunks of files.

    Raises:
        DamagedDataError: at the first list that cannot be read.
    """
    for ref in (*manifest.list_refs(), *manifest.segment_refs()):
        yield None, ref
    for entry in manifest.entries():
        for ref in _below(entry.chunks, entry.level, packs):
            yield entry, ref


def _below(refs: tuple[ChunkRef, ...], level: int, packs: PackReader) -> Iterator[ChunkRef]:
    for ref in refs:
        yield ref
        if level:
            node = decode_node(bytes(packs.chunk(ref)), where="a chunk list")
            yield from _below(tuple(node), level - 1, packs)

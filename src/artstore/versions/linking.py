"""
A version in a second collection: a link, which holds the content by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from artstore import clock, names
from artstore.catalog.fences import ContentUse
from artstore.catalog.requests import PublishRequest
from artstore.catalog.state import Source, VersionState
from artstore.packs.locator import PUSH_ID_BYTES, pack_key
from artstore.packs.needed import NeededChunks
from artstore.transfer.place import StorePlace
from artstore.upkeep.survey import version_fragments, version_refs
from artstore.versions.version import LoggedVersion

__all__ = ["content_use", "link_version"]


def content_use(place: StorePlace, version: VersionState) -> ContentUse:
    """
    Every key that a version references, its root among them, each to be proven.

    Cost: reads the list of its files, twice; four bytes of memory a chunk.
    """
    manifest = place.manifest(version)
    chunks = NeededChunks(ref for _, ref in version_refs(manifest, place.packs))
    keys = set(map(pack_key, chunks))
    keys.update(fragment.key for _, fragment in version_fragments(manifest, place.packs))
    keys.update(key for key in (version.root, version.meta) if key is not None)
    found = frozenset(keys)
    return ContentUse(relied=found, unproven=found, chunks=chunks)


def link_version(version: LoggedVersion, target_path: str, aliases: Sequence[str]) -> LoggedVersion:
    """
    Make the next version of `[project/]name` out of this one, without copying.

    The newest of that name is the link already, if it has the same content.

    Raises:
        InvalidInputError: `name-invalid`, `type-mismatch`.
        ConflictError: `content-condemned`, `content-vanished`.
    Cost: reads the list of files; one look for each pack it names; one or two log entries.
    """
    project, name = _target(version, target_path)
    place, own = version.place, version.version
    # C7: the link is a root of its own. What it names must be there when it is written.
    source = own.source or Source(version.state.project, version.state.name, own.version)
    request = PublishRequest(
        type=version.state.type or "",
        digest=own.digest,
        root=own.root,
        push=clock.random_bytes(PUSH_ID_BYTES).hex(),
        size_bytes=own.size_bytes,
        file_count=own.file_count,
        entry_count=own.entry_count,
        aliases=tuple(names.check_alias(alias) for alias in aliases if alias != "latest"),
        uses=content_use(place, own),
        source=source,
    )
    committed = place.catalog.commit(project, name, request)
    number = committed.outcome.version
    assert number is not None
    linked = version.beside(committed.state, committed.state.versions[number])
    if own.meta is not None and linked.version.source == source and linked.version.meta is None:
        # Said later than the list of files was written, hence not in it.
        header = version.header()
        linked.describe({key: header.get(key) for key in ("description", "metadata")})
    return linked


def _target(version: LoggedVersion, target_path: str) -> tuple[str, str]:
    """`name`, `project/name`, or with an entity in front, as W&B writes it."""
    *before, name = target_path.split("/")
    project = before[-1] if before else version.state.project
    if len(before) > 2:
        names.check_collection_name(target_path)
    return names.check_project_name(project), names.check_collection_name(name)

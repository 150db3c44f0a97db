"""
Purge: a version that must really go, and what else holds the same bytes.

Its tombstone cannot be taken back, it is no root whatever its age, and each pack with a chunk
that it alone needed is repacked in the next plan. Digests stay in the log for ever: of the
artifact, and of its root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from artstore.catalog.requests import PurgeRequest
from artstore.catalog.state import CollectionState, VersionState
from artstore.garbage.collecting import collect_garbage
from artstore.garbage.deleting import delete_version
from artstore.garbage.planning import GarbageWork
from artstore.garbage.records import GarbageReport
from artstore.manifests.entry import DIRECTORY, REFERENCE, SYMLINK, Entry
from artstore.manifests.reader import Manifest
from artstore.storage.bounded import is_stored
from artstore.upkeep.survey import all_collections, version_name

if TYPE_CHECKING:
    from artstore.transfer.place import StorePlace

__all__ = ["Holder", "PurgeReport", "purge_version"]

_SHOWN_PATHS: Final = 5
_NO_CONTENT: Final = frozenset((DIRECTORY, REFERENCE, SYMLINK))


@dataclass(frozen=True, slots=True)
class Holder:
    """
    Another version that holds some of the same content, which therefore stays.

    Attributes:
        name: `project/name:v3`.
        is_deleted: it was deleted, and can still be restored.
        file_count, size_bytes: of its entries with content of the purged version.
        paths: some of them.
    """

    name: str
    is_deleted: bool
    file_count: int
    size_bytes: int
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """
    What a purge did, or would do.

    Attributes:
        name: `project/name:v3`.
        holders: who else holds the same content. To be rid of that, purge them too.
        left_digests: what of the version stays in the log for ever: digests, of no use to
            who has not the content.
        cached_files: whole files that were removed from the cache of this machine.
        garbage: the plan by which the rest goes, or the open plan that comes before it.
    """

    name: str
    holders: tuple[Holder, ...]
    left_digests: tuple[str, ...]
    cached_files: int
    garbage: GarbageReport

    @property
    def gone_after(self) -> str | None:
        """When the bytes can be deleted, by the store's clock; None if no plan has them yet."""
        plan = self.garbage.plan
        return None if plan is None else plan.sweep_after

    @property
    def is_swept(self) -> bool:
        """Whether the plan that has its bytes was carried out, and not only one before it."""
        plan, swept = self.garbage.plan, self.garbage.swept
        return plan is not None and swept is not None and swept.plan == plan.number

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left of what only it needed."""
        plan, swept = self.garbage.plan, self.garbage.swept
        if not self.is_swept or plan is None or swept is None:
            return False
        return not (swept.reason or swept.spared_keys or plan.kept)

    def to_json(self) -> dict[str, Any]:
        """As `art rm --purge --json` prints it (docs/reference/json.md)."""
        return {
            "name": self.name,
            "holders": [asdict(holder) for holder in self.holders],
            "left_digests": list(self.left_digests),
            "cached_files": self.cached_files,
            "gone_after": self.gone_after,
            "is_gone": self.is_gone,
            "garbage": self.garbage.to_json(),
        }


def purge_version(
    place: StorePlace,
    work: GarbageWork,
    state: CollectionState,
    version: VersionState,
    *,
    force: bool = False,
    is_dry_run: bool = False,
    waits: bool = False,
) -> PurgeReport:
    """
    Give a version up for good, and plan the deletion of what only it needed.

    Args:
        version: live, or deleted already.
        force: although it has aliases, is pinned or in use.
        waits: for the grace, and deletes.
    Raises:
        StateError: as `delete_version`; `gc-refused`.
        DamagedDataError: the list of files of a version cannot be read.
    Cost: reads the lists of all versions, twice; as `collect_garbage`.
    """
    digests = _digests(place, version)
    holders = tuple(_holders(place, state, version, digests))
    left = (version.digest, version.root.rpartition("/")[2].partition("-")[0])
    cached = 0
    if not is_dry_run:
        if version.is_live:
            delete_version(place, state, version.version, force=force)
        place.catalog.commit(state.project, state.name, PurgeRequest(version.version))
        cached = place.content_cache.forget(digests)
    purged = (state.project, state.name, version.version)
    garbage = collect_garbage(work, is_dry_run=is_dry_run, waits=waits, as_purged=purged)
    return PurgeReport(version_name(state, version), holders, left, cached, garbage)


def _digests(place: StorePlace, version: VersionState) -> set[bytes]:
    """Of the content of its files, tables and media."""
    # A second purge, after the list is gone, finds nothing more to look for.
    if not is_stored(place.storage, version.root):
        return set()
    entries = Manifest.open(place.storage, place.packs, version.root).entries()
    return {entry.digest for entry in entries if _has_content(entry)}


def _has_content(entry: Entry) -> bool:
    return entry.kind not in _NO_CONTENT and entry.size_bytes > 0


def _holders(
    place: StorePlace, state: CollectionState, purged: VersionState, digests: set[bytes]
) -> Iterator[Holder]:
    seen: dict[bytes, list[Entry]] = {}
    own = version_name(state, purged)
    for project, name in all_collections(place.catalog) if digests else ():
        other = place.catalog.state_or_none(project, name)
        if other is None or (other.project, other.name) != (project, name):
            continue
        for version in other.versions.values():
            label = version_name(other, version)
            if label == own or not _can_be_had(place, version):
                continue
            manifest = Manifest.open(place.storage, place.packs, version.root)
            held = list(_held(manifest, digests, seen))
            if held:
                yield Holder(
                    label,
                    not version.is_live,
                    len(held),
                    sum(entry.size_bytes for entry in held),
                    tuple(entry.path for entry in held[:_SHOWN_PATHS]),
                )


def _can_be_had(place: StorePlace, version: VersionState) -> bool:
    if version.deleted is None:
        return True
    return not version.deleted.is_purged and is_stored(place.storage, version.root)


def _held(
    manifest: Manifest, digests: set[bytes], seen: dict[bytes, list[Entry]]
) -> Iterator[Entry]:
    """Entries with one of the digests; segments that versions share are read once."""
    refs = manifest.segment_refs()
    if not refs:
        yield from (entry for entry in manifest.entries() if entry.digest in digests)
        return
    for at, ref in enumerate(refs):
        if ref.digest not in seen:
            (entries,) = manifest.segments(at, 1)
            seen[ref.digest] = [
                entry for entry in entries if entry.digest in digests and _has_content(entry)
            ]
        yield from seen[ref.digest]

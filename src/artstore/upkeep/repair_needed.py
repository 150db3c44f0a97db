"""
What the versions of a damaged store need, as far as they can be read.
"""

from __future__ import annotations

from collections.abc import Iterable

from artstore import clock
from artstore.catalog.catalog import Catalog
from artstore.catalog.state import VersionState
from artstore.errors import ArtstoreError, StorageError
from artstore.manifests.reader import Manifest
from artstore.packs.reader import PackReader
from artstore.storage.protocol import Storage
from artstore.upkeep.repair_fragments import FragmentUse, note_uses
from artstore.upkeep.repair_packs import PackUse, find_uses
from artstore.upkeep.survey import all_collections, state_in_store

__all__ = ["Needed", "look_for_needed"]


class Needed:
    """
    What live versions need now.

    Attributes:
        looked_seconds: when they were looked at.
        roots: their manifests.
        uses, fragments: of the packs and fragments in question.
        restorable_uses: of these packs, what versions name that were deleted and not purged.
    """

    def __init__(self, packs: Iterable[bytes], fragments: Iterable[str]) -> None:
        self.looked_seconds = clock.now_seconds()
        self.roots: set[str] = set()
        self.uses = {pack: PackUse() for pack in packs}
        self.restorable_uses = {pack: PackUse() for pack in self.uses}
        self.fragments = {key: FragmentUse() for key in fragments}

    def note(
        self, version: VersionState, manifest: Manifest, reader: PackReader, named: tuple[str, str]
    ) -> None:
        """What one version needs."""
        if self.uses:
            uses = self.uses if version.is_live else self.restorable_uses
            name = (*named, f"v{version.version}")
            find_uses(uses, manifest, reader, name=name, root=version.root)
        if self.fragments and version.is_live:
            note_uses(self.fragments, manifest, reader, name=named, root=version.root)


def look_for_needed(
    storage: Storage, catalog: Catalog, packs: Iterable[bytes] = (), fragments: Iterable[str] = ()
) -> Needed:
    """
    Look through all versions; what cannot be read of one is passed over.

    Args:
        packs, fragments: those in question; of others nothing is noted.
    Raises:
        StorageError: the storage fails.
    Cost: all logs; if anything is in question the lists of all versions.
    """
    needs = Needed(packs, fragments)
    reader = PackReader(storage)
    if needs.uses:
        reader.moved.survey()
    for project, name in all_collections(catalog):
        state = state_in_store(catalog, project, name)
        if state.redirect is not None:
            continue
        for version in state.versions.values():
            if version.deleted is not None and version.deleted.is_purged:
                continue
            if version.is_live:
                needs.roots |= {key for key in (version.root, version.meta) if key is not None}
            if not needs.uses and not (needs.fragments and version.is_live):
                continue
            try:
                manifest = Manifest.open(storage, reader, version.root)
                needs.note(version, manifest, reader, (project, name))
            except StorageError:
                raise
            except ArtstoreError:
                continue
    return needs

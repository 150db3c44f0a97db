"""
What was added to an artifact, as the sources that a push reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from artstore.artifact import AddedDirectory, AddedFile, Artifact
from artstore.settings import Settings
from artstore.storage.local import LocalStorage
from artstore.storage.protocol import Storage

if TYPE_CHECKING:
    from artstore.manifests.entry import Entry
    from artstore.transfer.sources import Source

__all__ = ["sources_of"]


def sources_of(artifact: Artifact, settings: Settings, storage: Storage) -> list[Source]:
    """Directories with the rules of what they leave out, files, and entries without bytes."""
    from artstore.transfer.ignore import IgnoreRules
    from artstore.transfer.sources import EntrySource, FileSource, TreeSource

    sources: list[Source] = []
    entries: list[Entry] = []
    for added in artifact.additions:
        if isinstance(added, AddedDirectory):
            own = _own_places_below(added.location, settings, storage)
            rules = IgnoreRules.for_push(
                added.location,
                include=added.include,
                exclude=(*added.exclude, *own),
                settings_file=settings.project_file,
                settings_rules=settings.ignores,
            )
            sources.append(TreeSource(added.location, added.prefix, rules, added.follow_links))
        elif isinstance(added, AddedFile):
            sources.append(FileSource(added.location, added.path))
        else:
            entries.append(added)
    # One source: a prefix of a bucket adds as many entries as it has keys.
    return [*sources, EntrySource(tuple(entries))] if entries else sources


def _own_places_below(location: Path, settings: Settings, storage: Storage) -> list[str]:
    """Patterns for the store and the cache where they lie inside what is pushed."""
    from artstore.transfer.globs import escape_glob

    places = [settings.cache_dir]
    if isinstance(storage, LocalStorage):
        places.append(Path(storage.path))
    real = location.resolve()
    return [
        f"/{escape_glob(place.resolve().relative_to(real).as_posix())}/"
        for place in places
        if place.resolve() != real and place.resolve().is_relative_to(real)
    ]

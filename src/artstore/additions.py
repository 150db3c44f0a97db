"""
What was added to an artifact, as the sources that a push reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from artstore.drafts.added import AddedDirectory, AddedFile, Addition, DraftOrigin
from artstore.settings import Settings
from artstore.storage.local import LocalStorage
from artstore.storage.protocol import Storage

if TYPE_CHECKING:
    from artstore.manifests.entry import Entry
    from artstore.transfer.prepared import BytesItem, TableItem
    from artstore.transfer.pushspec import KeptVersion
    from artstore.transfer.sources import Source
    from artstore.transfer.walk import Found

__all__ = ["items_of", "kept_version", "sources_of"]


def sources_of(
    additions: Iterable[Addition], settings: Settings | None = None, storage: Storage | None = None
) -> list[Source]:
    """
    Directories with the rules of what they leave out, files, and entries without bytes.

    Args:
        settings: what they leave out everywhere; None while it is not known.
        storage: where it is pushed to.
    """
    from artstore.transfer.sources import EntrySource, FileSource

    entries: list[Entry | BytesItem | TableItem] = []
    files: list[Source] = []
    trees: list[Source] = []
    for added in additions:
        if isinstance(added, AddedDirectory):
            trees.append(_tree_source(added, settings, storage))
        elif isinstance(added, AddedFile):
            files.append(FileSource(added.location, added.path, added.noted))
        else:
            entries.append(added)
    # One source: a prefix of a bucket adds as many entries as it has keys. Directories
    # come last: of two sources it is the later one that may replace what the other has.
    return [*([EntrySource(tuple(entries))] if entries else []), *files, *trees]


def kept_version(origin: DraftOrigin | None) -> KeptVersion | None:
    """The version that a draft begins with, as a push wants it."""
    from artstore.transfer.pushspec import KeptVersion

    if origin is None:
        return None
    version = origin.version
    if version is None:
        return KeptVersion(None, None, origin.without)
    return KeptVersion(version.state, version.version, origin.without)


def items_of(additions: Iterable[Addition], origin: DraftOrigin | None) -> Iterator[Entry | Found]:
    """
    What a draft holds, by path; of a newest version that is not known yet nothing.

    Raises:
        As a push, where two additions do not go together.
    Cost: a stat for each file; the list of the version that the draft begins with.
    """
    from artstore.transfer.hashing import hash_found
    from artstore.transfer.prepared import BytesItem, TableItem
    from artstore.transfer.sources import VersionSource, scan

    sources = sources_of(additions)
    if origin is not None and (version := origin.version) is not None:
        kept = VersionSource(
            version.manifest(),
            version.qualified_name,
            origin.without,
            gives_way=False,
            digest_of=hash_found,
        )
        sources.insert(0, kept)
    for item in scan(sources, content_root="", on_warning=_ignored):
        yield item.entry if isinstance(item, (BytesItem, TableItem)) else item


def _tree_source(
    added: AddedDirectory, settings: Settings | None, storage: Storage | None
) -> Source:
    from artstore.transfer.ignore import IgnoreRules
    from artstore.transfer.sources import TreeSource

    own = _own_places_below(added.location, settings, storage) if settings and storage else []
    rules = IgnoreRules.for_push(
        added.location,
        include=added.include,
        exclude=(*added.exclude, *own),
        settings_file=settings.project_file if settings else None,
        settings_rules=settings.ignores if settings else (),
    )
    return TreeSource(
        added.location, added.prefix, rules, added.follow_links, added.without, added.replaces
    )


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


def _ignored(_message: str) -> None:
    pass

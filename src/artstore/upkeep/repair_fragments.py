"""
Finding the bytes of a fragment of a table again: whole, or not at all.

The key of a fragment is the digest of its bytes, so whatever has that digest is the
fragment, whoever has it. The rows alone are not: a Parquet file of equal rows
may have other bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from artstore.digest import digest_of
from artstore.errors import ArtstoreError, StorageError
from artstore.manifests.reader import Manifest
from artstore.packs.reader import PackReader
from artstore.storage.protocol import Storage
from artstore.upkeep.repair_sources import (
    FindFiles,
    SecondStore,
    read_part,
    read_value,
    values_of_digest,
)
from artstore.upkeep.survey import version_fragments

__all__ = [
    "FRAGMENTS_PREFIX",
    "FragmentMaterial",
    "FragmentUse",
    "find_fragment",
    "find_misplaced",
    "note_uses",
]

FRAGMENTS_PREFIX: Final = "fragments/"
_PLACES_KEPT_COUNT: Final = 8
"""Entries that are tried for one fragment: a thousand versions may share it."""


@dataclass(slots=True)
class FragmentUse:
    """
    What live versions say of a fragment.

    Attributes:
        digest, size_bytes: of its bytes; None and 0 while no version is known to need it.
        roots: manifests that lead to it.
        places: (project, name, path) of tables with rows in it, some of them.
    """

    digest: bytes | None = None
    size_bytes: int = 0
    roots: set[str] = field(default_factory=set)
    places: dict[tuple[str, str, str], None] = field(default_factory=dict)


class FragmentMaterial(NamedTuple):
    """
    Where a fragment may come from, in the order in which they are asked.

    Attributes:
        own: the journal of an earlier repair and the store itself, with what to call them.
        misplaced: by digest, what lies under the keys of others in this store.
    """

    own: Sequence[tuple[str, Storage]]
    misplaced: Mapping[bytes, tuple[str, bytes]]
    find_files: FindFiles
    stores: Sequence[SecondStore]


def note_uses(
    uses: Mapping[str, FragmentUse],
    manifest: Manifest,
    reader: PackReader,
    *,
    name: tuple[str, str],
    root: str,
) -> None:
    """
    Note in `uses` what one version needs of the fragments that it has as keys.

    A table that cannot be read is passed over: its packs are to be mended first.

    Args:
        name: project and name.
    Raises:
        StorageError: the store fails.
    Cost: reads the descriptions of the tables of the version.
    """
    try:
        for entry, fragment in version_fragments(manifest, reader, skip_damaged=True):
            use = uses.get(fragment.key)
            if use is None:
                continue
            use.digest, use.size_bytes = fragment.digest, fragment.size_bytes
            use.roots.add(root)
            if len(use.places) < _PLACES_KEPT_COUNT:
                use.places[*name, entry.path] = None
    except StorageError:
        raise
    except ArtstoreError:
        return


def find_misplaced(
    label: str, storage: Storage, uses: Mapping[str, FragmentUse]
) -> dict[bytes, tuple[str, bytes]]:
    """
    What of the wanted fragments lies under the key of another one, by its digest.

    Cost: reads what lies under the keys of `uses`.
    """
    wanted = {use.digest: use.size_bytes for use in uses.values() if use.digest is not None}
    found = {}
    for key in uses:
        data = read_value(storage, key, max_bytes=max(wanted.values(), default=0))
        digest = None if data is None else digest_of(data)
        if data is not None and digest in wanted:
            found[digest] = (label, data)
    return found


def find_fragment(
    key: str, use: FragmentUse, material: FragmentMaterial
) -> tuple[bytes, str] | None:
    """
    The bytes of a fragment, verified, and who had them; None if nobody has.

    Raises:
        StorageError: the store or a source fails.
    Cost: reads what lies under its digest, until one is whole.
    """
    if use.digest is None:
        return None
    for data, source in _candidates(key, use.digest, use, material):
        if len(data) == use.size_bytes and digest_of(data) == use.digest:
            return data, source
    return None


def _candidates(
    key: str, digest: bytes, use: FragmentUse, material: FragmentMaterial
) -> Iterator[tuple[bytes, str]]:
    for label, storage in material.own:
        for data in values_of_digest(storage, key, max_bytes=use.size_bytes):
            yield data, label
    if digest in material.misplaced:
        label, data = material.misplaced[digest]
        yield data, label
    for project, name, path in use.places:
        for label, file in material.find_files(project, name, path, digest):
            found = read_part(file, 0, use.size_bytes)
            if found is not None:
                yield found, label
    for store in material.stores:
        for data in store.values_of_digest(key, max_bytes=use.size_bytes):
            yield data, store.label

"""
Verify: read every byte of one version out of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from artstore.digest import Hasher, digest_of
from artstore.errors import ArtstoreError, StorageError
from artstore.manifests.entry import FILE, LINK, SYMLINK, TABLE, ArtifactHasher, Entry
from artstore.manifests.reader import Manifest
from artstore.packs.reader import PackReader

if TYPE_CHECKING:
    from artstore.tables.content import FragmentPaths

__all__ = ["EntryProblem", "VerifyReport", "list_problems", "verify_version"]


@dataclass(frozen=True, slots=True)
class EntryProblem:
    """An entry that is missing or not what was pushed."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was read and what was wrong; `directory` None: the store itself."""

    name: str
    directory: Path | None
    checked_files: int
    checked_bytes: int
    problems: tuple[EntryProblem, ...]
    seconds: float


def verify_version(
    manifest: Manifest,
    packs: PackReader,
    *,
    digest: str,
    fragment_paths: FragmentPaths,
    on_verified: Callable[[int], None] | None = None,
) -> tuple[int, int, list[EntryProblem]]:
    """
    Read all files of a version; (files, bytes, problems).

    Args:
        digest: the artifact digest that the log states, 64 hex digits.
        fragment_paths: files of fragments of tables.
    Raises:
        DamagedDataError: the list of files itself cannot be read.
        StorageError: the storage fails.
    """
    files = size = 0
    problems: list[EntryProblem] = []
    hasher = ArtifactHasher()
    for entry in manifest.entries():
        hasher.add(entry.path, entry.kind, entry.executable, entry.digest)
        if entry.kind == TABLE:
            from artstore.tables.stored import stored_difference

            message = stored_difference(fragment_paths, packs, entry)
        else:
            message = _entry_problem(manifest, packs, entry)
        if message is not None:
            problems.append(EntryProblem(entry.path, message))
        if entry.kind in (FILE, LINK, TABLE):
            files += 1
            size += entry.content_bytes
            if on_verified is not None:
                on_verified(entry.content_bytes)
    problems += list_problems(hasher, digest)
    return files, size, problems


def list_problems(hasher: ArtifactHasher, digest: str) -> list[EntryProblem]:
    """Whether the list of files, all of which `hasher` has seen, is the one that was published."""
    found = hasher.digest().hex()
    if found == digest:
        return []
    return [EntryProblem(".", f"the list of files has digest {found}, the log states {digest}")]


def _entry_problem(manifest: Manifest, packs: PackReader, entry: Entry) -> str | None:
    if entry.kind == SYMLINK:
        sound = digest_of(entry.target.encode("utf-8", "surrogatepass")) == entry.digest
        return None if sound else "the target of the symlink is not what was pushed"
    if entry.kind not in (FILE, LINK):
        return None
    try:
        hasher = Hasher()
        for data in _chunks(manifest, packs, entry):
            hasher.update(data)
    except StorageError:
        raise
    except ArtstoreError as error:
        return error.message
    if hasher.digest() != entry.digest:
        return f"its bytes have digest {hasher.digest().hex()}, not {entry.digest.hex()}"
    return None


def _chunks(manifest: Manifest, packs: PackReader, entry: Entry) -> Iterator[memoryview]:
    for data in packs.chunks(manifest.chunks(entry)):
        yield memoryview(data)

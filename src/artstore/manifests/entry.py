"""
One entry of a manifest, and the digest that identifies an artifact's content.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from artstore import canonical
from artstore.digest import DIGEST_BYTES, EMPTY, Hasher, digest_of
from artstore.packs.locator import ChunkRef

__all__ = [
    "DIRECTORY",
    "FILE",
    "KINDS",
    "LINK",
    "REFERENCE",
    "SYMLINK",
    "TABLE",
    "UNKNOWN_PREFIX",
    "ArtifactHasher",
    "Entry",
    "artifact_digest",
    "directory_entry",
    "reference_entry",
    "symlink_entry",
]

FILE: Final = "file"
DIRECTORY: Final = "directory"
SYMLINK: Final = "symlink"
REFERENCE: Final = "reference"
LINK: Final = "link"
TABLE: Final = "table"

KINDS: Final[Mapping[int, str]] = {
    1: FILE,
    2: DIRECTORY,
    3: SYMLINK,
    4: REFERENCE,
    5: LINK,
    6: TABLE,
}
"""Kind numbers of format v1. This release writes 1 to 5; it lists a table and says
that a newer release reads it."""

_NO_EXTRA: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One path of a version.

    Attributes:
        path: relative, `/` between parts, as given: nothing is normalised.
        kind: a value of `KINDS`.
        size_bytes: of the content; of the target text for a symlink.
        digest: 32 bytes: BLAKE3 of a file's bytes, of a symlink's target, of
            nothing for a directory. A reference without a known content digest
            has that of its canonical description.
        executable: the one mode bit that is kept.
        chunks: where the bytes are: the chunks themselves (`level` 0) or nodes
            of a chunk list.
        level: levels of chunk-list nodes above the chunks.
        extra: fields of the kind (symlink: target; reference: url, etag,
            version_id, last_modified, content_digest; link: source and path).
        must_understand: a reader that does not know `kind` stops (exit status 9).
    """

    path: str
    kind: str
    size_bytes: int
    digest: bytes
    executable: bool = False
    chunks: tuple[ChunkRef, ...] = ()
    level: int = 0
    extra: Mapping[str, Any] = field(default_factory=lambda: _NO_EXTRA)
    must_understand: bool = True

    def with_chunks(self, chunks: tuple[ChunkRef, ...]) -> Entry:
        """The same entry with its bytes there; `dataclasses.replace` takes six times as long."""
        return Entry(
            self.path,
            self.kind,
            self.size_bytes,
            self.digest,
            self.executable,
            chunks,
            self.level,
            self.extra,
            self.must_understand,
        )

    @property
    def target(self) -> str:
        """What a symlink says; empty for other kinds."""
        return str(self.extra.get("target", ""))

    @property
    def url(self) -> str:
        """Where a reference points; empty for other kinds."""
        return str(self.extra.get("url", ""))

    @property
    def content_bytes(self) -> int:
        """Of what a user has: of a table its fragments, of anything else `size_bytes`."""
        if self.kind != TABLE:
            return self.size_bytes
        stored = self.extra.get("stored_bytes")
        return stored if isinstance(stored, int) else 0

    @property
    def has_size(self) -> bool:
        """Whether the size is known; not of a reference that was noted unseen: its size says 0."""
        return self.kind != REFERENCE or "size_bytes" in self.extra


def symlink_entry(path: str, target: str) -> Entry:
    """A symbolic link, kept as it is."""
    data = target.encode("utf-8")
    return Entry(path, SYMLINK, len(data), digest_of(data), extra={"target": target})


def directory_entry(path: str) -> Entry:
    """An empty directory; others exist through what they hold."""
    return Entry(path, DIRECTORY, 0, EMPTY)


def reference_entry(
    path: str,
    url: str,
    *,
    size_bytes: int | None = None,
    etag: str | None = None,
    version_id: str | None = None,
    last_modified: str | None = None,
    content_digest: bytes | None = None,
) -> Entry:
    """Bytes that lie elsewhere under `url`; only what is known of them is stored."""
    known: dict[str, Any] = {
        "url": url,
        "etag": etag,
        "version_id": version_id,
        "last_modified": last_modified,
        "size_bytes": size_bytes,
        "content_digest": content_digest.hex() if content_digest else None,
    }
    extra = {name: value for name, value in known.items() if value is not None}
    digest = content_digest or digest_of(canonical.encode(extra, what=f"reference {path}"))
    return Entry(path, REFERENCE, size_bytes or 0, digest, extra=extra)


_RECORD: Final = struct.Struct("<IBB")
_KIND_NUMBERS: Final = {name: number for number, name in KINDS.items()}
_DOMAIN: Final = b"artstore artifact digest v1\0"
# A link is a way to store, not a kind of content: with the same bytes at the
# same path the version is the same.
_KIND_NUMBERS_IN_DIGEST: Final = {**_KIND_NUMBERS, LINK: _KIND_NUMBERS[FILE]}


UNKNOWN_PREFIX: Final = "unknown-"
"""Kinds that this release does not know and may pass over are named by their number."""


def _number_in_digest(kind: str) -> int:
    number = _KIND_NUMBERS_IN_DIGEST.get(kind)
    return int(kind.removeprefix(UNKNOWN_PREFIX)) if number is None else number


class ArtifactHasher:
    """
    The artifact digest, entry by entry in manifest order.

    BLAKE3 over a domain tag, then for each entry: u32 bytes of the path, u8
    kind, u8 executable, the path in UTF-8, the 32-byte content digest. Nothing
    else: not time, owner, chunking, description or metadata.
    """

    def __init__(self) -> None:
        self._hasher = Hasher(_DOMAIN)
        self._pending: list[bytes] = []
        self._last = ""

    def add(self, path: str, kind: str, executable: bool, digest: bytes) -> None:  # noqa: FBT001 - the fields in digest order
        """The next entry; paths must ascend (Python's order of str is that of UTF-8)."""
        assert path > self._last, f"{path!r} after {self._last!r}"
        assert len(digest) == DIGEST_BYTES
        self._last = path
        name = path.encode("utf-8")
        pending = self._pending
        pending.append(_RECORD.pack(len(name), _number_in_digest(kind), executable))
        pending.append(name)
        pending.append(digest)
        # One update per thousand entries.
        if len(pending) > 3000:
            self._hasher.update(b"".join(pending))
            pending.clear()

    def digest(self) -> bytes:
        """32 bytes, over what was added so far."""
        self._hasher.update(b"".join(self._pending))
        self._pending.clear()
        return self._hasher.digest()


def artifact_digest(entries: Iterable[Entry]) -> bytes:
    """The digest of entries in manifest order."""
    hasher = ArtifactHasher()
    for entry in entries:
        hasher.add(entry.path, entry.kind, entry.executable, entry.digest)
    return hasher.digest()

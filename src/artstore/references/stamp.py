"""
What is known of the bytes behind a URL, and whether bytes that were found are those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from artstore.errors import DamagedDataError
from artstore.manifests.entry import REFERENCE, Entry, reference_entry
from artstore.references.failures import changed

__all__ = ["OpenReference", "ReferenceStamp"]


@dataclass(frozen=True, slots=True)
class ReferenceStamp:
    """
    What tells one state of the bytes behind a URL from another. None: not known.

    Attributes:
        last_modified: as a web server says it; kept where there is no etag.
    """

    size_bytes: int | None = None
    etag: str | None = None
    version_id: str | None = None
    last_modified: str | None = None
    content_digest: bytes | None = None

    @classmethod
    def of(cls, entry: Entry) -> ReferenceStamp:
        """What an entry says. Raises DamagedDataError `manifest-damaged`."""
        assert entry.kind == REFERENCE
        extra = entry.extra
        size, etag = extra.get("size_bytes"), extra.get("etag")
        version_id, last_modified = extra.get("version_id"), extra.get("last_modified")
        # True is an int to Python, and hostile manifests hold anything.
        is_sound = (size is None or (type(size) is int and size >= 0)) and all(
            text is None or isinstance(text, str) for text in (etag, version_id, last_modified)
        )
        if not is_sound:
            raise DamagedDataError(
                f"the reference {entry.path!r} is damaged: its fields are of other types",
                code="manifest-damaged",
                path=entry.path,
            )
        digest = entry.digest if "content_digest" in extra else None
        return cls(size, etag, version_id, last_modified, digest)

    def entry(self, path: str, url: str) -> Entry:
        """The entry that keeps this."""
        return reference_entry(
            path,
            url,
            size_bytes=self.size_bytes,
            etag=self.etag,
            version_id=self.version_id,
            last_modified=self.last_modified,
            content_digest=self.content_digest,
        )

    def check(self, found: ReferenceStamp, url: str) -> None:
        """
        Compare with what was found; what either side does not know is not compared.

        Raises:
            DamagedDataError: `reference-changed`.
        """
        for name, what in _COMPARED:
            mine, other = getattr(self, name), getattr(found, name)
            if mine is not None and other is not None and mine != other:
                raise changed(url, f"{what} {mine}", f"{what} {other}")
        # Who had an etag does not lose it: another server, or an error page, answers.
        if self.etag is not None and found.etag is None:
            raise changed(url, f"etag {self.etag}", "no etag")


_COMPARED: Final = (
    ("size_bytes", "size"),
    ("etag", "etag"),
    ("version_id", "version"),
    ("last_modified", "time"),
)


class OpenReference(Protocol):
    """
    The bytes behind a URL, each answer compared with what is known of them.

    Raises, all of it: DamagedDataError `reference-changed`, `reference-unreadable`;
    DeniedError, UnavailableError, StorageError: `reference-unreadable`.
    """

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        ...

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """That range of them, whole; for several threads at once."""
        ...

    def blocks(self) -> Iterator[bytes]:
        """All of them in order, never more than the size."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...

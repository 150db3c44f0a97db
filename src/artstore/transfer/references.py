"""
Pulling references: bytes that lie elsewhere are fetched, compared, and remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from artstore import clock, limits
from artstore.digest import Buffer, Hasher
from artstore.errors import ArtstoreError, DamagedDataError, UnavailableError
from artstore.manifests.entry import Entry
from artstore.references.address import parse_address
from artstore.references.localfile import LocalReference
from artstore.references.opener import is_note, open_reference
from artstore.references.stamp import OpenReference
from artstore.transfer.place import StorePlace
from artstore.transfer.randomread import Piece
from artstore.transfer.target import TargetDirectory

__all__ = ["ReferenceContent", "fetch_reference", "known_content"]

_ATTEMPTS: Final = 4
_FIRST_DELAY_SECONDS: Final = 0.25
_LEAST_READ_BYTES: Final = 256 * limits.KIB
"""Small reads are served from a piece of this size: each piece is a request."""


def fetch_reference(
    entry: Entry,
    *,
    place: StorePlace,
    target: TargetDirectory,
    warn: Callable[[str], None],
    allow_missing: bool = False,
) -> int:
    """
    Write what a reference refers to into a target; bytes read from the store, which are none.

    Safe to call from several threads, with entries of different paths. What does
    not answer is asked again, at most four times in all.

    Args:
        allow_missing: only warn where nothing lies behind the URL.
    Raises:
        DamagedDataError: `reference-changed`, `reference-unreadable`, with `path`.
        InvalidInputError: `reference-refused`.
        DeniedError, UnavailableError, StorageError: `reference-unreadable`.
        StateError, DeniedError: from the target.
    Cost: memory for one read window.
    """
    if is_note(entry):
        warn(f"{entry.path} is a reference to {entry.url}, which is not fetched")
        return 0
    failures = 0
    while True:
        try:
            _fetch(entry, place, target)
        except UnavailableError as error:
            failures += 1
            if failures == _ATTEMPTS:
                raise
            del error
            clock.sleep(clock.random_fraction() * _FIRST_DELAY_SECONDS * 2**failures)
        except DamagedDataError as error:
            if not (allow_missing and error.context.get("is_missing")):
                raise
            warn(f"{error.message}; it is left out")
            return 0
        else:
            return 0


def known_content(entry: Entry, place: StorePlace) -> bytes | None:
    """
    The digest that the file of a reference or a table has in a checkout, if that is known.

    It stands in the entry, or was noted when the very same reference (URL, size,
    etag, version: all that its description holds) was fetched on this machine, or the
    table was written here.
    """
    if "content_digest" in entry.extra:
        return entry.digest
    return place.fetched.lookup(entry.digest)


class ReferenceContent:
    """
    What a reference refers to, for an open file: see `openfile.FileContent`.

    Each answer is compared with what the entry says. Where the entry has the
    digest of the content, all of it is read and compared first, unless the stat
    cache knows the file.

    Raises:
        As `fetch_reference`, from the beginning and out of every read.
    """

    def __init__(self, entry: Entry, place: StorePlace) -> None:
        self._entry = entry
        self._opened: OpenReference | None = None
        try:
            if is_note(entry):
                parse_address(entry.url)
            self._opened = open_reference(entry)
            # Told now, and not out of the first read.
            self._size = self._opened.size_bytes
            if "content_digest" in entry.extra:
                self._check_content(self._opened, place)
        except ArtstoreError as error:
            self.close()
            raise _naming(error, entry) from error
        except BaseException:
            self.close()
            raise

    @property
    def size_bytes(self) -> int:
        """How many bytes there are."""
        return self._size

    def pieces(self, start: int, stop: int) -> list[Piece]:
        """One piece that covers a range."""
        assert self._opened is not None
        stop = min(self._size, max(stop, start + _LEAST_READ_BYTES))
        try:
            return [Piece(start, self._opened.read(start, stop - start))]
        except ArtstoreError as error:
            raise _naming(error, self._entry) from error

    def can_load(self) -> bool:
        """Nothing is kept."""
        return False

    def end_of_piece(self, at: int) -> int:
        """A byte alone: nothing is loaded ahead."""
        return at + 1

    def close(self) -> None:
        """Let go of it."""
        if self._opened is not None:
            self._opened.close()

    def _check_content(self, opened: OpenReference, place: StorePlace) -> None:
        local = opened if isinstance(opened, LocalReference) else None
        before = None if local is None else local.stamp
        digest = None if before is None else place.statcache.lookup(before)
        if digest is None:
            began_ns = clock.now_nanoseconds()
            hasher = Hasher()
            for block in opened.blocks():
                hasher.update(block)
            digest = hasher.digest()
            if local is not None and before is not None and local.stamp == before:
                place.statcache.record(before, digest, began_ns=began_ns)
        if digest != self._entry.digest:
            raise _other_content(self._entry, digest)


def _fetch(entry: Entry, place: StorePlace, target: TargetDirectory) -> None:
    hasher = Hasher()
    status = target.write_file(entry.path, _buffers(entry, hasher))
    digest = hasher.digest()
    place.statcache.record_written(f"{target.root}/{entry.path}", status, digest)
    if "content_digest" not in entry.extra:
        place.fetched.record(entry.digest, digest)


def _buffers(entry: Entry, hasher: Hasher) -> Iterator[Buffer]:
    try:
        opened = open_reference(entry)
        try:
            for block in opened.blocks():
                hasher.update(block)
                yield block
        finally:
            opened.close()
    except ArtstoreError as error:
        raise _naming(error, entry) from error
    if "content_digest" in entry.extra and hasher.digest() != entry.digest:
        raise _other_content(entry, hasher.digest())


def _other_content(entry: Entry, found: bytes) -> DamagedDataError:
    return DamagedDataError(
        f"{entry.path} refers to {entry.url}, whose content has changed",
        code="reference-changed",
        path=entry.path,
        url=entry.url,
        expected=entry.digest.hex(),
        found=found.hex(),
    )


def _naming(error: ArtstoreError, entry: Entry) -> ArtstoreError:
    return type(error)(
        f"{entry.path} cannot be fetched: {error.message}",
        code=error.code,
        hint=error.hint,
        **{**error.context, "path": entry.path},
    )

"""
Reading the manifest of a version: only the segments that are asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from artstore import limits, names
from artstore.digest import DIGEST_BYTES, Buffer, digest_of
from artstore.errors import (
    DamagedDataError,
    InvalidInputError,
    LimitExceededError,
    NotFoundError,
)
from artstore.manifests.entry import Entry
from artstore.manifests.root import (
    SEGMENTS_MAX,
    Root,
    SegmentRef,
    decode_root,
    decode_segment_list,
)
from artstore.manifests.segment import decode_segment
from artstore.manifests.tree import expand
from artstore.packs.locator import PUSH_ID_BYTES, ChunkRef, content_key
from artstore.packs.reader import PackReader
from artstore.storage.bounded import read_at_most
from artstore.storage.protocol import Storage

__all__ = ["Manifest", "root_digest_of_key", "root_key"]


def root_key(digest: bytes, push_id: bytes) -> str:
    """The key of a manifest root."""
    return content_key("manifests", digest, push_id)


def root_digest_of_key(key: str) -> bytes:
    """The digest that a root's key states. Raises DamagedDataError `key-unexpected`."""
    text = key.rpartition("/")[2]
    try:
        digest, push = (bytes.fromhex(part) for part in text.split("-"))
        sound = len(digest) == DIGEST_BYTES and root_key(digest, push) == key
        if sound and len(push) == PUSH_ID_BYTES:
            return digest
    except ValueError as error:
        raise _no_root_key(key) from error
    raise _no_root_key(key)


def _no_root_key(key: str) -> DamagedDataError:
    return DamagedDataError(
        f"{key!r} is not the key of a manifest root", code="key-unexpected", key=key
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment of the version: a place to read it from, or its bytes from the root."""

    first_path: str
    entry_count: int
    ref: ChunkRef | None
    data: bytes | None


class Manifest:
    """
    The entries of one version, read lazily. Safe for several threads.

    Every byte is checked against the digest in its key or reference, every path
    against `names.check_entry_path`.
    """

    def __init__(self, root: Root, packs: PackReader, *, where: str) -> None:
        self._root = root
        self._packs = packs
        self._where = where
        self._kept: dict[bytes, bytes] = {}
        self._keep_bytes = 0
        self._parts = self._checked_parts()
        self._first_paths = [part.first_path for part in self._parts]

    @classmethod
    def open(cls, storage: Storage, packs: PackReader, key: str) -> Manifest:
        """
        Read the root under `key`.

        Raises:
            DamagedDataError: `manifest-missing`, `manifest-damaged`.
            NotFoundError: `content-swept`, as a reader of a store knows.
            LimitExceededError: `limit-exceeded`.
            UnsupportedFormatError: `format-unsupported`.
        Cost: one read; above 4 M entries a few ranges more, for the
            lists of segments.
        """
        expected = root_digest_of_key(key)
        try:
            data = read_at_most(storage, key, limits.ROOT_MAX_BYTES)
        except NotFoundError as error:
            missing = DamagedDataError(
                f"the manifest {key} is missing from {storage.url}",
                code="manifest-missing",
                hint="run `art check` to see which versions it hits",
                key=key,
            )
            raise packs.explained(missing) from error
        if data is None:
            raise LimitExceededError(
                f"{key} has more than {limits.ROOT_MAX_BYTES} bytes, which no manifest root has",
                code="limit-exceeded",
            )
        found = digest_of(data)
        if found != expected:
            raise DamagedDataError(
                f"{key} is damaged: its bytes have digest {found.hex()}",
                code="manifest-damaged",
                key=key,
                expected=expected.hex(),
                found=found.hex(),
            )
        return cls(decode_root(data, where=key), packs, where=key)

    @property
    def packs(self) -> PackReader:
        """What reads its chunks."""
        return self._packs

    @property
    def header(self) -> Mapping[str, Any]:
        """type, description, message, metadata, counts."""
        return self._root.header

    @property
    def entry_count(self) -> int:
        """Entries of all kinds."""
        return sum(part.entry_count for part in self._parts)

    def segment_refs(self) -> list[ChunkRef]:
        """Where the segments lie; none when they travel inside the root."""
        return [part.ref for part in self._parts if part.ref is not None]

    def inline_segments(self) -> tuple[bytes, ...]:
        """The segments that travel inside the root."""
        return self._root.inline

    def keep_segments(self, max_bytes: int) -> None:
        """Keep the first segments read from now on, up to `max_bytes`, for reading them again."""
        self._keep_bytes = max_bytes

    def list_refs(self) -> list[ChunkRef]:
        """Where the lists of segments lie, for versions of more than 4 M entries."""
        return [] if not self._root.level else list(self._walk_lists())

    def entries(
        self, prefix: str = "", *, skip: Collection[bytes] = frozenset()
    ) -> Iterator[Entry]:
        """
        Entries whose path starts with `prefix`, in order.

        Args:
            skip: digests of segments to leave out (`diff` knows them to be equal).
        Raises:
            DamagedDataError: at the damaged segment; entries before it were sound.
        Cost: one coalesced read per 8 MiB of segments.
        """
        first = max(0, bisect_right(self._first_paths, prefix) - 1) if prefix else 0
        wanted = self._parts[first:]
        if prefix:
            wanted = [
                part
                for part in wanted
                if part.first_path <= prefix or part.first_path.startswith(prefix)
            ]
        last = ""
        for segment in self._read_parts(
            [p for p in wanted if p.ref is None or p.ref.digest not in skip]
        ):
            for entry in segment:
                if entry.path <= last:
                    raise self._damaged(f"{entry.path!r} comes after {last!r}")
                last = entry.path
                if prefix and not last.startswith(prefix):
                    if last > prefix:
                        return
                    continue
                _check_path(last, self._where)
                yield entry

    def entry(self, path: str) -> Entry:
        """
        The entry at `path`. Raises NotFoundError `entry-not-found`.

        Cost: one segment.
        """
        at = bisect_right(self._first_paths, path) - 1
        if at >= 0:
            for entry in next(self._read_parts([self._parts[at]])):
                if entry.path == path:
                    _check_path(path, self._where)
                    return entry
        raise NotFoundError(f"{path!r} is not in this version", code="entry-not-found", path=path)

    @property
    def segment_count(self) -> int:
        """How many segments it has."""
        return len(self._parts)

    def segment_of(self, path: str) -> int:
        """The index of the segment in which `path` would lie; -1 before the first."""
        return bisect_right(self._first_paths, path) - 1

    def segments(self, first: int, count: int) -> list[list[Entry]]:
        """
        The entries of `count` segments from index `first` on, fewer at the end.

        Cost: one coalesced read per 8 MiB of segments. Errors as `entries`.
        """
        found = list(self._read_parts(self._parts[first : first + count]))
        for segment in found:
            for entry in segment:
                _check_path(entry.path, self._where)
        return found

    def chunks(self, entry: Entry) -> Iterator[ChunkRef]:
        """The chunks of a file in order; chunk lists are read and checked as needed."""
        total = 0
        for ref in expand(entry.chunks, entry.level, self._packs.chunks):
            total += ref.plain_bytes
            if total > entry.size_bytes:
                break
            yield ref
        if total != entry.size_bytes:
            raise self._damaged(
                f"the chunks of {entry.path!r} do not make up its {entry.size_bytes} bytes"
            )

    def _checked_parts(self) -> list[_Part]:
        parts: list[_Part] = []
        for part in self._open_parts():
            if parts and part.first_path <= parts[-1].first_path:
                raise self._damaged(f"the segment at {part.first_path!r} is out of order")
            if len(parts) == SEGMENTS_MAX:
                raise LimitExceededError(
                    f"{self._where}: more than {SEGMENTS_MAX} segments pass the limit",
                    code="limit-exceeded",
                )
            parts.append(part)
        return parts

    def _open_parts(self) -> Iterator[_Part]:
        if self._root.inline:
            if self._root.segments:
                raise self._damaged("its segments are both listed and inlined")
            for data in self._root.inline:
                entries = decode_segment(data, where=self._where)
                yield _Part(entries[0].path, len(entries), None, data)
            return
        for segment in self._below(self._root.segments, self._root.level):
            yield _Part(segment.first_path, segment.entry_count, segment.ref, None)

    def _below(self, segments: tuple[SegmentRef, ...], level: int) -> Iterator[SegmentRef]:
        if level == 0:
            yield from segments
            return
        for segment, data in self._read_lists(segments):
            yield from self._below(self._decode_list(segment, data, level), level - 1)

    def _read_lists(self, segments: tuple[SegmentRef, ...]) -> Iterator[tuple[SegmentRef, Buffer]]:
        read = self._packs.chunks(segment.ref for segment in segments)
        return zip(segments, read, strict=True)

    def _decode_list(self, segment: SegmentRef, data: Buffer, level: int) -> tuple[SegmentRef, ...]:
        below, below_level, rest = decode_segment_list(bytes(data), where=self._where)
        if below_level != level - 1 or rest:
            raise self._damaged(f"a list of level {below_level} below level {level}")
        # With the order of first paths this also keeps any list from being named twice.
        if (
            not below
            or below[0].first_path != segment.first_path
            or sum(child.entry_count for child in below) != segment.entry_count
        ):
            raise self._damaged(f"the list of segments at {segment.first_path!r} is another one")
        return tuple(below)

    def _walk_lists(self) -> Iterator[ChunkRef]:
        pending = [(segment, self._root.level) for segment in self._root.segments]
        while pending:
            segment, level = pending.pop()
            if level == 0:
                continue
            yield segment.ref
            if level > 1:
                below = self._decode_list(segment, self._packs.chunk(segment.ref), level)
                pending += [(child, level - 1) for child in below]

    def _read_parts(self, parts: list[_Part]) -> Iterator[list[Entry]]:
        here = [
            part.data if part.ref is None else self._kept.get(part.ref.digest) for part in parts
        ]
        missing = [
            part.ref
            for part, data in zip(parts, here, strict=True)
            if part.ref is not None and data is None
        ]
        stored = zip(missing, self._packs.chunks(missing), strict=True)
        for part, found in zip(parts, here, strict=True):
            data = self._keep(*next(stored)) if found is None else found
            entries = decode_segment(data, where=self._where)
            if len(entries) != part.entry_count or entries[0].path != part.first_path:
                raise self._damaged(f"the segment at {part.first_path!r} is another one")
            yield entries

    def _keep(self, ref: ChunkRef, buffer: Buffer) -> bytes:
        data = bytes(buffer)
        # Two threads may count one segment twice: then one less is kept.
        if len(data) <= self._keep_bytes and ref.digest not in self._kept:
            self._keep_bytes -= len(data)
            self._kept[ref.digest] = data
        return data

    def _damaged(self, found: str) -> DamagedDataError:
        return DamagedDataError(
            f"{self._where} is damaged: {found}", code="manifest-damaged", key=self._where
        )


def _check_path(path: str, where: str) -> None:
    try:
        names.check_entry_path(path)
    except InvalidInputError as error:
        raise DamagedDataError(
            f"{where} is refused: {error.message}", code="path-refused", key=where, path=path
        ) from error

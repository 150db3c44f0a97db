"""
Reading what a version of another store has, in the form in which it is stored there.

Chunks are digests and bytes: what one store has compressed, another one takes as it is,
once it was decoded and compared with its digest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from artstore import limits
from artstore.chunks import codec
from artstore.errors import DamagedDataError
from artstore.manifests.tree import expand
from artstore.packs.reader import PackReader, batches, decode_ref
from artstore.transfer.ingest import FreshChunk, IsKnown

if TYPE_CHECKING:
    from artstore.manifests.entry import Entry
    from artstore.packs.locator import ChunkRef
    from artstore.storage.protocol import Storage

__all__ = ["CopiedItem", "CopiedRead", "CopiedStream", "CopySource", "is_small", "read_copied"]

_SMALL_BYTES: Final = 4 * limits.MIB
_AHEAD: Final = 2
"""Windows of a large file that are read before they are wanted."""


@dataclass(frozen=True, slots=True)
class CopySource:
    """The store that is read from."""

    storage: Storage
    packs: PackReader


@dataclass(frozen=True, slots=True)
class CopiedItem:
    """
    An entry with bytes in another store: a file, a link to one, a table.

    `entry` is as it is to be listed here, but for its references: those lead to `source`.
    """

    entry: Entry
    source: CopySource

    @property
    def path(self) -> str:
        """That of the entry."""
        return self.entry.path

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return self.entry.size_bytes


@dataclass(frozen=True, slots=True)
class CopiedRead:
    """A file whose chunks were read, as far as they are not known."""

    item: CopiedItem
    chunks: list[FreshChunk]


def is_small(entry: Entry) -> bool:
    """Whether a file is read together with others."""
    return not entry.level and entry.size_bytes <= _SMALL_BYTES


def read_copied(items: Sequence[CopiedItem], is_known: IsKnown) -> list[CopiedRead]:
    """
    The chunks of n small files, each that is not known read and verified.

    Raises:
        DamagedDataError: `pack-missing`, `range-missing`, `chunk-damaged`, `manifest-damaged`.
    Cost: one read per coalesced range of packs. Memory: what is read.
    """
    wanted: dict[bytes, ChunkRef] = {}
    for item in items:
        total = 0
        for ref in item.entry.chunks:
            total += ref.plain_bytes
            wanted.setdefault(ref.digest, ref)
        _check_total(item.entry, total)
    fresh = {}
    if items:
        fresh = {chunk.digest: chunk for chunk in _fresh(items[0], [*wanted.values()], is_known)}
    return [CopiedRead(item, [fresh[ref.digest] for ref in item.entry.chunks]) for item in items]


@dataclass(frozen=True, slots=True)
class CopiedStream:
    """A file to be read in windows, by whoever takes it."""

    item: CopiedItem
    is_known: IsKnown
    workers: Executor

    def chunks(self) -> Iterator[list[FreshChunk]]:
        """
        Its chunks in order, those that are known without bytes.

        Raises:
            As `read_copied`; what was yielded before is sound.
        Cost: memory for three windows.
        """
        pending: deque[Future[list[FreshChunk]]] = deque()
        for window in batches(self._refs()):
            pending.append(self.workers.submit(_fresh, self.item, window, self.is_known))
            if len(pending) > _AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def _refs(self) -> Iterator[ChunkRef]:
        entry, total = self.item.entry, 0
        for ref in expand(entry.chunks, entry.level, self.item.source.packs.chunks):
            total += ref.plain_bytes
            if total > entry.size_bytes:
                break
            yield ref
        _check_total(entry, total)


def _fresh(item: CopiedItem, refs: Sequence[ChunkRef], is_known: IsKnown) -> list[FreshChunk]:
    missing = [ref for ref in refs if not is_known(ref.digest)]
    stored = item.source.packs.stored(missing)
    found = {}
    for ref, data in zip(missing, stored, strict=True):
        decode_ref(ref, data)
        found[ref.digest] = FreshChunk(ref.digest, ref.plain_bytes, ref.codec, data)
    return [
        found.get(ref.digest) or FreshChunk(ref.digest, ref.plain_bytes, codec.RAW, None)
        for ref in refs
    ]


def _check_total(entry: Entry, total: int) -> None:
    if total != entry.size_bytes:
        raise DamagedDataError(
            f"the chunks of {entry.path!r} do not make up its {entry.size_bytes} bytes",
            code="manifest-damaged",
            path=entry.path,
        )

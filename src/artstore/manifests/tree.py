"""
Long lists of chunk references, folded into nodes that versions share.

A file of many chunks, or a manifest of many segments, lists them in nodes; a
node is itself a chunk. Cuts fall by digest alone, so a change in a file of
100 GB rewrites a few nodes of about 10 KB. docs/format/manifest.md section 4.

    magic "ANO1", u32 n, then a reference list of n
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from artstore import limits
from artstore.digest import Buffer
from artstore.errors import DamagedDataError
from artstore.packs.locator import PACK_ID_BYTES, ChunkRef
from artstore.packs.reflist import decode_refs, encode_refs

__all__ = ["INLINE_REFS", "NodeStore", "RefFolder", "decode_node", "encode_node", "expand"]

INLINE_REFS: Final = 64
"""Up to this many references stand in the entry itself (8 MiB of a usual file)."""

COMPACT_REFS: Final = 16_384
"""References a folder holds before it writes nodes: 2 GiB of a file."""

_NODE_AVERAGE: Final = 256
_NODE_MAX: Final = 4_096
_HEAD: Final = struct.Struct("<4sI")
_MAGIC: Final = b"ANO1"


class NodeStore(Protocol):
    """Where a folder puts its nodes."""

    @property
    def resolved(self) -> Mapping[bytes, bytes]:
        """Placeholders of packs that are closed by now -> their ids."""
        ...

    def store_node(self, data: bytes, span_bytes: int) -> ChunkRef:
        """Keep one node."""
        ...

    def close_packs(self) -> None:
        """Close every pack that is still open, so that nodes may name it."""
        ...


class RefFolder:
    """
    Shortens a list of references, as it grows, until it fits into its entry.

    Memory is bounded by `COMPACT_REFS` references: a file of 100 GB has 800,000.

    Args:
        inline: references that the entry itself takes.
        compact: references to hold before nodes are written; below the largest
            node it costs time without saving memory.
    """

    def __init__(
        self, nodes: NodeStore, *, inline: int = INLINE_REFS, compact: int = COMPACT_REFS
    ) -> None:
        self._store = nodes
        self._inline = inline
        self._compact_at = compact
        self._open: list[ChunkRef] = []
        self._nodes: list[ChunkRef] = []

    def add(self, ref: ChunkRef) -> None:
        """The next reference of the list."""
        self._open.append(ref)
        if len(self._open) >= self._compact_at:
            self._compact()

    def is_ready(self) -> bool:
        """Whether every pack that the list names is closed."""
        resolved = self._store.resolved
        return all(len(ref.pack) == PACK_ID_BYTES or ref.pack in resolved for ref in self._open)

    def finish(self) -> tuple[tuple[ChunkRef, ...], int]:
        """The references for the entry, and the levels of nodes below them."""
        if not self._nodes and len(self._open) <= self._inline:
            return tuple(self._open), 0
        if not self.is_ready():
            self._store.close_packs()
        current = self._nodes + [self._keep(node) for node in _cut(self._open)]
        level = 1
        while len(current) > self._inline:
            level += 1
            assert level <= limits.TREE_MAX_LEVELS, "a list deeper than the format allows"
            self._store.close_packs()
            current = [self._keep(node) for node in _cut(current)]
        return tuple(current), level

    def _compact(self) -> None:
        if not self.is_ready():
            # The newest references lie in the pack that is being filled.
            self._store.close_packs()
        *whole, rest = _cut(self._open)
        self._nodes += [self._keep(node) for node in whole]
        self._open = rest

    def _keep(self, refs: list[ChunkRef]) -> ChunkRef:
        data = encode_node(refs, resolved=self._store.resolved)
        return self._store.store_node(data, sum(ref.span_bytes for ref in refs))


def _cut(refs: Sequence[ChunkRef]) -> Iterator[list[ChunkRef]]:
    node: list[ChunkRef] = []
    for ref in refs:
        node.append(ref)
        # The digest is as good as random: its first two bytes decide.
        if int.from_bytes(ref.digest[:2], "little") % _NODE_AVERAGE == 0 or len(node) == _NODE_MAX:
            yield node
            node = []
    if node:
        yield node


def encode_node(
    refs: Sequence[ChunkRef], *, resolved: Mapping[bytes, bytes] | None = None
) -> bytes:
    """References -> bytes of a node."""
    return _HEAD.pack(_MAGIC, len(refs)) + encode_refs(refs, resolved=resolved)


def decode_node(data: bytes, *, where: str) -> list[ChunkRef]:
    """Inverse of `encode_node`. Raises DamagedDataError `manifest-damaged`."""
    if len(data) < _HEAD.size or data[:4] != _MAGIC:
        raise DamagedDataError(
            f"{where} is damaged: it is no chunk list", code="manifest-damaged", where=where
        )
    refs, rest = decode_refs(data[_HEAD.size :], where=where)
    if rest or len(refs) != _HEAD.unpack_from(data)[1]:
        raise DamagedDataError(
            f"{where} is damaged: its counts disagree", code="manifest-damaged", where=where
        )
    return refs


def expand(
    refs: Sequence[ChunkRef],
    level: int,
    read: Callable[[Sequence[ChunkRef]], Iterator[Buffer]],
) -> Iterator[ChunkRef]:
    """
    The chunks below a list, in order. `read` gives the verified bytes of nodes.

    Raises:
        DamagedDataError: `manifest-damaged`, when spans do not add up, or are
            empty: without that, five nodes could stand for 10**20 chunks of nothing.
    Cost: one `read` per list of nodes; memory for one read window a level.
    """
    if level == 0:
        for ref in refs:
            if ref.span_bytes != ref.plain_bytes or not ref.plain_bytes:
                raise _spans_damaged(f"chunk {ref.digest.hex()[:16]}")
            yield ref
        return
    for ref, data in zip(refs, read(refs), strict=True):
        where = f"chunk list {ref.digest.hex()[:16]}"
        below = decode_node(bytes(data), where=where)
        if not below or sum(child.span_bytes for child in below) != ref.span_bytes:
            raise _spans_damaged(where)
        yield from expand(below, level - 1, read)


def _spans_damaged(where: str) -> DamagedDataError:
    return DamagedDataError(
        f"{where} is damaged: its spans do not add up", code="manifest-damaged", where=where
    )

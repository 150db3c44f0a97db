"""
Filling packs: a builder for one, and a stream that closes, names and stores them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import count
from typing import Final, Protocol

from artstore import limits
from artstore.digest import Buffer, digest_of
from artstore.packs.digesttable import DigestTable
from artstore.packs.format import (
    HEADER,
    KIND_FILE,
    Footer,
    decode_footer,
    decode_trailer,
    encode_footer,
)
from artstore.packs.locator import PACK_ID_BYTES, ChunkRef, pack_key

__all__ = ["PackBuilder", "PackStream", "Submit"]


class PackBuilder:
    """The chunks of one pack while it is filled; keeps references to the buffers given."""

    def __init__(self) -> None:
        self._parts: list[Buffer] = [HEADER]
        self._digests: list[bytes] = []
        self._stored = array("I")
        self._plain = array("I")
        self._codecs = bytearray()
        self._kinds = bytearray()
        self.size_bytes = len(HEADER)

    def __len__(self) -> int:
        return len(self._digests)

    def add(
        self, digest: bytes, codec: int, stored: Buffer, plain_bytes: int, kind: int
    ) -> tuple[int, int]:
        """Append a chunk; returns its ordinal and its offset in bytes."""
        place = (len(self._digests), self.size_bytes)
        self._parts.append(stored)
        self._digests.append(digest)
        self._stored.append(len(stored))
        self._plain.append(plain_bytes)
        self._codecs.append(codec)
        self._kinds.append(kind)
        self.size_bytes += len(stored)
        return place

    def finish(self, push_id: bytes) -> tuple[bytes, list[Buffer]]:
        """The pack's id and its bytes, in parts. The builder is spent."""
        footer = Footer(
            tuple(self._digests), self._stored, self._plain, bytes(self._codecs), bytes(self._kinds)
        )
        body, trailer = encode_footer(footer)
        pack = digest_of(body) + push_id
        # A pack that cannot be read back must not leave memory.
        size = self.size_bytes + len(body) + len(trailer)
        key = pack_key(pack)
        _, count, checksum = decode_trailer(trailer, key=key, pack_bytes=size)
        assert decode_footer(body, count, checksum, key=key, pack_bytes=size) == footer
        self._parts += (body, trailer)
        return pack, self._parts


class Submit(Protocol):
    """Takes a key and its bytes and stores them, now or in the background."""

    def __call__(self, key: str, parts: list[Buffer]) -> None: ...


class PackStream:
    """
    An endless pack: chunks go in, full packs go out through `submit`.

    Not for several threads. References that `add` returns carry a placeholder
    for the pack until it is closed; `resolved` maps placeholders to pack ids.

    Args:
        submit: called with each closed pack.
        push_id: 8 bytes, new for each push (invariant I2).
        resolved: shared between the streams of one push.
    """

    def __init__(
        self,
        submit: Submit,
        push_id: bytes,
        resolved: dict[bytes, bytes],
        *,
        target_bytes: int = limits.PACK_TARGET_BYTES,
    ) -> None:
        self.resolved = resolved
        self._digests = DigestTable()
        # By the number of the digest: the place where it lay first.
        self._places = array("Q")
        self._packs: list[_OpenColumns] = []
        self._submit = submit
        self._push_id = push_id
        self._target_bytes = target_bytes
        self._open_pack()

    def __len__(self) -> int:
        return len(self._places)

    def find(self, digest: bytes) -> ChunkRef | None:
        """Where this stream has put a chunk already, or None."""
        number = self._digests.find(digest)
        if number is None:
            return None
        pack, ordinal = divmod(self._places[number], limits.PACK_CHUNK_COUNT)
        columns = self._packs[pack]
        plain = columns.plain[ordinal]
        return ChunkRef(
            digest,
            columns.placeholder,
            ordinal,
            columns.offsets[ordinal],
            columns.stored[ordinal],
            plain,
            columns.codecs[ordinal],
            plain,
        )

    def chunks(self) -> Iterator[tuple[bytes, bytes, int]]:
        """(digest, pack id, ordinal) of every chunk; only when all packs are closed."""
        for digest, place in zip(self._digests, self._places, strict=True):
            pack, ordinal = divmod(place, limits.PACK_CHUNK_COUNT)
            yield digest, self.resolved[self._packs[pack].placeholder], ordinal

    def add(
        self,
        digest: bytes,
        codec: int,
        stored: Buffer,
        plain_bytes: int,
        *,
        kind: int = KIND_FILE,
        span_bytes: int | None = None,
    ) -> ChunkRef:
        """Append a chunk; closes the pack in front of it when the chunk no longer fits."""
        builder = self._builder
        if (
            builder.size_bytes + len(stored) > self._target_bytes
            or len(builder) == limits.PACK_CHUNK_COUNT
        ):
            self.close_pack()
            builder = self._builder
        ordinal, offset = builder.add(digest, codec, stored, plain_bytes, kind)
        columns = self._packs[-1]
        columns.offsets.append(offset)
        columns.stored.append(len(stored))
        columns.plain.append(plain_bytes)
        columns.codecs.append(codec)
        if self._digests.add(digest) == len(self._places):
            self._places.append((len(self._packs) - 1) * limits.PACK_CHUNK_COUNT + ordinal)
        span = plain_bytes if span_bytes is None else span_bytes
        return ChunkRef(
            digest, columns.placeholder, ordinal, offset, len(stored), plain_bytes, codec, span
        )

    def has_open_pack(self) -> bool:
        """Whether chunks wait in a pack that is not closed yet."""
        return len(self._builder) > 0

    def close_pack(self) -> None:
        """Hand over what is in the current pack, if anything."""
        if not len(self._builder):
            return
        pack, parts = self._builder.finish(self._push_id)
        self.resolved[self._packs[-1].placeholder] = pack
        self._open_pack()
        self._submit(pack_key(pack), parts)

    def _open_pack(self) -> None:
        self._builder = PackBuilder()
        # Unique in the process: streams of one push share `resolved`.
        placeholder = next(_placeholders).to_bytes(_PLACEHOLDER_BYTES, "little")
        self._packs.append(_OpenColumns(placeholder))


class _OpenColumns:
    """The places of one pack's chunks, 13 bytes each: a push of 1 M files keeps them all."""

    __slots__ = ("codecs", "offsets", "placeholder", "plain", "stored")

    def __init__(self, placeholder: bytes) -> None:
        self.placeholder = placeholder
        self.offsets = array("I")
        self.stored = array("I")
        self.plain = array("I")
        self.codecs = bytearray()


_PLACEHOLDER_BYTES: Final = 8
assert _PLACEHOLDER_BYTES != PACK_ID_BYTES
_placeholders = count(1)

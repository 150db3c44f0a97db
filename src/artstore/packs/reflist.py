"""
Lists of chunk references as bytes: what segments, chunk lists and roots are made of.

Most references follow from the one before (next ordinal, next offset), so each
column holds the difference to what is expected; zstd makes nearly nothing of
the zeros. docs/format/manifest.md section 2.

    u32 p, u32 m          packs, references
    p x 40 B              pack ids, in order of first use
    m x u32               index of the pack                  (shuffled)
    m x u32               ordinal - expected                 (shuffled, modulo 2**32)
    m x u32               offset - expected                  (shuffled, modulo 2**32)
    m x u32               plain bytes                        (shuffled)
    m x u32               plain bytes - stored bytes         (shuffled, modulo 2**32)
    m x u8                codec
    m x u64               span bytes - plain bytes           (shuffled, modulo 2**64)
    m x 32 B              digests
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

from artstore import limits
from artstore.columns import (
    shuffled_column,
    shuffled_values,
    u32_column,
    u32_values,
    u64_column,
    u64_values,
)
from artstore.digest import DIGEST_BYTES
from artstore.errors import DamagedDataError
from artstore.packs.format import HEADER
from artstore.packs.locator import PACK_ID_BYTES, ChunkRef

__all__ = ["decode_refs", "encode_refs", "encoded_size"]

_COUNTS: Final = struct.Struct("<II")
_FIXED_BYTES: Final = 5 * 4 + 1 + 8
_M32: Final = 0xFFFFFFFF
_M64: Final = 0xFFFFFFFF_FFFFFFFF


def encode_refs(
    refs: Sequence[ChunkRef],
    *,
    digests: bytes | None = None,
    resolved: Mapping[bytes, bytes] | None = None,
) -> bytes:
    """
    Write m references; `digests` replaces the digest column (a segment leaves out
    those its entries carry already); `resolved` maps placeholders of open packs.
    """
    pack_index: dict[bytes, int] = {}
    for ref in refs:
        pack_index.setdefault(ref.pack, len(pack_index))
    ordinals: list[int] = []
    offsets: list[int] = []
    pack, ordinal, offset = b"", 0, len(HEADER)
    for ref in refs:
        if ref.pack != pack:
            pack, ordinal, offset = ref.pack, 0, len(HEADER)
        ordinals.append((ref.ordinal - ordinal) & _M32)
        offsets.append((ref.offset_bytes - offset) & _M32)
        ordinal, offset = ref.ordinal + 1, ref.offset_bytes + ref.stored_bytes
    names = [pack if resolved is None else resolved.get(pack, pack) for pack in pack_index]
    assert all(len(name) == PACK_ID_BYTES for name in names), "a pack is still open"
    return b"".join(
        (
            _COUNTS.pack(len(names), len(refs)),
            *names,
            shuffled_column(u32_column([pack_index[ref.pack] for ref in refs]), 4),
            shuffled_column(u32_column(ordinals), 4),
            shuffled_column(u32_column(offsets), 4),
            shuffled_column(u32_column([ref.plain_bytes for ref in refs]), 4),
            shuffled_column(
                u32_column([(ref.plain_bytes - ref.stored_bytes) & _M32 for ref in refs]), 4
            ),
            bytes([ref.codec for ref in refs]),
            # Negative for a node that lists the last few bytes of a file.
            shuffled_column(
                u64_column([(ref.span_bytes - ref.plain_bytes) & _M64 for ref in refs]), 8
            ),
            b"".join([ref.digest for ref in refs]) if digests is None else digests,
        )
    )


def encoded_size(ref_count: int, pack_count: int) -> int:
    """Bytes that `encode_refs` gives with all digests; an upper bound without."""
    return _COUNTS.size + pack_count * PACK_ID_BYTES + ref_count * (_FIXED_BYTES + DIGEST_BYTES)


def decode_refs(
    data: bytes, *, where: str, digests: Sequence[bytes | None] | None = None
) -> tuple[list[ChunkRef], bytes]:
    """
    Read a list, and what follows it.

    Args:
        digests: for a list that leaves some out: m digests, None where the
            column has one.

    Raises:
        DamagedDataError: `manifest-damaged`, also for places outside a pack.
    """
    if len(data) < _COUNTS.size:
        raise _damaged(where, "the list is cut short")
    pack_count, count = _COUNTS.unpack_from(data)
    own = count if digests is None else sum(1 for digest in digests if digest is None)
    size = _COUNTS.size + pack_count * PACK_ID_BYTES + count * _FIXED_BYTES + own * DIGEST_BYTES
    if len(data) < size or (digests is not None and len(digests) != count) or pack_count > count:
        raise _damaged(where, "the list is cut short")
    at = _COUNTS.size
    packs = [
        data[i : i + PACK_ID_BYTES]
        for i in range(at, at + pack_count * PACK_ID_BYTES, PACK_ID_BYTES)
    ]
    at += pack_count * PACK_ID_BYTES
    columns = [
        u32_values(shuffled_values(data[at + 4 * k * count : at + 4 * (k + 1) * count], 4))
        for k in range(5)
    ]
    at += 20 * count
    codecs = data[at : at + count]
    at += count
    spans = u64_values(shuffled_values(data[at : at + 8 * count], 8))
    at += 8 * count
    column = [data[i : i + DIGEST_BYTES] for i in range(at, at + own * DIGEST_BYTES, DIGEST_BYTES)]
    if digests is None:
        named = column
    else:
        fill = iter(column)
        named = [next(fill) if digest is None else digest for digest in digests]
    refs = _rebuild(packs, (*columns, codecs, spans), named, where)
    return refs, data[size:]


def _rebuild(
    packs: list[bytes],
    columns: Sequence[Sequence[int]],
    digests: list[bytes],
    where: str,
) -> list[ChunkRef]:
    refs: list[ChunkRef] = []
    last, ordinal, offset = -1, 0, 0
    make = ChunkRef._make
    for index, d_ordinal, d_offset, plain, saved, codec, span, digest in zip(
        *columns, digests, strict=True
    ):
        if index != last:
            if index >= len(packs):
                raise _damaged(where, f"pack {index} of {len(packs)}")
            last, ordinal, offset = index, 0, len(HEADER)
        ordinal = (ordinal + d_ordinal) & _M32
        offset = (offset + d_offset) & _M32
        stored = (plain - saved) & _M32
        end = offset + stored
        if end > limits.PACK_MAX_BYTES or plain > limits.CHUNK_MAX_BYTES:
            raise _damaged(where, f"a chunk of {stored} stored bytes at {offset}")
        refs.append(
            make(
                (digest, packs[index], ordinal, offset, stored, plain, codec, (plain + span) & _M64)
            )
        )
        ordinal, offset = ordinal + 1, end
    return refs


def _damaged(where: str, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"{where} is damaged: {found}", code="manifest-damaged", where=where, found=found
    )

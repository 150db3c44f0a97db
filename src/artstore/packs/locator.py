"""
Where a chunk lies, exactly: pack, place in it, and what comes out of it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from artstore.digest import DIGEST_BYTES
from artstore.errors import DamagedDataError

__all__ = [
    "PACK_ID_BYTES",
    "PUSH_ID_BYTES",
    "ChunkRef",
    "content_key",
    "pack_id_of_key",
    "pack_key",
]

PUSH_ID_BYTES: Final = 8
PACK_ID_BYTES: Final = DIGEST_BYTES + PUSH_ID_BYTES


class ChunkRef(NamedTuple):
    """
    A chunk and its place. A pull needs nothing else to fetch and to check it.

    `pack` is 40 bytes: the digest of the pack's footer and the id of the push
    that made it. While a pack is still being filled it is a short placeholder
    that `PackStream.resolved` maps to the real one. `span_bytes` is how much of
    a file the chunk stands for: its own length, or, for a node of a chunk list,
    that of everything below it.
    """

    digest: bytes
    pack: bytes
    ordinal: int
    offset_bytes: int
    stored_bytes: int
    plain_bytes: int
    codec: int
    span_bytes: int


def content_key(kind: str, digest: bytes, push_id: bytes) -> str:
    """`<kind>/<hh>/<digest>-<push id>`: no two pushes ever make the same key (PROTOCOL G2)."""
    text = digest.hex()
    return f"{kind}/{text[:2]}/{text}-{push_id.hex()}"


def pack_key(pack: bytes) -> str:
    """The key of a pack id."""
    return content_key("packs", pack[:DIGEST_BYTES], pack[DIGEST_BYTES:])


def pack_id_of_key(key: str) -> bytes:
    """Inverse of `pack_key`. Raises DamagedDataError `key-unexpected`."""
    digest, dash, push = key.rpartition("/")[2].partition("-")
    try:
        pack = bytes.fromhex(digest) + bytes.fromhex(push)
    except ValueError:
        pack = b""
    if not dash or len(pack) != PACK_ID_BYTES or pack_key(pack) != key:
        raise DamagedDataError(f"{key} is not the key of a pack", code="key-unexpected", key=key)
    return pack

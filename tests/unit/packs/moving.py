"""Packs that are repacked by hand: copied, written down, deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from artstore.digest import digest_of
from artstore.packs.builder import PackBuilder
from artstore.packs.locator import ChunkRef, pack_key
from artstore.packs.moved import ChunkPlace, encode_moved, moved_key, moved_name
from artstore.packs.reader import PackReader
from artstore.storage.protocol import Storage


def pack_id(number: int) -> bytes:
    """A pack that may not exist."""
    return digest_of(b"pack %d" % number) + number.to_bytes(8, "big")


def name_of(number: int) -> str:
    """Names of repacks, in the order of their numbers."""
    return moved_name(1_700_000_000 + number, number.to_bytes(8, "big"))


def record(
    storage: Storage, pack: bytes, moves: Iterable[tuple[int, ChunkPlace]], number: int = 0
) -> str:
    """Write a moved record; its key."""
    key = moved_key(pack, name_of(number))
    storage.create(key, encode_moved(pack, moves))
    return key


def move(storage: Storage, refs: Sequence[ChunkRef], number: int = 0) -> tuple[bytes, str]:
    """Copy chunks of one pack, from where they lie now, to another one and write it down."""
    stored = PackReader(storage).stored(refs)
    builder = PackBuilder()
    places = [
        builder.add(ref.digest, ref.codec, data, ref.plain_bytes, 0)
        for ref, data in zip(refs, stored, strict=True)
    ]
    # Not the id of any push: equal chunks would make the same pack.
    pack, parts = builder.finish(b"repack" + number.to_bytes(2, "big"))
    storage.create(pack_key(pack), parts)
    moves = [
        (ref.ordinal, ChunkPlace(pack, *place)) for ref, place in zip(refs, places, strict=True)
    ]
    return pack, record(storage, refs[0].pack, sorted(moves), number)


def delete(storage: Storage, *packs: bytes) -> None:
    storage.delete(map(pack_key, packs))

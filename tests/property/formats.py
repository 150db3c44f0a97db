"""
What the property tests of the binary formats share: references, entries, damage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from artstore import limits
from artstore.digest import DIGEST_BYTES
from artstore.errors import DamagedDataError, LimitExceededError, UnsupportedFormatError
from artstore.manifests.entry import KINDS, Entry
from artstore.packs.locator import PACK_ID_BYTES, ChunkRef

U8 = st.integers(0, 2**8 - 1)
U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
DIGESTS = st.binary(min_size=DIGEST_BYTES, max_size=DIGEST_BYTES)
PACKS = st.sampled_from([bytes([i]) * PACK_ID_BYTES for i in range(4)]) | st.binary(
    min_size=PACK_ID_BYTES, max_size=PACK_ID_BYTES
)

REFUSALS = (DamagedDataError, LimitExceededError, UnsupportedFormatError)
"""All that a reader of stored bytes may raise."""


@st.composite
def chunk_refs(draw: st.DrawFn) -> ChunkRef:
    offset = draw(st.integers(0, limits.PACK_MAX_BYTES))
    stored = draw(st.integers(0, limits.PACK_MAX_BYTES - offset))
    plain = draw(st.integers(0, limits.CHUNK_MAX_BYTES))
    span = draw(st.just(plain) | U64)
    return ChunkRef(draw(DIGESTS), draw(PACKS), draw(U32), offset, stored, plain, draw(U8), span)


@st.composite
def pack_runs(draw: st.DrawFn) -> list[ChunkRef]:
    """References as pushes make them: chunk after chunk of the same pack."""
    refs = []
    for pack in draw(st.lists(PACKS, max_size=3)):
        offset = 8
        for ordinal in range(draw(st.integers(0, 6))):
            size = draw(st.integers(1, 1000))
            refs.append(ChunkRef(draw(DIGESTS), pack, ordinal, offset, size, size, 0, size))
            offset += size
    return refs


REF_LISTS = st.lists(chunk_refs(), max_size=8) | pack_runs()

PATHS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
)
JSON_FIELDS = st.dictionaries(
    PATHS, st.none() | st.booleans() | st.integers() | PATHS | st.lists(PATHS, max_size=2),
    min_size=1, max_size=3,
)  # fmt: skip


@st.composite
def entries(draw: st.DrawFn, path: str) -> Entry:
    level = draw(st.integers(0, limits.TREE_MAX_LEVELS))
    chunks = tuple(draw(st.lists(chunk_refs(), max_size=3)))
    digest = draw(DIGESTS)
    if len(chunks) == 1 and draw(st.booleans()):
        digest = chunks[0].digest
    return Entry(
        path,
        draw(st.sampled_from(list(KINDS.values()))),
        draw(U64),
        digest,
        draw(st.booleans()),
        chunks,
        level,
        draw(st.just({}) | JSON_FIELDS),
        draw(st.booleans()),
    )


@st.composite
def entry_lists(draw: st.DrawFn, *, min_size: int = 1) -> list[Entry]:
    """Entries with ascending paths, as manifests hold them."""
    paths = sorted(draw(st.sets(PATHS, min_size=min_size, max_size=6)))
    return [draw(entries(path)) for path in paths]


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` with a few bytes changed, cut out, put in, or a number of it made large."""
    found = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(found)))
        match draw(st.sampled_from(["flip", "cut", "insert", "number", "move"])):
            case "flip" if at < len(found):
                found[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del found[at : at + draw(st.integers(1, 40))]
            case "insert":
                found[at:at] = draw(st.binary(min_size=1, max_size=8))
            case "number":
                huge = draw(st.sampled_from([0, 1, 2**16, 2**24, 2**31, 2**32 - 1]))
                found[at : at + 4] = huge.to_bytes(4, "little")
            case _:
                other = draw(st.integers(0, len(found)))
                found[at : at + 4] = found[other : other + 4]
    return bytes(found)


def returns_or_refuses(decode: Callable[[bytes], Any], data: bytes) -> Any:
    """What `decode` returns, or None where it refuses as readers may; any other error is a bug."""
    try:
        return decode(data)
    except REFUSALS:
        return None

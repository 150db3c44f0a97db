from __future__ import annotations

import struct

import pytest

from artstore import limits
from artstore.digest import Buffer, digest_of
from artstore.errors import LimitExceededError, UnavailableError
from artstore.packs.builder import PackBuilder, PackStream
from artstore.packs.format import HEADER, KIND_SEGMENT, TRAILER_BYTES
from artstore.packs.locator import PACK_ID_BYTES, pack_id_of_key, pack_key
from artstore.packs.reader import PackReader
from artstore.storage.memory import MemoryStorage
from tests.unit.packs.making import PUSH, Push, noise


def test_the_bytes_of_a_pack_are_those_of_the_format() -> None:
    storage = MemoryStorage()
    push = Push(storage)
    (ref,) = push.closed(b"hello")
    (key,) = push.keys
    value = storage.read(key)
    body = digest_of(b"hello") + struct.pack("<IIBB", 5, 5, 0, 0)
    assert value.startswith(HEADER + b"hello" + body)
    assert len(value) == len(HEADER) + 5 + len(body) + TRAILER_BYTES
    assert key == f"packs/{digest_of(body).hex()[:2]}/{digest_of(body).hex()}-{PUSH.hex()}"
    assert ref.pack == digest_of(body) + PUSH
    assert (ref.ordinal, ref.offset_bytes, ref.stored_bytes, ref.span_bytes) == (0, 8, 5, 5)


def test_a_pack_is_handed_over_in_the_parts_that_were_given() -> None:
    builder = PackBuilder()
    chunk = memoryview(noise(100))
    assert builder.add(digest_of(chunk), 0, chunk, 100, 0) == (0, 8)
    assert builder.add(digest_of(b"x"), 0, b"x", 1, 0) == (1, 108)
    assert (len(builder), builder.size_bytes) == (2, 109)
    _, parts = builder.finish(PUSH)
    assert parts[1] is chunk


def test_a_chunk_that_nobody_could_read_does_not_leave_memory() -> None:
    builder = PackBuilder()
    builder.add(digest_of(b""), 1, b"tiny", limits.CHUNK_MAX_BYTES + 1, 0)
    with pytest.raises(LimitExceededError):
        builder.finish(PUSH)


def test_a_pack_is_closed_in_front_of_the_chunk_that_no_longer_fits() -> None:
    storage = MemoryStorage()
    push = Push(storage, target_bytes=8 + 250)
    refs = [push.chunk(noise(100, str(i))) for i in range(5)]
    assert len(push.keys) == 2
    assert [ref.ordinal for ref in refs] == [0, 1, 0, 1, 0]
    assert [ref.offset_bytes for ref in refs] == [8, 108, 8, 108, 8]
    assert push.data.has_open_pack()
    push.data.close_pack()
    assert len(push.keys) == 3
    assert not push.data.has_open_pack()


def test_a_chunk_larger_than_the_target_has_a_pack_of_its_own() -> None:
    storage = MemoryStorage()
    push = Push(storage, target_bytes=50)
    plains = [b"a", noise(200), b"b"]
    refs = push.closed(*plains)
    assert len({ref.pack for ref in refs}) == 3
    assert [bytes(plain) for plain in PackReader(storage).chunks(refs)] == plains


def test_a_pack_never_has_more_chunks_than_the_format_allows() -> None:
    storage = MemoryStorage()
    push = Push(storage)
    count = limits.PACK_CHUNK_COUNT + 1
    for i in range(count):
        push.data.add(i.to_bytes(32, "big"), 0, b"x", 1)
    push.data.close_pack()
    packs = [pack_id_of_key(key) for key in push.keys]
    sizes = [len(PackReader(storage).footer(pack).digests) for pack in packs]
    assert sizes == [limits.PACK_CHUNK_COUNT, 1]
    # The very last place of one pack and the first of the next are told apart.
    for i, ordinal in ((count - 2, limits.PACK_CHUNK_COUNT - 1), (count - 1, 0)):
        found = push.data.find(i.to_bytes(32, "big"))
        assert found is not None
        assert found.ordinal == ordinal
        assert push.resolved[found.pack] == packs[ordinal == 0]


def test_no_chunks_make_no_pack() -> None:
    push = Push(MemoryStorage())
    push.data.close_pack()
    push.data.close_pack()
    assert push.keys == []
    assert push.resolved == {}
    assert list(push.data.chunks()) == []


def test_a_chunk_is_found_before_and_after_its_pack_is_closed() -> None:
    push = Push(MemoryStorage())
    added = push.chunk(b"text " * 100)
    assert push.data.find(added.digest) == added
    assert added.stored_bytes < added.plain_bytes == 500
    push.data.close_pack()
    assert push.data.find(added.digest) == added
    assert len(push.resolved[added.pack]) == PACK_ID_BYTES
    assert push.data.find(digest_of(b"other")) is None


def test_a_chunk_that_is_stored_twice_is_found_at_its_first_place() -> None:
    push = Push(MemoryStorage())
    first = push.chunk(b"twice")
    push.chunk(b"between")
    second = push.data.add(first.digest, 0, b"twice", 5)
    assert second.ordinal == 2
    assert push.data.find(first.digest) == first


def test_placeholders_of_the_streams_of_one_push_are_never_the_same() -> None:
    push = Push(MemoryStorage())
    streams = [push.stream() for _ in range(3)]
    refs = [stream.add(digest_of(b"x"), 0, b"x", 1) for stream in streams]
    assert len({ref.pack for ref in refs}) == 3
    assert all(len(ref.pack) != PACK_ID_BYTES for ref in refs)


def test_the_same_content_of_two_pushes_is_stored_under_two_keys() -> None:
    storage = MemoryStorage()
    for push_id in (b"\1" * 8, b"\2" * 8):
        Push(storage, push_id).closed(b"same")
    keys = [info.key for info in storage.scan("packs/")]
    assert len(keys) == 2
    assert storage.read(keys[0]) == storage.read(keys[1])


def test_the_list_of_chunks_names_each_once_with_its_real_pack() -> None:
    push = Push(MemoryStorage(), target_bytes=30)
    refs = push.closed(b"one", b"two", noise(100), b"one")
    listed = list(push.data.chunks())
    assert listed == [(ref.digest, ref.pack, ref.ordinal) for ref in refs[:3]]
    assert len(push.data) == 3


def test_the_kind_of_a_chunk_stands_in_the_footer() -> None:
    storage = MemoryStorage()
    push = Push(storage)
    push.chunk(b"file")
    (_, ref) = (push.chunk(b"file"), push.chunk(b"segment", kind=KIND_SEGMENT))
    push.data.close_pack()
    footer = PackReader(storage).footer(push.resolved[ref.pack])
    assert footer.kinds == bytes([0, KIND_SEGMENT])


def test_what_a_node_stands_for_may_be_more_than_it_holds() -> None:
    push = Push(MemoryStorage())
    ref = push.data.add(digest_of(b"node"), 0, b"node", 4, span_bytes=10**12)
    assert (ref.plain_bytes, ref.span_bytes) == (4, 10**12)


def test_a_pack_that_could_not_be_stored_is_told_and_not_handed_over_again() -> None:
    handed: list[str] = []

    def submit(key: str, parts: list[Buffer]) -> None:
        handed.append(key)
        raise UnavailableError("not now", code="storage-unavailable")

    resolved: dict[bytes, bytes] = {}
    stream = PackStream(submit, PUSH, resolved)
    ref = stream.add(digest_of(b"x"), 0, b"x", 1)
    with pytest.raises(UnavailableError):
        stream.close_pack()
    stream.close_pack()
    assert handed == [pack_key(resolved[ref.pack])]

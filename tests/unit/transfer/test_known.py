"""Known chunks: who is asked first, and what is not believed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from artstore import limits
from artstore.digest import digest_of
from artstore.manifests.reader import Manifest
from artstore.packs.index import IndexView, decode_index, encode_index
from artstore.packs.locator import pack_id_of_key, pack_key
from artstore.packs.reader import PackReader
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.transfer.known import KnownChunks, Parent, ParentCursor
from tests.trees import File, build, keys_of, noise, open_at, push

SMALL = noise(1000)


@pytest.fixture
def storage(tmp_path: Path) -> MemoryStorage:
    storage = MemoryStorage()
    tree = {"big": File(noise(12 * limits.MIB, 1)), "small": File(SMALL)}
    push(open_at("memory://x", storage), build(tmp_path / "source", tree))
    return storage


def manifest(storage: MemoryStorage) -> Manifest:
    return open_at("memory://x", storage).artifact("ds")._logged().manifest()


def known(
    storage: MemoryStorage | MeteredStorage,
    parent: Manifest | None = None,
    leftovers: Iterable[bytes] = (),
    condemned: Iterable[str] = (),
    index: IndexView | None = None,
) -> KnownChunks:
    return KnownChunks(
        PackReader(storage), Parent(parent), leftovers, frozenset(condemned), lambda: index
    )


def pack_of_small(storage: MemoryStorage) -> bytes:
    return manifest(storage).entry("small").chunks[0].pack


def index_of(*chunks: tuple[bytes, bytes, int]) -> IndexView:
    return IndexView([decode_index(encode_index(chunks, project="p"), key="index/0")])


def test_chunks_of_the_parent_are_known_where_they_lie(storage: MemoryStorage) -> None:
    parent = manifest(storage)
    found = known(storage, parent)
    for entry in parent.entries():
        for ref in parent.chunks(entry):
            assert found.find(ref.digest) == ref._replace(span_bytes=ref.plain_bytes)
    assert digest_of(b"other") not in found
    assert not found.hinted_packs


def test_large_files_of_the_parent_are_known_as_a_whole(storage: MemoryStorage) -> None:
    found = known(storage, manifest(storage))
    entry = found.file(digest_of(noise(12 * limits.MIB, 1)))
    assert entry is not None
    assert entry.path == "big"
    assert found.file(digest_of(SMALL)) is None


def test_everything_below_the_lists_of_a_large_file_is_told(storage: MemoryStorage) -> None:
    parent = manifest(storage)
    entry = parent.entry("big")
    assert entry.level == 1
    assert set(known(storage, parent).below(entry)) == set(parent.chunks(entry))
    assert list(known(storage, parent).below(parent.entry("small"))) == []


def test_packs_of_an_interrupted_push_are_hints_that_are_proven_first(
    storage: MemoryStorage,
) -> None:
    pack = pack_of_small(storage)
    found = known(storage, leftovers=[pack])
    ref = found.find(digest_of(SMALL))
    assert ref is not None
    assert bytes(PackReader(storage).chunk(ref)) == SMALL
    assert found.hinted_packs == {pack}


def test_packs_that_are_gone_damaged_or_condemned_are_no_hints(storage: MemoryStorage) -> None:
    pack = pack_of_small(storage)
    index = index_of((digest_of(SMALL), pack, 0))
    assert known(storage, leftovers=[b"\xff" * 40]).find(digest_of(SMALL)) is None
    condemned = [pack_key(pack)]
    assert known(storage, leftovers=[pack], condemned=condemned).find(digest_of(SMALL)) is None
    assert known(storage, index=index, condemned=condemned).find(digest_of(SMALL)) is None
    data = storage.read(pack_key(pack))
    storage.delete([pack_key(pack)])
    storage.create(pack_key(pack), data[:-1])
    assert known(storage, leftovers=[pack]).find(digest_of(SMALL)) is None
    index = index_of((digest_of(SMALL), pack, 0))
    assert known(storage, index=index).find(digest_of(SMALL)) is None


def test_the_index_is_asked_last_and_another_pack_is_tried_when_one_is_gone(
    storage: MemoryStorage,
) -> None:
    pack, gone = pack_of_small(storage), b"\xff" * 40
    segments = [
        decode_index(encode_index([(digest_of(SMALL), place, 0)], project="p"), key=f"index/{n}")
        for n, place in enumerate((pack, gone))
    ]
    found = known(storage, index=IndexView(segments))
    ref = found.find(digest_of(SMALL))
    assert ref is not None
    assert ref.pack == pack


def test_an_index_that_lies_is_not_believed(storage: MemoryStorage) -> None:
    other = digest_of(b"not in any pack")
    found = known(storage, index=index_of((other, pack_of_small(storage), 0)))
    assert found.find(other) is None


def test_a_pack_is_proven_once_for_all_its_chunks(storage: MemoryStorage) -> None:
    packs = [pack_id_of_key(key) for key in keys_of(storage, "packs/")]
    chunks = [
        (digest, pack, ordinal)
        for pack in packs
        for ordinal, digest in enumerate(PackReader(storage).footer(pack).digests)
    ]
    metered = MeteredStorage(storage)
    found = known(metered, index=index_of(*chunks))
    assert all(digest in found for digest, _, _ in chunks)
    assert metered.snapshot()["stat"].items == len(packs)


def test_the_cursor_finds_equal_paths_and_never_goes_back(storage: MemoryStorage) -> None:
    cursor = ParentCursor(Parent(manifest(storage)))
    assert cursor.take("a") is None
    entry = cursor.take("big")
    assert entry is not None
    assert entry.path == "big"
    assert cursor.take("c") is None
    assert cursor.take("small") is not None
    assert cursor.take("z") is None
    assert ParentCursor(Parent(None)).take("a") is None

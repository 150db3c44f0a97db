"""What lies in a store under keys that gc may delete."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from artstore.garbage.listing import ContentTable, list_content
from artstore.packs.locator import pack_key
from artstore.storage.memory import MemoryStorage
from artstore.storage.passing import PassingStorage
from artstore.storage.protocol import KeyInfo, Storage
from tests.unit.garbage.collected import every_kind, in_memory, keys

ids = st.one_of(
    st.binary(min_size=40, max_size=40),
    # Alike in what is looked for first.
    st.binary(min_size=2, max_size=2).map(lambda end: bytes(38) + end),
    st.binary(min_size=2, max_size=2).map(lambda begin: begin + bytes(38)),
)


class Far(PassingStorage):
    """As if it were a bucket: listed in parts, several at once."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner

    @property
    def inner(self) -> Storage:
        return self._inner

    @property
    def url(self) -> str:
        return "s3://bucket/store"


@given(st.sets(ids, max_size=30), st.lists(ids, max_size=10))
def test_ids_are_found_by_number(there: set[bytes], asked: list[bytes]) -> None:
    table = ContentTable("packs")
    for one in sorted(there):
        table.add(KeyInfo(pack_key(one), 5, 1.0))
    wanted = [*sorted(there), *asked]
    found = table.find_many(wanted).tolist()
    order = {one: at for at, one in enumerate(sorted(there))}
    assert found == [order.get(one, -1) for one in wanted]
    assert len(table) == len(there)
    for one, at in order.items():
        assert table.id_of(at) == one
        assert table.key_of(at) == pack_key(one)
        assert table.find_key(pack_key(one)) == at
    assert table.find_many([]).tolist() == []


def test_everything_that_may_be_deleted_is_listed_once_near_and_far() -> None:
    storage = in_memory(every_kind())
    storage.create("upkeep/condemned/" + "0" * 16, b"x")
    near, far = list_content(storage), list_content(Far(storage))
    for listing in (near, far):
        for table in listing.tables:
            there = keys(storage, f"{table.kind}/")
            assert [table.key_of(n) for n in range(len(table))] == there
            assert all(table.find_key(key) == n for n, key in enumerate(there))
        assert [info.key for info in listing.index] == keys(storage, "index/")
        assert [info.key for info in listing.lists] == keys(storage, "upkeep/condemned/")
    total = sum(
        info.size_bytes
        for info in storage.scan("")
        if info.key.split("/")[0] in {"packs", "fragments", "manifests", "index"}
    )
    assert near.total_bytes == far.total_bytes == total + 1


def test_keys_that_no_release_writes_are_counted_and_left_alone() -> None:
    storage = MemoryStorage("x")
    good = pack_key(bytes(range(40)))
    others = [
        "packs/readme",
        good + "0",
        good.replace("packs/00", "packs/01"),
        good.replace("packs", "fragments"),
        good.replace("packs", "manifests") + ".parquet",
        "packs/00/loose",
    ]
    for key in (good, *others):
        storage.create(key, b"?")
    listing = list_content(storage)
    assert len(listing.packs) == 1
    assert (len(listing.fragments), len(listing.manifests)) == (0, 0)
    assert listing.unknown_count == len(others)
    assert listing.packs.find_key("packs/readme") is None

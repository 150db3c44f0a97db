"""The index after packs have gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pytest

from artstore.digest import Buffer
from artstore.garbage import indexrenewal
from artstore.garbage.indexrenewal import IndexSurvey, RenewedIndex, renew_index
from artstore.packs.format import KIND_CHUNK_LIST
from artstore.packs.index import decode_index, encode_index, merge_index
from artstore.packs.openindex import open_index
from artstore.packs.reader import PackReader
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.storage.passing import PassingStorage
from artstore.storage.protocol import Span, Storage
from tests.unit.garbage.collected import collect, keys, log, opened
from tests.unit.packs.making import Push, noise
from tests.unit.packs.moving import pack_id

A, B, C = (pack_id(i) for i in range(3))


def chunk(i: int, pack: bytes) -> tuple[bytes, bytes, int]:
    return i.to_bytes(4, "big") * 8, pack, i


def segment(
    storage: MemoryStorage | MeteredStorage,
    number: int,
    chunks: Iterable[tuple[bytes, bytes, int]],
    *,
    project: str = "p",
    level: int = 0,
    replaces: Sequence[str] = (),
) -> str:
    key = f"index/{number:012x}-{number:016x}"
    storage.create(key, encode_index(chunks, project=project, level=level, replaces=replaces))
    return key


def renew(
    storage: MemoryStorage | MeteredStorage,
    *gone: bytes,
    new: Mapping[str | None, Sequence[bytes]] | None = None,
) -> RenewedIndex:
    return renew_index(storage, PackReader(storage), set(gone).__contains__, new or {})


def found(storage: MemoryStorage | MeteredStorage, project: str = "p") -> dict[int, bytes]:
    """Chunks of an index as a push sees it, by number."""
    view = open_index(storage, project=project)
    hits = {i: view.find(chunk(i, A)[0]) for i in range(20)}
    return {i: hit[0] for i, hit in hits.items() if hit is not None}


def test_what_was_in_packs_that_go_is_left_out_and_the_rest_stays() -> None:
    storage = MemoryStorage()
    mixed = segment(storage, 1, [chunk(1, A), chunk(2, B), chunk(3, C)])
    other = segment(storage, 2, [chunk(4, B)])
    done = renew(storage, A)
    assert (done.replaced, len(done.written)) == ((mixed,), 1)
    assert found(storage) == {2: B, 3: C, 4: B}
    made = decode_index(storage.read(done.written[0]), key=done.written[0])
    assert (made.replaces, made.project, made.packs) == ((mixed,), "p", (B, C))
    # And nobody needs what was replaced.
    storage.delete(done.replaced)
    assert found(storage) == {2: B, 3: C, 4: B}
    storage.stat(other)


def test_nothing_is_written_if_nothing_changes() -> None:
    storage = MeteredStorage(MemoryStorage())
    segment(storage, 1, [chunk(1, A)])
    storage.reset()
    assert renew(storage, B) == RenewedIndex((), ())
    assert renew(storage, B, new={None: [C], "p": []}) == RenewedIndex((), ())
    assert storage.snapshot()["create"].calls == 0


def test_new_packs_are_told_of_with_file_bytes_alone() -> None:
    storage = MemoryStorage()
    push = Push(storage)
    push.chunk(noise(100, "list"), kind=KIND_CHUNK_LIST)
    (ref,) = push.closed(noise(100, "file"))
    segment(storage, 1, [(ref.digest, A, 0), chunk(2, B)])
    done = renew(storage, A, new={"p": [ref.pack]})
    (made,) = (decode_index(storage.read(key), key=key) for key in done.written)
    assert sorted(made.chunks()) == sorted([(ref.digest, ref.pack, 1), chunk(2, B)])


def test_a_project_without_an_index_gets_one_for_its_new_packs() -> None:
    storage = MemoryStorage()
    (ref,) = Push(storage).closed(noise(100))
    done = renew(storage, new={"q": [ref.pack]})
    view = open_index(storage, project="q")
    assert view.find(ref.digest) == (ref.pack, 0)
    assert (len(done.written), done.replaced) == (1, ())


def test_projects_keep_to_themselves() -> None:
    storage = MemoryStorage()
    one = segment(storage, 1, [chunk(1, A), chunk(2, B)], project="p")
    other = segment(storage, 2, [chunk(3, A), chunk(4, C)], project="q")
    done = renew(storage, A)
    assert sorted(done.replaced) == [one, other]
    assert (found(storage, "p"), found(storage, "q")) == ({2: B}, {4: C})


def test_of_which_nothing_stays_is_replaced_by_nothing() -> None:
    storage = MemoryStorage()
    key = segment(storage, 1, [chunk(1, A)])
    assert renew(storage, A) == RenewedIndex((), (key,))


def test_what_a_merged_segment_stood_for_does_not_come_back() -> None:
    storage = MemoryStorage()
    keys = [segment(storage, i, [chunk(i, A if i % 2 else B)]) for i in range(64)]
    merged = merge_index(open_index(storage, project="p"), project="p")
    assert merged is not None
    top = "index/00000000ffff-0000000000000000"
    storage.create(top, merged)
    storage.delete(keys[:10])
    done = renew(storage, A)
    assert sorted(done.replaced) == sorted([top, *keys[10:]])
    made = decode_index(storage.read(done.written[0]), key="k")
    assert (made.level, set(made.packs), len(made)) == (1, {B}, 32)
    # In whatever order they are deleted, what was left out is not found again.
    storage.delete([top])
    assert set(found(storage).values()) == {B}


def test_of_chunks_that_were_stored_twice_the_newest_place_is_kept() -> None:
    storage = MemoryStorage()
    segment(storage, 1, [chunk(1, A), chunk(5, B)])
    segment(storage, 2, [chunk(2, A), chunk(5, C)])
    renew(storage, A)
    assert found(storage) == {5: C}


def test_damaged_and_vanishing_segments_stay_out_of_it() -> None:
    storage = MemoryStorage()
    key = segment(storage, 1, [chunk(1, A), chunk(2, B)])
    storage.create("index/00000000aaaa-bad", b"ARTIDX01 nonsense")
    done = renew(storage, A)
    assert done.replaced == (key,)
    assert found(storage) == {2: B}


def test_large_groups_become_several_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexrenewal, "_GROUP_CHUNKS", 4)
    storage = MemoryStorage()
    (ref,) = Push(storage).closed(noise(100))
    for i in range(6):
        segment(storage, i, [chunk(i, A), chunk(10 + i, B)])
    done = renew(storage, A, new={"p": [ref.pack]})
    assert len(done.written) == 3
    assert found(storage) == {10 + i: B for i in range(6)}
    # New packs are told of once.
    packs = [decode_index(storage.read(key), key=key).packs for key in done.written]
    assert sum(ref.pack in some for some in packs) == 1


def test_segments_are_read_many_at_once() -> None:
    storage = MeteredStorage(MemoryStorage())
    for i in range(40):
        segment(storage, i, [chunk(i, A)])
    storage.reset()
    renew(storage, B)
    assert (storage.snapshot()["read"].calls, storage.snapshot()["read"].items) == (1, 40)


class CountingReads(PassingStorage):
    """Counts how often each value is read."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self.reads: Counter[str] = Counter()

    @property
    def inner(self) -> Storage:
        return self._inner

    def read(self, key: str, span: Span | None = None) -> bytes:
        self.reads[key] += 1
        return self._inner.read(key, span)

    def read_many(self, requests: Sequence[tuple[str, Span | None]]) -> Iterator[Buffer]:
        self.reads.update(key for key, _ in requests)
        return self._inner.read_many(requests)


def test_a_plan_that_repacks_reads_each_segment_once() -> None:
    memory = MemoryStorage("x")
    for name in ("ds", "other"):
        files = {f"f{number}": noise(3000, f"{name} {number}") for number in range(9)}
        log(opened(memory), name, files)
        log(opened(memory), name, {"f1": files["f1"]})
        opened(memory).delete(f"{name}:v0")
    segments = keys(memory, "index/")
    assert len(segments) >= 2
    storage = CountingReads(memory)
    report = collect(opened(storage))
    assert report.plan is not None
    assert report.plan.repacked_packs
    assert {key: storage.reads[key] for key in segments} == dict.fromkeys(segments, 1)


def test_segments_that_are_too_many_to_be_held_are_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = MemoryStorage()
    first = segment(storage, 1, [chunk(1, A), chunk(2, B)])
    second = segment(storage, 2, [chunk(3, A), chunk(4, B)])
    monkeypatch.setattr(indexrenewal, "_AT_ONCE_BYTES", storage.stat(first).size_bytes)
    look = IndexSurvey(storage)
    look.refresh()
    assert look.projects() == {A: "p", B: "p"}
    # What came since counts, and what is gone since does not.
    third = segment(storage, 3, [chunk(5, A), chunk(6, B)])
    storage.delete([second])
    done = renew_index(storage, PackReader(storage), {A}.__contains__, {}, look)
    assert set(done.replaced) == {first, third}
    assert found(storage) == {2: B, 6: B}

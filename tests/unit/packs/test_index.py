from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from artstore import canonical, clock, names
from artstore.columns import u32_column
from artstore.digest import checksum64, digest_of
from artstore.errors import ArtstoreError, DamagedDataError, NotFoundError, UnsupportedFormatError
from artstore.packs import openindex
from artstore.packs.index import (
    INDEX_PREFIX,
    MERGE_COUNT,
    IndexSegment,
    IndexView,
    decode_index,
    encode_index,
    index_key,
    merge_index,
)
from artstore.packs.openindex import open_index, remember_segment
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.storage.protocol import Span
from tests.unit.catalog.logs import FixedClock
from tests.unit.packs.making import PACK, PUSH

OTHER = bytes(40)
Chunk = tuple[bytes, bytes, int]


@pytest.fixture(autouse=True)
def fixed_clock() -> Iterator[FixedClock]:
    time = FixedClock()
    with clock.use(time):
        yield time


def chunk(number: int, pack: bytes = PACK, ordinal: int = 0) -> Chunk:
    return digest_of(b"%d" % number), pack, ordinal


def forged(header: object, body: bytes | None = None) -> bytes:
    """A segment with any header, and a right checksum."""
    text = canonical.encode(header)
    rest = body if body is not None else u32_column([0] * 256)
    data = struct.pack("<8sIII", b"ARTIDX01", len(text), 0, 0) + text + rest
    return data + checksum64(data)


HEADER = {"format": 1, "project": "p", "level": 0, "replaces": []}


# one segment --------------------------------------------------------------------


def test_the_bytes_of_a_segment_are_those_of_the_format() -> None:
    one, other = b"\x01" * 32, b"\xff" * 32
    data = encode_index([(other, OTHER, 9), (one, PACK, 258)], project="p", replaces=["index/a"])
    header = b'{"format":1,"level":0,"project":"p","replaces":["index/a"]}'
    body = b"".join(
        (
            b"ARTIDX01",
            struct.pack("<III", len(header), 2, 2),
            header,
            PACK,
            OTHER,
            u32_column([0] + [1] * 254 + [2]),
            one,
            other,
            u32_column([0, 1]),
            u32_column([258, 9]),
        )
    )
    assert data == body + checksum64(body)


def test_chunks_are_found_and_others_are_not() -> None:
    chunks = [chunk(i, (PACK, OTHER)[i % 2], i) for i in range(2000)]
    segment = decode_index(encode_index(chunks, project="p"), key="k")
    assert len(segment) == 2000
    assert all(segment.find(digest) == (pack, ordinal) for digest, pack, ordinal in chunks)
    assert not any(segment.find(chunk(i)[0]) for i in range(2000, 4000))
    assert segment.find(bytes(32)) is None
    assert segment.find(b"\xff" * 32) is None


def test_of_two_places_of_one_chunk_the_first_is_kept() -> None:
    data = encode_index([chunk(1, PACK, 5), chunk(1, OTHER, 6)], project="p")
    segment = decode_index(data, key="k")
    assert segment.find(chunk(1)[0]) == (PACK, 5)
    assert segment.packs == (PACK,)


def test_a_segment_without_chunks_is_read() -> None:
    segment = decode_index(encode_index([], project="p"), key="k")
    assert len(segment) == 0
    assert segment.find(bytes(32)) is None


@pytest.mark.parametrize(
    "header",
    [
        [],
        None,
        "text",
        1,
        {},
        {**HEADER, "format": "1"},
        {**HEADER, "level": "low"},
        {**HEADER, "level": None},
        {**HEADER, "level": 1.5},
        {**HEADER, "project": 3},
        {**HEADER, "replaces": "index/a"},
        {**HEADER, "replaces": [1]},
        {**HEADER, "replaces": None},
    ],
)
def test_a_header_that_says_something_else_is_damage(header: object) -> None:
    with pytest.raises(DamagedDataError):
        decode_index(forged(header), key="k")


def test_a_segment_of_a_newer_format_is_not_guessed_at() -> None:
    with pytest.raises(UnsupportedFormatError):
        decode_index(forged({**HEADER, "format": 2}), key="k")


def test_a_header_that_is_no_json_is_damage() -> None:
    data = encode_index([], project="p")[:-8].replace(b'"project"', b"'project'")
    with pytest.raises(DamagedDataError):
        decode_index(data + checksum64(data), key="k")


@pytest.mark.parametrize(
    "fan_out", [[1] * 256, [1] + [0] * 255, [0] * 255 + [1], [2**32 - 1] * 256]
)
def test_a_fan_out_table_that_lies_is_damage(fan_out: list[int]) -> None:
    with pytest.raises(DamagedDataError, match="fan-out"):
        decode_index(forged(HEADER, u32_column(fan_out)), key="k")


@pytest.mark.parametrize(
    "counts", [(2**32 - 1, 0, 0), (0, 2**32 - 1, 0), (0, 0, 2**32 - 1), (0, 9, 0)]
)
def test_counts_that_lie_are_damage_before_anything_is_built(
    counts: tuple[int, int, int],
) -> None:
    data = struct.pack("<8sIII", b"ARTIDX01", *counts) + bytes(2000)
    with pytest.raises(DamagedDataError) as caught:
        decode_index(data + checksum64(data), key="k")
    assert caught.value.code == "index-damaged"


def test_a_hint_at_a_pack_that_is_not_listed_is_no_hint() -> None:
    data = bytearray(encode_index([chunk(1), chunk(2, OTHER, 3)], project="p")[:-8])
    digest = min(chunk(1)[0], chunk(2)[0])
    data[-16:-12] = (77).to_bytes(4, "little")
    segment = decode_index(bytes(data) + checksum64(data), key="k")
    assert segment.find(digest) is None
    assert [found[0] for found in segment.chunks()] == [max(chunk(1)[0], chunk(2)[0])]


# views --------------------------------------------------------------------------


def segment_of(*chunks: Chunk, key: str, **options: object) -> IndexSegment:
    values = {"project": "p", **options}
    return decode_index(encode_index(chunks, **values), key=key)  # type: ignore[arg-type]


def test_the_newest_segment_is_asked_first() -> None:
    view = IndexView([segment_of(chunk(1, PACK), key="a"), segment_of(chunk(1, OTHER), key="b")])
    assert view.find(chunk(1)[0]) == (OTHER, 0)
    assert view.find(chunk(2)[0]) is None


def test_a_pack_that_is_gone_is_not_offered_again() -> None:
    view = IndexView([segment_of(chunk(1, PACK), key="a"), segment_of(chunk(1, OTHER), key="b")])
    view.forget_pack(OTHER)
    assert view.find(chunk(1)[0]) == (PACK, 0)
    view.forget_pack(PACK)
    assert view.find(chunk(1)[0]) is None


def test_a_merged_segment_stands_in_for_what_it_replaces() -> None:
    old = segment_of(chunk(1), key="a")
    other = segment_of(chunk(2), key="b")
    merged = segment_of(chunk(1, OTHER), key="c", replaces=["a", "gone"], level=1)
    assert [segment.key for segment in IndexView([old, other, merged]).segments] == ["b", "c"]


# in a store ---------------------------------------------------------------------


def test_keys_are_valid_and_in_order_of_time(fixed_clock: FixedClock) -> None:
    keys = []
    for seconds in (0.001, 9.0, 1e9, 1e10):
        fixed_clock.seconds = seconds
        keys.append(index_key(PUSH))
    assert keys == sorted(keys)
    assert all(names.check_key(key).startswith(INDEX_PREFIX) for key in keys)
    assert keys[0] == "index/000000000001-0001020304050607"


def fill(storage: MemoryStorage | MeteredStorage, *projects: str) -> list[str]:
    keys = []
    for number, project in enumerate(projects):
        key = f"index/{number:012x}-{PUSH.hex()}"
        storage.create(key, encode_index([chunk(number, ordinal=number)], project=project))
        keys.append(key)
    return keys


def test_the_index_costs_one_scan_and_one_read_a_segment() -> None:
    storage = MeteredStorage(MemoryStorage())
    fill(storage, *"pppp")
    view = open_index(storage, project="p")
    counts = storage.snapshot()
    assert (counts["scan"].calls, counts["read"].items) == (1, 4)
    assert [view.find(chunk(i)[0]) for i in range(4)] == [(PACK, i) for i in range(4)]
    storage.reset()
    view.find(chunk(9)[0])
    assert storage.snapshot()["read"].calls == 0


def test_a_segment_is_fetched_once_where_it_can_be_kept(tmp_path: Path) -> None:
    storage, cache = MeteredStorage(MemoryStorage()), LocalStorage(tmp_path, sync=False)
    *old, last = fill(storage, *"p" * 20)
    for key in old[:-1]:
        remember_segment(cache, key, storage.read(key))
    storage.reset()
    view = open_index(storage, project="p", cache=cache)
    assert storage.snapshot()["read"].items == 2
    assert [view.find(chunk(i)[0]) for i in range(20)] == [(PACK, i) for i in range(20)]
    storage.reset()
    # One that is damaged on this machine is fetched anew, and kept.
    (tmp_path / last).chmod(0o644)
    (tmp_path / last).write_bytes(b"ARTIDX01 nonsense")
    for fetched in (1, 0):
        assert len(open_index(storage, project="p", cache=cache).segments) == 20
        assert storage.snapshot()["read"].items == fetched
        storage.reset()


def test_segments_that_the_store_has_no_more_or_has_merged_are_not_kept(tmp_path: Path) -> None:
    storage, cache = MemoryStorage(), LocalStorage(tmp_path, sync=False)
    keys = fill(storage, *"p" * MERGE_COUNT)
    merged = merge_index(open_index(storage, project="p", cache=cache), project="p")
    assert merged is not None
    last = f"index/{10**7:012x}-{PUSH.hex()}"
    storage.create(last, merged)
    storage.delete(keys[:3])
    assert len(open_index(storage, project="p", cache=cache).segments) == 1
    assert [info.key for info in cache.scan("index/")] == [last]


def test_a_cache_that_cannot_be_written_costs_requests_and_no_more(tmp_path: Path) -> None:
    storage = MeteredStorage(MemoryStorage())
    fill(storage, *"pp")
    (tmp_path / "index").write_bytes(b"a file where a directory should be")
    for _ in range(2):
        cache = LocalStorage(tmp_path, sync=False)
        assert len(open_index(storage, project="p", cache=cache).segments) == 2


def test_only_the_project_asked_for_is_looked_at() -> None:
    storage = MemoryStorage()
    fill(storage, "p", "q", "p")
    assert len(open_index(storage, project="p").segments) == 2
    assert len(open_index(storage, project="r").segments) == 0
    assert len(open_index(storage, project=None).segments) == 3


def test_segments_that_are_damaged_newer_or_gone_are_left_out() -> None:
    class Vanishing(MemoryStorage):
        def read(self, key: str, span: Span | None = None) -> bytes:
            if key.startswith("index/000000000001"):
                raise NotFoundError("swept", code="key-not-found")
            return super().read(key, span)

    storage = Vanishing()
    fill(storage, "p", "p", "p")
    storage.create("index/damaged", b"ARTIDX01 nonsense")
    storage.create("index/hostile", forged([]))
    storage.create("index/newer", forged({**HEADER, "format": 2}))
    assert len(open_index(storage, project=None).segments) == 2


def test_segments_are_merged_when_there_are_enough_of_a_level() -> None:
    storage = MemoryStorage()
    keys = fill(storage, *"p" * (MERGE_COUNT - 1))
    assert merge_index(open_index(storage, project="p"), project="p") is None
    keys.append(f"index/{10**6:012x}-{PUSH.hex()}")
    storage.create(keys[-1], encode_index([chunk(0, OTHER, 7)], project="p"))
    merged = merge_index(open_index(storage, project="p"), project="p")
    assert merged is not None
    segment = decode_index(merged, key="m")
    assert (segment.level, list(segment.replaces), segment.project) == (1, keys, "p")
    # Of a chunk that was stored twice, the newer place is kept.
    assert segment.find(chunk(0)[0]) == (OTHER, 7)
    assert len(segment) == MERGE_COUNT - 1
    storage.create(f"index/{10**7:012x}-{PUSH.hex()}", merged)
    view = open_index(storage, project="p")
    assert len(view.segments) == 1
    assert merge_index(view, project="p") is None
    assert view.find(chunk(5)[0]) == (PACK, 5)


def test_merging_the_same_segments_twice_gives_the_same_bytes() -> None:
    storage = MemoryStorage()
    fill(storage, *"p" * MERGE_COUNT)
    one, other = (merge_index(open_index(storage, project="p"), project="p") for _ in range(2))
    assert one is not None
    assert one == other
    for number in (1, 2):
        storage.create(f"index/{number:012x}-aaaaaaaaaaaaaaaa", one)
    view = open_index(storage, project="p")
    assert len(view.segments) == 2
    assert view.find(chunk(3)[0]) == (PACK, 3)


def test_levels_are_merged_level_by_level() -> None:
    low = [segment_of(chunk(i), key=f"low{i}") for i in range(MERGE_COUNT - 1)]
    high = [segment_of(chunk(i), key=f"high{i}", level=3) for i in range(MERGE_COUNT)]
    merged = merge_index(IndexView([*low, *high]), project="p")
    assert merged is not None
    assert decode_index(merged, key="m").level == 4


def test_segments_of_other_projects_are_not_made_ones_own() -> None:
    mixed = [segment_of(chunk(i), key=f"k{i}", project="pq"[i % 2]) for i in range(MERGE_COUNT)]
    assert merge_index(IndexView(mixed), project="p") is None


def test_a_segment_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MeteredStorage(MemoryStorage())
    fill(storage, "p")
    monkeypatch.setattr(openindex, "HELD_MAX_BYTES", 100)
    assert open_index(storage, project=None).segments == []
    assert storage.snapshot()["read"].calls == 0


def test_damage_is_an_error_of_ours_whatever_it_is() -> None:
    sound = encode_index([chunk(i) for i in range(3)], project="p")
    for size in range(len(sound)):
        with pytest.raises(ArtstoreError):
            decode_index(sound[:size], key="k")

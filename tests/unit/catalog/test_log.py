"""Reading what is new in a log, appending to it, and answers that get lost."""

from __future__ import annotations

import dataclasses

import pytest

from artstore import clock, limits
from artstore.catalog import log
from artstore.catalog.format import RawEntry, entry_key
from artstore.catalog.log import Head
from artstore.digest import digest_of
from artstore.errors import ConflictError, DeniedError, NotFoundError, UnavailableError
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from artstore.testing.faults import FaultPlan, FaultyStorage
from tests.unit.catalog.logs import PREFIX, FixedClock, LogWriter, flipped


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def writer(storage: MemoryStorage) -> LogWriter:
    """Entries 0 to 3."""
    writer = LogWriter(storage)
    writer.create()
    for version in range(3):
        writer.publish(version)
    return writer


def head_of(raw: RawEntry) -> Head:
    return Head(raw.n, raw.digest, raw.size_bytes)


def key(n: int) -> str:
    return entry_key(PREFIX, n)


def test_a_tail_holds_what_came_after_the_known_entry(
    storage: MemoryStorage, writer: LogWriter
) -> None:
    tail = log.read_tail(storage, PREFIX, head_of(writer.raws[1]))
    assert (tail.entries, tail.fate) == (writer.raws[2:], "there")
    assert tail.modified_seconds == storage.stat(key(3)).modified_seconds


def test_other_keys_under_the_prefix_are_not_listed(
    storage: MemoryStorage, writer: LogWriter
) -> None:
    for name in ("rollups/1-000000000000", "drafts/d/7", "0123", "00000000000x"):
        storage.create(PREFIX + name, b"?")
    entries, rolled, _ = log.read_all(storage, PREFIX)
    assert (entries, rolled) == (writer.raws, 0)


def test_an_entry_that_is_gone_behind_a_later_one_is_a_gap(
    storage: MemoryStorage, writer: LogWriter
) -> None:
    storage.delete([key(2)])
    tail = log.read_tail(storage, PREFIX, head_of(writer.raws[1]))
    assert ([raw.n for raw in tail.entries], tail.fate) == ([3], "there")


@pytest.mark.parametrize(("gone", "left"), [([3], []), ([2], [3]), ([2, 3], [])])
def test_a_known_entry_that_is_gone_is_told(
    storage: MemoryStorage, writer: LogWriter, gone: list[int], left: list[int]
) -> None:
    storage.delete(map(key, gone))
    tail = log.read_tail(storage, PREFIX, head_of(writer.raws[gone[0]]))
    assert ([raw.n for raw in tail.entries], tail.fate) == (left, "missing")


def test_a_known_entry_of_another_size_is_compared_and_found_replaced(
    storage: MemoryStorage, writer: LogWriter
) -> None:
    storage.delete([key(3)])
    storage.create(key(3), b"other")
    assert log.read_tail(storage, PREFIX, head_of(writer.raws[3])).fate == "replaced"


def test_a_known_entry_of_another_time_is_compared(
    storage: MemoryStorage, writer: LogWriter
) -> None:
    raw = writer.raws[3]
    metered = MeteredStorage(storage)
    head = dataclasses.replace(head_of(raw), modified_seconds=1.0)
    tail = log.read_tail(metered, PREFIX, head)
    # A copy of a store has new times and the same history.
    assert (tail.fate, tail.modified_seconds) == ("there", storage.stat(key(3)).modified_seconds)
    assert metered.snapshot()["read"].calls == 1
    assert raw.data is not None
    storage.delete([key(3)])
    storage.create(key(3), raw.data[::-1])
    assert log.read_tail(storage, PREFIX, head).fate == "replaced"


class LaggingStorage(MemoryStorage):
    """Scans leave out some keys, as a weak bucket's may (L7)."""

    hidden: frozenset[str] = frozenset()

    def scan(self, prefix, *, after=""):
        return (info for info in super().scan(prefix, after=after) if info.key not in self.hidden)


def test_a_scan_that_lags_is_no_hole_and_no_rollback() -> None:
    storage = LaggingStorage()
    writer = LogWriter(storage)
    writer.create()
    for version in range(4):
        writer.publish(version)
    storage.hidden = frozenset([key(1), key(3)])
    tail = log.read_tail(storage, PREFIX, head_of(writer.raws[1]))
    assert (tail.entries, tail.fate) == (writer.raws[2:], "there")


def test_a_number_far_above_costs_no_search(storage: MemoryStorage, writer: LogWriter) -> None:
    storage.create(key(10**10), b"hostile")
    metered = MeteredStorage(storage)
    entries, _, _ = log.read_all(metered, PREFIX)
    assert [raw.n for raw in entries] == [0, 1, 2, 3, 10**10]
    assert metered.snapshot()["stat"].calls <= 1


def test_a_huge_value_is_not_loaded_but_its_digest_is_known(
    storage: MemoryStorage, writer: LogWriter
) -> None:
    huge = bytes(limits.READ_WINDOW_BYTES + 5)
    storage.create(key(4), huge)
    expected = RawEntry(4, None, digest_of(huge), len(huge))
    tail = log.read_tail(storage, PREFIX, head_of(writer.raws[3]))
    assert tail.entries == [expected]
    assert log.append(storage, PREFIX, 4, b"mine") == expected


def test_append_takes_a_free_number_with_one_request(storage: MemoryStorage) -> None:
    metered = MeteredStorage(storage)
    assert log.append(metered, PREFIX, 0, b"mine") is None
    counts = metered.snapshot()
    assert sum(count.calls for count in counts.values()) == counts["create"].calls == 1


def test_append_gives_what_is_there_if_somebody_was_first(
    storage: MemoryStorage, writer: LogWriter
) -> None:
    assert log.append(storage, PREFIX, 3, b"mine") == writer.raws[3]


def test_a_create_whose_answer_was_lost_is_found_to_be_ours(storage: MemoryStorage) -> None:
    faulty = FaultyStorage(storage, FaultPlan(lose_answer_at=frozenset([0])))
    assert log.append(faulty, PREFIX, 0, b"mine") is None
    assert storage.read(key(0)) == b"mine"


def test_a_lost_answer_does_not_make_the_entry_of_another_ours(
    storage: MemoryStorage, writer: LogWriter
) -> None:
    faulty = FaultyStorage(storage, FaultPlan(unavailable_at=frozenset([0])))
    assert log.append(faulty, PREFIX, 3, b"mine") == writer.raws[3]


def test_a_create_that_never_arrived_is_made_again(storage: MemoryStorage) -> None:
    faulty = FaultyStorage(storage, FaultPlan(unavailable_at=frozenset([0, 1])))
    fixed = FixedClock()
    with clock.use(fixed):
        assert log.append(faulty, PREFIX, 0, b"mine") is None
    assert storage.read(key(0)) == b"mine"
    assert len(fixed.slept) == 2


def test_a_storage_that_stays_silent_leaves_it_open_what_happened(
    storage: MemoryStorage,
) -> None:
    faulty = FaultyStorage(storage, FaultPlan(unavailable_at=frozenset(range(99))))
    fixed = FixedClock()
    with clock.use(fixed), pytest.raises(UnavailableError) as caught:
        log.append(faulty, PREFIX, 0, b"mine")
    assert caught.value.code == "commit-unknown"
    assert 30 < sum(fixed.slept) < 130


def test_a_full_storage_is_refused_at_once(storage: MemoryStorage) -> None:
    with pytest.raises(DeniedError):
        log.append(FaultyStorage(storage, FaultPlan(full_at=0)), PREFIX, 0, b"mine")


class NegativeCache(MemoryStorage):
    """A taken key looks missing for some look-ups, as on NFS (L3)."""

    look_ups = 0

    def _look_up(self):
        self.look_ups -= 1
        if self.look_ups >= 0:
            raise NotFoundError("not seen yet", code="key-not-found")

    def stat(self, key):
        self._look_up()
        return super().stat(key)

    def read(self, key, span=None):
        self._look_up()
        return super().read(key, span)

    def scan(self, prefix, *, after=""):
        # A listing looks at each key that it shows.
        return (info for info in super().scan(prefix, after=after) if self.look_ups < 0)


def test_a_taken_key_that_looks_missing_is_waited_for() -> None:
    storage = NegativeCache()
    storage.create(key(0), b"theirs")
    storage.look_ups = 3
    with clock.use(FixedClock()) as fixed:
        assert log.append(storage, PREFIX, 0, b"mine") == RawEntry.of(0, b"theirs")
        storage.look_ups = 10**6
        with pytest.raises(ConflictError) as caught:
            log.append(storage, PREFIX, 0, b"mine")
    assert caught.value.code == "commit-contended"
    assert isinstance(fixed, FixedClock)
    assert sum(fixed.slept) > 60


class FlippingStorage(MemoryStorage):
    """The first `flips` reads of entries arrive with a bit flipped, each another one."""

    flips = 0

    def read(self, key, span=None):
        data = super().read(key, span)
        if not self.flips:
            return data
        self.flips -= 1
        return flipped(data, 100 + self.flips)

    def read_many(self, requests):
        return (self.read(*request) for request in requests)


@pytest.fixture
def flipping() -> FlippingStorage:
    storage = FlippingStorage()
    writer = LogWriter(storage)
    writer.create()
    writer.publish(0)
    return storage


@pytest.mark.parametrize("flips", [1, 2, 4])
def test_a_bit_that_flips_on_the_way_is_no_damage(flipping: FlippingStorage, flips: int) -> None:
    whole = flipping.read(key(1))
    for read in (
        lambda: log.read_all(flipping, PREFIX)[0][1],
        lambda: log.read_one(flipping, PREFIX, 1),
    ):
        flipping.flips = flips
        found = read()
        assert found is not None
        assert found.data == whole


def test_a_lost_answer_is_ours_though_a_bit_flips_when_it_is_looked_at(
    flipping: FlippingStorage,
) -> None:
    data = flipping.read(key(1))
    flipping.flips = 1
    faulty = FaultyStorage(flipping, FaultPlan(unavailable_at=frozenset([0])))
    assert log.append(faulty, PREFIX, 1, data) is None


def test_an_entry_that_reads_the_same_twice_is_what_lies_there(storage: MemoryStorage) -> None:
    metered = MeteredStorage(storage)
    storage.create(key(0), b"garbage")
    assert log.read_one(metered, PREFIX, 0) == RawEntry.of(0, b"garbage")
    assert metered.snapshot()["read"].calls == 2


def test_bytes_that_are_others_at_each_look_are_not_believed(flipping: FlippingStorage) -> None:
    flipping.flips = 99
    with pytest.raises(UnavailableError, match="differently each time"):
        log.read_one(flipping, PREFIX, 1)

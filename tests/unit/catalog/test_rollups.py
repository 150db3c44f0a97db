"""Rollups: what they hold, what they save, and that nobody has to believe them."""

from __future__ import annotations

import pytest

from artstore.catalog import log, rollups
from artstore.catalog.format import RawEntry, entry_key
from artstore.errors import DamagedDataError
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage
from tests.unit.catalog.logs import PREFIX, LogWriter, catalog_of, publish


def long_log(count: int) -> tuple[MemoryStorage, LogWriter]:
    """A log of `count` entries, the first of which is `create`."""
    storage = MemoryStorage()
    writer = LogWriter(storage)
    writer.create()
    for version in range(count - 1):
        writer.publish(version)
    return storage, writer


def roll(storage: MemoryStorage) -> int:
    return catalog_of(storage).write_rollups("p", "c")


def key(level: int, index: int) -> str:
    return rollups.rollup_key(PREFIX, level, index)


def replace(storage: MemoryStorage, key: str, value: bytes) -> None:
    storage.delete([key])
    storage.create(key, value)


def rollup_of(parts: list[bytes], level: int = 1) -> bytes:
    return b"".join(rollups.encode_rollup(level, parts))


def forged(writer: LogWriter, start: int, by: str) -> bytes:
    """A rollup like the true one, but that its entries are by another author, chain and all."""
    other = LogWriter(by=by)
    other.raws = writer.raws[:start]
    for version in range(start - 1, start + 63):
        other.create() if version < 0 else other.publish(version)
    return rollup_of([raw.data or b"" for raw in other.raws[start : start + 64]])


def test_a_rollup_gives_its_parts_back_and_is_a_function_of_them() -> None:
    parts = [bytes([i]) * i for i in range(64)]
    data = rollup_of(parts)
    assert rollups.decode_rollup(data, 1, key="k") == parts
    assert data == rollup_of(parts)
    assert data[:8] == b"ARTROLL1"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data[:300] + b"\xff" + data[301:],
        lambda data: b"ARTROLL2" + data[8:],
    ],
)
def test_a_damaged_rollup_is_refused(damage) -> None:
    data = rollup_of([b"entry"] * 64)
    with pytest.raises(DamagedDataError):
        rollups.decode_rollup(damage(data), 1, key="k")
    with pytest.raises(DamagedDataError):
        rollups.decode_rollup(data, 2, key="k")


def test_lengths_that_do_not_fit_are_refused_though_the_checksum_does() -> None:
    from artstore.digest import checksum64

    data = bytearray(rollup_of([b"entry"] * 64)[:-8])
    data[16:20] = (0xFFFFFFFF).to_bytes(4, "big")
    with pytest.raises(DamagedDataError):
        rollups.decode_rollup(bytes(data) + checksum64(data), 1, key="k")


def test_the_sixty_fourth_entry_brings_its_rollup() -> None:
    storage, _ = long_log(63)
    catalog_of(storage).commit("p", "c", publish(1_000))
    assert [info.key for info in storage.scan(PREFIX + "rollups/")] == [key(1, 0)]
    assert [RawEntry.of(n, p) for n, p in enumerate(
        rollups.decode_rollup(storage.read(key(1, 0)), 1, key="k"))
    ] == LogWriter().continue_from(storage).raws  # fmt: skip


def test_a_cold_reader_of_a_long_log_needs_few_reads() -> None:
    storage, writer = long_log(64 * 5 + 10)
    assert roll(storage) == 5
    metered = MeteredStorage(storage)
    state = catalog_of(metered).state("p", "c")
    assert state == writer.state()
    counts = metered.snapshot()
    assert counts["read"].items == 5 + 10 + 1
    assert counts["scan"].calls == 3


def test_a_short_log_is_read_without_asking_for_rollups() -> None:
    storage, _ = long_log(100)
    metered = MeteredStorage(storage)
    catalog_of(metered).state("p", "c")
    assert metered.snapshot()["scan"].calls == 1


def test_rollups_of_rollups_cover_four_thousand_entries() -> None:
    storage, writer = long_log(64 * 64 + 70)
    assert roll(storage) == 64 + 1 + 1
    metered = MeteredStorage(storage)
    entries, rolled, _ = log.read_all(metered, PREFIX)
    assert (entries, rolled) == (writer.raws, 64 * 65)
    # One of level 2, one of level 1, six entries and the last rolled one.
    assert metered.snapshot()["read"].items == 1 + 1 + 6 + 1


def test_the_commit_of_entry_4095_rolls_up_the_rollups() -> None:
    storage, _ = long_log(4_095)
    roll(storage)
    catalog_of(storage).commit("p", "c", publish(10_000))
    assert storage.stat(key(2, 0)).size_bytes > 1_000_000


def test_a_missing_rollup_costs_reads_only() -> None:
    storage, writer = long_log(64 * 4)
    roll(storage)
    storage.delete([key(1, 1)])
    entries, rolled, _ = log.read_all(storage, PREFIX)
    assert (entries, rolled) == (writer.raws, 64)


@pytest.mark.parametrize("index", [0, 2])
@pytest.mark.parametrize("kind", ["garbage", "flipped", "reordered", "void inside", "forged"])
def test_a_false_rollup_is_not_believed(index: int, kind: str) -> None:
    storage, writer = long_log(64 * 3)
    roll(storage)
    parts = [raw.data or b"" for raw in writer.raws[index * 64 : index * 64 + 64]]
    value = {
        "garbage": lambda: b"garbage",
        "flipped": lambda: rollup_of(parts)[:-1] + b"\0",
        "reordered": lambda: rollup_of(parts[::-1]),
        "void inside": lambda: rollup_of([*parts[:10], b"void", *parts[11:]]),
        "forged": lambda: forged(writer, index * 64, "mallory@host"),
    }[kind]()
    replace(storage, key(1, index), value)
    state = catalog_of(storage).state("p", "c")
    assert state == writer.state()
    assert {version.by for version in state.versions.values()} == {"bob@there"}


def test_a_void_entry_of_the_log_itself_stays_void_with_rollups() -> None:
    storage, writer = long_log(100)
    writer.add_raw(b"garbage")
    for version in range(99, 250):
        writer.publish(version)
    roll(storage)
    state = catalog_of(storage).state("p", "c")
    assert state == writer.state()
    assert [warning.n for warning in state.warnings] == [100]


def test_entries_too_large_for_a_rollup_are_left_out_of_it(monkeypatch) -> None:
    storage, writer = long_log(64)
    monkeypatch.setattr(rollups, "ROLLUP_MAX_BYTES", 20_000)
    assert roll(storage) == 0
    monkeypatch.undo()
    block = [RawEntry(5, None, b"\0" * 32, 10**7) if r.n == 5 else r for r in writer.raws]
    assert not rollups.create_from_entries(storage, PREFIX, block)


def test_a_log_with_a_hole_is_not_rolled_up() -> None:
    storage, _ = long_log(64)
    storage.delete([entry_key(PREFIX, 5)])
    with pytest.raises(DamagedDataError):
        roll(storage)


def test_a_storage_that_refuses_the_rollup_does_not_undo_the_commit() -> None:
    from artstore.testing.faults import FaultPlan, FaultyStorage

    storage, _ = long_log(63)
    committed = catalog_of(FaultyStorage(storage, FaultPlan(full_at=1))).commit(
        "p", "c", publish(1_000)
    )
    assert committed.n == 63
    assert list(storage.scan(PREFIX + "rollups/")) == []

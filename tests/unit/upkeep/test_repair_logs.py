"""Which entries of a log are lost, and what is enough to put one back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from artstore.catalog.format import RawEntry
from artstore.upkeep.repair_logs import Candidate, LogRepair, mend_log
from tests.unit.catalog.logs import LogWriter, flipped, resealed

GARBAGE = b"garbage"


def log_of(count: int) -> dict[int, RawEntry]:
    writer = LogWriter()
    writer.create()
    for version in range(count - 1):
        writer.publish(version)
    return {raw.n: raw for raw in writer.raws}


def mend(
    own: dict[int, RawEntry],
    *candidates: Iterable[RawEntry],
    remembered_n: int = -1,
    **marks: Any,
) -> LogRepair:
    """Candidates are of copies, the first one the replica if `remembered_n` is given."""

    def find(n: int) -> Iterable[Candidate]:
        for place, raws in enumerate(candidates):
            is_remembered = remembered_n >= 0 and place == 0
            for raw in raws:
                if raw.n == n:
                    how = {"is_of_store": True, "is_remembered": is_remembered} | marks
                    yield Candidate(raw, f"copy {place}", **how)

    return mend_log(own, find, remembered_n)


def without(own: dict[int, RawEntry], *numbers: int) -> dict[int, RawEntry]:
    return {n: raw for n, raw in own.items() if n not in numbers}


def spoilt(own: dict[int, RawEntry], *numbers: int) -> dict[int, RawEntry]:
    return own | {n: RawEntry.of(n, flipped(own[n].data or b"", 99)) for n in numbers}


def test_a_whole_log_asks_for_nothing() -> None:
    def never(n: int) -> Iterable[Candidate]:
        raise AssertionError(n)

    found = mend_log(log_of(5), never, 4)
    assert (found.mended, found.lost) == ({}, {})


@pytest.mark.parametrize("harm", [without, spoilt])
@pytest.mark.parametrize("numbers", [(0,), (2,), (1, 2, 3), (0, 1), (1, 3)])
def test_what_is_chained_over_is_proven_even_by_a_stranger(harm: Any, numbers: Any) -> None:
    log = log_of(6)
    found = mend(harm(log, *numbers), log.values(), is_of_store=False)
    assert {n: entry.raw for n, entry in found.mended.items()} == {n: log[n] for n in numbers}
    assert all(entry.is_proven for entry in found.mended.values())
    assert not found.lost


@pytest.mark.parametrize("numbers", [(5,), (4, 5), (3, 4, 5), (0, 1, 2, 3, 4, 5)])
def test_the_newest_need_a_copy_of_this_store(numbers: Any) -> None:
    log = log_of(6)
    own = spoilt(log, *numbers)
    found = mend(own, log.values())
    assert {n: entry.raw for n, entry in found.mended.items()} == {n: log[n] for n in numbers}
    assert not any(entry.is_proven for entry in found.mended.values())
    assert set(mend(own, log.values(), is_of_store=False).lost) == set(numbers)


def test_copies_that_differ_prove_nothing_unless_this_machine_remembers_one() -> None:
    log = log_of(4)
    own = spoilt(log, 3)
    forged = LogWriter()
    forged.raws = [log[n] for n in range(3)]
    other = forged.publish(2, aliases=["stolen"])
    found = mend(own, log.values(), [other])
    assert set(found.lost) == {3}
    assert "different" in found.lost[3]
    found = mend(own, log.values(), [other], remembered_n=3)
    assert found.mended[3].raw == log[3]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        resealed({"format": 1, "n": 4, "prev": "0" * 64}),
        resealed({"format": 1, "n": 3, "prev": "0" * 64}),
    ],
)
def test_what_is_not_sealed_or_does_not_continue_the_log_is_not_put_back(data: bytes) -> None:
    log = log_of(4)
    found = mend(spoilt(log, 3), [RawEntry.of(3, data)])
    assert not found.mended
    assert set(found.lost) == {3}


def test_entries_that_the_store_shows_no_trace_of_come_from_memory_only() -> None:
    log = log_of(6)
    own = without(log, 4, 5)
    assert not mend(own, log.values()).mended
    assert set(mend(own, log.values(), remembered_n=5).mended) == {4, 5}
    # Another history than this machine has seen is left to those who know.
    other = LogWriter(by="eve@there")
    other.create()
    other.publish(0)
    found = mend({raw.n: raw for raw in other.raws}, log.values(), remembered_n=5)
    assert not found.mended


def test_garbage_that_was_chained_over_is_history() -> None:
    writer = LogWriter()
    writer.create()
    writer.add_raw(GARBAGE)
    writer.publish(0)
    own = {raw.n: raw for raw in writer.raws}
    log = log_of(3)
    found = mend(own, log.values(), remembered_n=2)
    assert (found.mended, found.lost) == ({}, {})
    # And it comes back as what it was.
    found = mend(without(own, 1), writer.raws, is_of_store=False)
    assert found.mended[1].raw.data == GARBAGE


def test_a_sound_entry_never_gives_way_to_what_a_later_one_claims() -> None:
    # A stranger appends an entry that names a forged predecessor, and offers that one.
    log = log_of(4)
    forged = LogWriter()
    forged.raws = [log[n] for n in range(3)]
    false = forged.publish(2, root=f"manifests/ff/{'f' * 64}-{'f' * 16}")
    false_top = forged.publish(3)
    own = log | {4: false_top}
    found = mend(own, [*log.values(), false])
    assert (found.mended, found.lost) == ({}, {})


def test_a_sound_entry_of_another_log_gives_way_to_the_one_that_fits() -> None:
    log = log_of(5)
    stranger = LogWriter(by="other@log")
    stranger.create()
    for version in range(4):
        stranger.publish(version)
    for n in (2, 4):
        own = log | {n: stranger.raws[n]}
        found = mend(own, log.values())
        assert {k: entry.raw for k, entry in found.mended.items()} == {n: log[n]}
        assert not mend(own).mended


def test_what_nobody_has_is_told() -> None:
    log = log_of(6)
    found = mend(without(log, 1, 2), [log[2]])
    assert set(found.mended) == {2}
    assert found.lost == {1: "no source has it"}

"""A repair that dies anywhere is finished by the next one, also if the copy is gone by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore.storage.protocol import Storage
from artstore.testing.faults import crash_sweep
from tests.faults.damage import (
    DAMAGES,
    Pristine,
    in_memory,
    make,
    no_machine,
    on_machine,
    targets,
    values_of,
)
from tests.trees import open_at

KINDS = (
    "pack of files",
    "pack of segments",
    "fragment",
    "root",
    "entry of a version",
    "newest entry",
)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Pristine:
    return make(tmp_path_factory.mktemp("pristine"))


@pytest.mark.parametrize("damage", ["truncated", "deleted"])
def test_a_repair_that_dies_is_finished_by_the_next(
    damage: str, pristine: Pristine, tmp_path: Path
) -> None:
    values, places = pristine.values(), targets(pristine)
    machine = tmp_path / "machine"

    def make_damaged() -> Storage:
        no_machine(machine)
        storage = in_memory(values)
        for kind in KINDS:
            if (damage, kind) != ("deleted", "newest entry"):
                DAMAGES[damage](storage, *places[kind])
        return storage

    def repair(storage: Storage) -> None:
        open_at("/nowhere/x", storage).repair([pristine.store.as_uri()], read_data=1.0)

    crashes = 0
    with on_machine(machine):
        for crash in crash_sweep(make_damaged, repair):
            crashes += 1
            # The copy is not at hand any more: all that is missing lies in the journal.
            report = open_at("/nowhere/x", crash.storage).repair(read_data=1.0)
            assert report.is_whole, (crash.stop_at, crash.applied, report.problems)
            after = values_of(crash.storage)
            assert {key: after[key] for key in values} == values
            assert len(after) - len(values) == (damage == "truncated")
            assert not list((machine / "cache" / "repairs").iterdir())
    assert crashes >= 8

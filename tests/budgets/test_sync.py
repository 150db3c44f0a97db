"""How many requests a sync may send: in a bucket each is time and money."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from artstore.api import Store
from artstore.storage.local import LocalStorage
from artstore.storage.meter import MeteredStorage
from artstore.syncing.storesync import sync
from tests.trees import noise, open_at
from tests.unit.syncing.runs import end
from tests.unit.syncing.stores import log_files

COLLECTIONS = 40
RUNS = 30


def metered(directory: Path) -> tuple[Store, MeteredStorage]:
    """A store as a new process opens it, and what it asks the storage."""
    meter = MeteredStorage(LocalStorage(directory, sync=False))
    return open_at(directory, meter), meter


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A store with many collections and runs, and a copy of it made before."""
    source = open_at(tmp_path / "source")
    for number in range(COLLECTIONS):
        log_files(source, f"ds-{number}", {"x": b"%d" % number})
        log_files(source, f"ds-{number}", {"x": b"again %d" % number})
    for number in range(RUNS):
        end(source, f"run-{number}", summary={"n": number})
    sync(source, open_at(tmp_path / "target"))
    return tmp_path / "source", tmp_path / "target"


def by_room(meter: MeteredStorage) -> Counter[tuple[str, str]]:
    return Counter({(asked.method, asked.room): n for asked, n in meter.requests().items()})


def test_a_second_sync_lists_each_log_once_and_reads_and_writes_nothing(
    places: tuple[Path, Path],
) -> None:
    (source, here), (target, there) = metered(places[0]), metered(places[1])
    report = sync(source, target)
    assert (report.new_versions, report.new_runs) == ((), ())
    for meter, lists in ((here, 2), (there, 0)):
        requests = by_room(meter)
        assert requests["LIST", "collections"] <= COLLECTIONS + lists
        assert requests["LIST", "activity"] <= 2
        del requests["LIST", "collections"], requests["LIST", "activity"]
        assert requests == {("GET", "artstore.json"): 1}


def test_one_new_version_costs_what_a_push_of_it_costs(places: tuple[Path, Path]) -> None:
    log_files(open_at(places[0]), "ds-3", {"x": b"new"})
    (source, here), (target, there) = metered(places[0]), metered(places[1])
    assert len(sync(source, target, ["ds-3"]).new_versions) == 1
    reads, writes = by_room(here), by_room(there)
    assert {key: n for key, n in reads.items() if key[0] == "GET"} == {
        ("GET", "artstore.json"): 1,
        ("GET", "manifests"): 1,
        ("GET", "packs"): 1,
    }
    assert {key: n for key, n in writes.items() if key[0] == "PUT"} == {
        ("PUT", "packs"): 1,
        ("PUT", "manifests"): 1,
        ("PUT", "index"): 1,
        ("PUT", "collections"): 1,
    }


def test_thousands_of_small_files_are_read_in_few_ranges(tmp_path: Path) -> None:
    source = open_at(tmp_path / "source")
    log_files(source, "ds", {f"{n:04}": noise(10_000, n) for n in range(2_000)})
    source, meter = metered(tmp_path / "source")
    report = sync(source, open_at(tmp_path / "target"))
    assert report.read_bytes == 20_000_000
    assert by_room(meter)["GET", "packs"] <= 8


def test_a_changed_file_of_many_is_all_that_is_read(tmp_path: Path) -> None:
    files = {f"{n:04}": noise(10_000, n) for n in range(500)}
    source = open_at(tmp_path / "source")
    log_files(source, "ds", files)
    sync(source, open_at(tmp_path / "target"))
    log_files(open_at(tmp_path / "source"), "ds", {**files, "0100": noise(10_000, 9_999)})
    source, meter = metered(tmp_path / "source")
    report = sync(source, open_at(tmp_path / "target"))
    assert report.read_bytes < 11_000
    assert by_room(meter)["GET", "packs"] <= 3

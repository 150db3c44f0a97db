"""Damage in a bucket: found, and put back from a directory or another bucket, as on a disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore.api import Store
from artstore.settings import resolve
from artstore.storage.opener import open_storage
from tests.faults.damage import (
    DAMAGES,
    Pristine,
    make,
    no_machine,
    on_machine,
    targets,
    values_of,
)

SUBSET = {
    "pack of files": "truncated",
    "pack of segments": "deleted",
    "fragment": "flipped",
    "root": "flipped",
    "entry of a version": "emptied",
    "newest entry": "truncated",
    "index segment": "flipped",
}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Pristine:
    return make(tmp_path_factory.mktemp("pristine"))


def copied(url: str, values: dict[str, bytes]) -> str:
    storage = open_storage(url)
    for key, data in values.items():
        storage.create(key, data)
    return url


def test_a_store_in_a_bucket_is_repaired_from_another_bucket(
    s3_place: str, pristine: Pristine, tmp_path: Path
) -> None:
    values, places = pristine.values(), targets(pristine)
    url, copy = copied(s3_place, values), copied(f"{s3_place}-copy", values)
    storage = open_storage(url)
    for kind, damage in SUBSET.items():
        DAMAGES[damage](storage, *places[kind])
    with on_machine(no_machine(tmp_path / "machine")):
        found = {p.key for p in Store(resolve(url, "p")).check(read_data=1.0).problems}
        assert {places[kind][0] for kind in SUBSET} <= found
        report = Store(resolve(url, "p")).repair([copy], read_data=1.0)
    assert report.is_whole, report.problems
    after = values_of(storage)
    (guard,) = after.keys() - values.keys()
    assert guard.startswith("collections/p/ds/")
    removed = {key for key in values if key not in after}
    assert removed == {places["index segment"][0]}
    assert {k: v for k, v in after.items() if k != guard} == {
        k: v for k, v in values.items() if k not in removed
    }

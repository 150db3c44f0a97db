"""The probe finds what a place does not keep, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from artstore.errors import DeniedError
from artstore.storage import durable
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.probe import probe
from artstore.storage.protocol import KeyInfo, Value
from artstore.testing.faults import FaultPlan, FaultyStorage


def failed(storage) -> set[str]:
    return {finding.name for finding in probe(storage) if not finding.is_ok}


def test_a_good_directory_passes_and_is_left_as_it_was(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "store")
    findings = probe(storage)
    assert [finding for finding in findings if not finding.is_ok] == []
    assert {"create-only", "race", "names", "sync", "case", "space"} <= {f.name for f in findings}
    assert sorted(os.listdir(storage.path)) == ["tmp"]
    assert os.listdir(tmp_path / "store/tmp") == []


def test_memory_passes_and_is_left_empty() -> None:
    storage = MemoryStorage()
    assert failed(storage) == set()
    assert list(storage.scan("")) == []


def test_a_place_that_overwrites_is_found() -> None:
    class Overwriting(MemoryStorage):
        def create(self, key: str, value: Value) -> None:
            self.delete([key])
            super().create(key, value)

    assert {"create-only", "race"} <= failed(Overwriting())


def test_a_place_that_lists_in_another_order_is_found() -> None:
    class Shuffled(MemoryStorage):
        def scan(self, prefix: str, *, after: str = "") -> Iterator[KeyInfo]:
            # By parts, as a careless directory walk does.
            found = super().scan(prefix, after=after)
            return iter(sorted(found, key=lambda info: info.key.split("/")))

    assert failed(Shuffled()) == {"order"}


def test_damage_on_the_way_back_is_found() -> None:
    plan = FaultPlan(flip_bit_in="/visible", flip_bit_at=3)
    assert failed(FaultyStorage(MemoryStorage(), plan)) == {"visible"}


def test_a_full_place_becomes_findings_not_an_error() -> None:
    findings = probe(FaultyStorage(MemoryStorage(), FaultPlan(full_at=0)))
    assert all("disk full" in finding.detail for finding in findings if finding.is_required)


def test_a_place_that_forbids_deleting_is_fit_for_pushing() -> None:
    class AppendOnly(MemoryStorage):
        def delete(self, keys) -> None:
            raise DeniedError("deleting is forbidden", code="storage-denied")

    findings = [finding for finding in probe(AppendOnly()) if not finding.is_ok]
    assert [(finding.name, finding.is_required) for finding in findings] == [("delete", False)]


def test_a_directory_without_hard_links_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: str, target: str) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(durable, "_link", no_links)
    findings = {finding.name: finding for finding in probe(LocalStorage(tmp_path))}
    assert "exclusive renames" in findings["names"].detail
    assert findings["race"].is_ok

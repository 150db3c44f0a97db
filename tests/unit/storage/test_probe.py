"""The probe finds what a place does not keep, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from artstore.errors import DeniedError, NotFoundError, UnavailableError
from artstore.storage import durable
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.probe import probe
from artstore.storage.protocol import KeyInfo, Span, Value
from artstore.testing.faults import FaultPlan, FaultyStorage


def failed(storage) -> set[str]:
    return {finding.name for finding in probe(storage) if not finding.is_ok}


def test_a_good_directory_passes_and_is_left_as_it_was(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "store")
    storage.create("artstore.json", b"")
    findings = probe(storage)
    assert [finding for finding in findings if not finding.is_ok] == []
    assert {"create-only", "race", "names", "sync", "case", "space"} <= {f.name for f in findings}
    assert sorted(os.listdir(storage.path)) == ["artstore.json", "tmp"]
    assert os.listdir(tmp_path / "store/tmp") == []


def test_a_directory_that_is_not_there_is_not_made_by_looking_at_it(tmp_path: Path) -> None:
    findings = probe(LocalStorage(tmp_path / "not" / "there"), with_speed=True)
    assert [finding for finding in findings if not finding.is_ok] == []
    assert os.listdir(tmp_path) == []


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


@pytest.mark.parametrize("at", [0, 1, 5])
def test_a_full_place_becomes_findings_not_an_error(at: int) -> None:
    findings = probe(FaultyStorage(MemoryStorage(), FaultPlan(full_at=at)))
    failed = [finding for finding in findings if finding.verdict == "failed"]
    assert failed
    assert all("disk full" in finding.detail for finding in failed)


def test_a_place_that_does_not_answer_is_tried_once() -> None:
    class Gone(MemoryStorage):
        tries = 0

        def create(self, key: str, value: Value) -> None:
            self.tries += 1
            raise UnavailableError("nobody answers", code="storage-unavailable")

    storage = Gone()
    [finding] = probe(storage)
    assert (finding.name, finding.verdict, storage.tries) == ("write", "failed", 1)


def test_what_may_only_be_read_is_fit_for_pulling_and_proves_nothing_else() -> None:
    class ReadOnly(MemoryStorage):
        def create(self, key: str, value: Value) -> None:
            raise DeniedError("writing is forbidden", code="storage-denied")

    findings = {finding.name: finding for finding in probe(ReadOnly())}
    assert findings["write"].verdict == "warning"
    assert findings["read"].verdict == "ok"
    assert {f.verdict for f in findings.values()} == {"warning", "ok", "unknown"}
    assert findings["create-only"].is_ok is None


def test_a_create_that_is_not_read_back_at_once_is_found() -> None:
    class Lagging(MemoryStorage):
        """Remembers what it said was absent."""

        def __init__(self) -> None:
            super().__init__()
            self.absent: set[str] = set()

        def read(self, key: str, span: Span | None = None) -> bytes:
            if key in self.absent:
                raise NotFoundError("a cache said so", code="key-not-found")
            try:
                return super().read(key, span)
            except NotFoundError:
                self.absent.add(key)
                raise

    assert "visible" in failed(Lagging())


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_clock_that_is_far_off_is_told(skew: float) -> None:
    class Elsewhere(MemoryStorage):
        def stat(self, key: str) -> KeyInfo:
            info = super().stat(key)
            return replace(info, modified_seconds=info.modified_seconds + skew)

    [finding] = [finding for finding in probe(Elsewhere()) if not finding.is_ok]
    assert (finding.name, finding.verdict) == ("clock", "warning")
    side = "behind" if skew < 0 else "ahead of"
    assert re.search(rf"(3599|3600) s {side} this machine", finding.detail)


def test_a_place_that_forbids_deleting_is_fit_for_pushing() -> None:
    class AppendOnly(MemoryStorage):
        def delete(self, keys) -> None:
            raise DeniedError("deleting is forbidden", code="storage-denied")

    [finding] = [finding for finding in probe(AppendOnly()) if not finding.is_ok]
    assert (finding.name, finding.verdict) == ("delete", "warning")
    assert "small values stay below probe/" in finding.detail


def test_a_directory_without_hard_links_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: str, target: str) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(durable, "_link", no_links)
    findings = {finding.name: finding for finding in probe(LocalStorage(tmp_path))}
    assert "exclusive renames" in findings["names"].detail
    assert findings["race"].is_ok

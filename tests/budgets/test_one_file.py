"""`download(path_prefix=)` of one file, however many entries the version has."""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore import limits
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage, Request
from tests.budgets.million import content_of, path_of, publish
from tests.trees import observe, open_at


@pytest.mark.parametrize("entry_count", [10_000, 1_000_000])
def test_one_file_is_read_with_one_segment_and_one_range(
    entry_count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = MeteredStorage(MemoryStorage())
    publish(open_at("memory://x", storage), "big", entry_count)
    # Another machine: nothing of the log or the list of files is known there.
    monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(tmp_path / "cache"))
    artifact = open_at("memory://x", storage).artifact("big")
    storage.reset()
    wanted = entry_count // 2 + 3
    artifact.download(tmp_path / "out", path_prefix=path_of(wanted))
    assert set(observe(tmp_path / "out")) == {path_of(wanted)}
    assert (tmp_path / "out" / path_of(wanted)).read_bytes() == content_of(wanted)
    assert storage.requests() == {
        Request("GET", "manifests"): 1,
        Request("GET", "packs"): 2,
    }
    # The root lists the segments, 0.1 MB a million entries; the file is 2 kB.
    assert storage.snapshot()["read"].size_bytes < limits.MIB / 4

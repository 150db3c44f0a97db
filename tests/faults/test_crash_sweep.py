"""
A push stopped in each of its mutating calls, before and after the call took effect.

What remains is checked as by another machine, earlier versions are read whole,
and the same push run again finishes and stores only what is missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from artstore import limits
from artstore.api import Store
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Storage
from artstore.testing.faults import Crash, count_mutations, crash_sweep
from artstore.transfer import sending
from tests.trees import (
    EMPTY,
    File,
    Symlink,
    Tree,
    build,
    keys_of,
    noise,
    observe,
    open_at,
    problems_of,
    push,
)

OLD: Tree = {"keep": File(noise(50_000, 1)), "gone": File(b"gone"), "e": EMPTY}
NEW: Tree = {
    "keep": File(noise(50_000, 1)),
    "a": File(noise(70_000, 2)),
    "b": File(noise(70_000, 3), executable=True),
    "c": File(noise(70_000, 4)),
    "l": Symlink("a"),
}
SLACK_BYTES = 4_000
"""Root, index segment and footers: what every attempt writes anew."""


@pytest.fixture
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several packs a push, so that there are more moments to die in."""

    def open_stream(self: sending.Sending) -> sending.PackStream:
        return sending.PackStream(
            self._uploads.submit, self.push_id, self._resolved, target_bytes=75_000
        )

    monkeypatch.setattr(sending.Sending, "_open_stream", open_stream)


def forget_caches() -> None:
    """As on a machine that has never seen the store."""
    shutil.rmtree(os.environ["ARTSTORE_CACHE_DIR"], ignore_errors=True)


def trees_of(store: Store, target: Path) -> dict[str, Tree]:
    found = {}
    for version in store.versions("ds"):
        shutil.rmtree(target, ignore_errors=True)
        store.artifact(f"ds:v{version.version}").download(target)
        found[f"v{version.version}"] = observe(target)
    return found


def sweep(tmp_path: Path, tree: Tree, prepare: Callable[[Storage], object]) -> list[Crash]:
    """Run `check` on what each crash left; the caches of the dead process remain for the rerun."""
    new = build(tmp_path / "new", tree)

    def run(storage: Storage) -> None:
        push(open_at("memory://x", storage), new, aliases=["best"])

    def forget_and_prepare(storage: Storage) -> None:
        forget_caches()
        prepare(storage)

    return crash_sweep(MemoryStorage, run, prepare=forget_and_prepare)  # type: ignore[return-value]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return build(tmp_path / "old", OLD)


@pytest.mark.usefixtures("small_packs")
def test_a_push_stopped_anywhere_leaves_a_whole_store_and_can_be_finished(
    tmp_path: Path, old: Path
) -> None:
    crashes = 0
    for crash in sweep(tmp_path, NEW, lambda storage: push(open_at("memory://x", storage), old)):
        crashes += 1
        stranger = open_at("memory://x", crash.storage)
        assert problems_of(stranger) == []
        found = trees_of(stranger, tmp_path / "out")
        assert found in ({"v0": OLD}, {"v0": OLD, "v1": NEW})

        before = stored_bytes(crash.storage)
        logged = push(open_at("memory://x", crash.storage), tmp_path / "new", aliases=["best"])
        missing = 210_000 - new_packs_bytes(before)
        assert logged.version == "v1"
        assert "best" in logged.aliases
        assert sum(stored_bytes(crash.storage).values()) - sum(before.values()) <= (
            missing + SLACK_BYTES
        )
        again = open_at("memory://x", crash.storage)
        assert trees_of(again, tmp_path / "out") == {"v0": OLD, "v1": NEW}
        assert problems_of(again) == []
    assert crashes >= 2 * 6


def stored_bytes(storage: Storage) -> dict[str, int]:
    return {info.key: info.size_bytes for info in storage.scan("")}


def new_packs_bytes(sizes: dict[str, int]) -> int:
    """Plain bytes of the killed push that lie in packs already: 70,000 each, one file a pack."""
    return 70_000 * sum(key.startswith("packs/") and size > 70_000 for key, size in sizes.items())


@pytest.mark.usefixtures("small_packs")
def test_a_first_push_stopped_anywhere_can_be_finished_by_anybody(tmp_path: Path) -> None:
    for crash in sweep(tmp_path, NEW, lambda _: None):
        # Another machine, without the journal of the one that died.
        forget_caches()
        store = open_at("memory://x", crash.storage)
        if "artstore.json" in keys_of(crash.storage):
            assert problems_of(store) == []
        assert push(store, tmp_path / "new", aliases=["best"]).version == "v0"
        assert trees_of(store, tmp_path / "out") == {"v0": NEW}
        assert problems_of(store) == []


def test_a_push_of_a_file_with_chunk_lists_stopped_anywhere_can_be_finished(
    tmp_path: Path,
) -> None:
    tree = {"model": File(noise(12 * limits.MIB, 5))}
    for crash in sweep(tmp_path, tree, lambda _: None):
        if "artstore.json" in keys_of(crash.storage):
            assert problems_of(open_at("memory://x", crash.storage)) == []
        store = open_at("memory://x", crash.storage)
        logged = push(store, tmp_path / "new", aliases=["best"])
        if any(size > limits.MIB for size in stored_bytes(crash.storage).values()):
            assert logged.entry("model").level == 1
        assert not store.verify("ds").problems
        packs = [info.size_bytes for info in crash.storage.scan("packs/")]
        assert sum(packs) < 13 * limits.MIB, "what the dead push stored was stored again"


def test_changes_of_a_log_stopped_anywhere_are_made_or_not(tmp_path: Path, old: Path) -> None:
    def prepare(storage: Storage) -> None:
        store = open_at("memory://x", storage)
        push(store, old)

    def run(storage: Storage) -> None:
        store = open_at("memory://x", storage)
        store.set_aliases("ds:v0", add=["best"])
        push(store, old, metadata={"k": 1})
        store.delete("ds:v0", force=True)
        store.restore("ds:v0")

    assert count_mutations(prepared(prepare), run) == 5
    for crash in crash_sweep(MemoryStorage, run, prepare=prepare):
        store = open_at("memory://x", crash.storage)
        assert problems_of(store) == []
        (version,) = store.versions("ds")
        kinds = [entry["kind"] for entry in store.history("ds")]
        assert (
            kinds == ["create", "publish", "alias", "describe", "delete", "restore"][: len(kinds)]
        )
        assert version.is_live == (kinds[-1] != "delete")
        if not version.is_live:
            store.restore("ds:v0")
        assert trees_of(store, tmp_path / "out") == {"v0": OLD}


def prepared(prepare: Callable[[Storage], object]) -> MemoryStorage:
    storage = MemoryStorage()
    prepare(storage)
    return storage

"""
`kill -9` of real processes that push and pull, at many moments.

The rerun finishes; what the dead process stored is not stored again; a file in
a checkout is the old one or the new one, never a torn one.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from artstore import limits
from tests.faults.killing import run_for, seconds_of, start
from tests.trees import File, Tree, build, noise, observe, open_at, problems_of, push

PUSHING = """
import sys
import artstore as art
store = art.open_store(sys.argv[1], project="p")
artifact = art.Artifact("ds")
artifact.add_dir(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
logged = store.log_artifact(artifact)
print(logged.version, flush=True)
"""

PULLING = """
import sys
import artstore as art
artifact = art.open_store(sys.argv[1], project="p").artifact("ds")
print("ready", flush=True)
sys.stdin.readline()
artifact.download(sys.argv[2], delete=True)
print("done", flush=True)
"""


def stored_bytes(store: Path) -> int:
    return sum(path.stat().st_size for path in (store / "packs").rglob("*-*"))


TREE: Tree = {
    **{f"small/{i:03}": File(noise(20_000, i)) for i in range(150)},
    "model": File(noise(40 * limits.MIB, 1000)),
}
PLAIN_BYTES = 40 * limits.MIB + 150 * 20_000


def test_a_killed_push_leaves_a_whole_store_and_the_rerun_stores_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = build(tmp_path / "source", TREE)
    whole = seconds_of(PUSHING, tmp_path / "trial", source)
    killed = 0
    for moment in range(8):
        store = tmp_path / f"store-{moment}"
        monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(tmp_path / f"cache-{moment}"))
        killed += not run_for(start(PUSHING, store, source), whole * (moment + 1) / 9)
        if (store / "artstore.json").exists():
            assert problems_of(open_at(store)) == []
        logged = push(open_at(store), source)
        assert logged.version == "v0"
        assert problems_of(open_at(store), read_data=None) == []
        # Every pack that the dead process had stored is used.
        assert stored_bytes(store) < PLAIN_BYTES + limits.MIB
        assert not open_at(store).verify("ds").problems
    assert killed, "no push was killed while it worked"


def test_a_push_killed_after_its_first_packs_uses_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = build(tmp_path / "source", TREE)
    store = tmp_path / "store"
    process = start(PUSHING, store, source)
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.close()
    journals = Path(os.environ["ARTSTORE_CACHE_DIR"]) / "journals"
    while process.poll() is None and not stored_bytes(store):
        time.sleep(0.0005)
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    kept = stored_bytes(store)
    assert kept, "it was killed before its first pack was there"
    logged = push(open_at(store), source)
    assert logged.push.stored_bytes < PLAIN_BYTES - kept + limits.MIB
    assert problems_of(open_at(store)) == []
    assert list(journals.rglob("*.journal")) == []


OLD: Tree = {
    **{f"f{i:03}": File(b"old" + noise(30_000, i)) for i in range(60)},
    "gone": File(b"gone"),
    "model": File(noise(12 * limits.MIB, 2000)),
}
NEW: Tree = {
    **{f"f{i:03}": File(b"new" + noise(30_000, i)) for i in range(60)},
    "model": File(noise(6 * limits.MIB, 2000) + b"inserted" + noise(6 * limits.MIB, 2001)),
}


def test_a_killed_pull_leaves_old_files_and_new_ones_and_the_rerun_finishes(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    push(open_at(store), build(tmp_path / "old", OLD))
    push(open_at(store), build(tmp_path / "new", NEW))
    trial = tmp_path / "trial"
    open_at(store).artifact("ds:v0").download(trial)
    whole = seconds_of(PULLING, store, trial)
    assert observe(trial) == NEW
    killed = 0
    for moment in range(8):
        target = tmp_path / f"target-{moment}"
        open_at(store).artifact("ds:v0").download(target)
        killed += not run_for(start(PULLING, store, target), whole * (moment + 1) / 9)
        found = observe(target)
        for path, node in found.items():
            is_temporary = path.rpartition("/")[2].startswith(".art-")
            assert is_temporary or node in (OLD.get(path), NEW.get(path)), path
        assert NEW.keys() <= found.keys()
        result = open_at(store).artifact("ds").download(target, delete=True, into=False)
        assert observe(target) == NEW
        right = {path for path, node in found.items() if NEW.get(path) == node}
        assert not right & set(result.written_paths)
    assert killed, "no pull was killed while it worked"


def test_a_killed_pull_into_a_new_directory_may_be_run_again(tmp_path: Path) -> None:
    store = tmp_path / "store"
    push(open_at(store), build(tmp_path / "new", NEW))
    whole = seconds_of(PULLING, store, tmp_path / "trial")
    for moment in range(4):
        target = tmp_path / f"target-{moment}"
        run_for(start(PULLING, store, target), whole * (moment + 1) / 5)
        # It is a checkout of ours although it was never finished.
        open_at(store).artifact("ds").download(target, into=False)
        assert observe(target) == NEW

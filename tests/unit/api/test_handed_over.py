"""Stores and artifacts that are handed to other processes."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

from artstore.api import Store
from artstore.settings import resolve
from tests.trees import File, build, observe, push

SOURCE = Path(__file__).resolve().parents[3] / "src"


def open_url(url: str) -> Store:
    return Store(resolve(url, "p"))


def test_a_pickled_store_is_opened_where_it_is_unpickled(tmp_path: Path) -> None:
    store = open_url(str(tmp_path / "store"))
    push(store, build(tmp_path / "source", {"file": File(b"1")}))
    other = pickle.loads(pickle.dumps(store))
    assert (other.url, other.project, other.id) == (store.url, "p", store.id)
    push(other, build(tmp_path / "source", {"file": File(b"2")}))
    assert store.artifact("ds").read("file") == b"2"


def test_a_pickled_artifact_says_and_reads_the_same(tmp_path: Path) -> None:
    store = open_url(str(tmp_path / "store"))
    source = tmp_path / "source"
    push(store, build(source, {"file": File(b"1")}), aliases=["old"], tags=["t"])
    push(store, build(source, {"file": File(b"2")}), metadata={"k": 1}, message="why")
    for name in ("ds:v0", "ds:v1"):
        artifact = store.artifact(name)
        artifact.read("file")
        other = pickle.loads(pickle.dumps(artifact))
        for told in ("qualified_name", "type", "aliases", "tags", "digest", "size", "file_count"):
            assert getattr(other, told) == getattr(artifact, told)
        for told in ("metadata", "message", "description", "created_at", "store_id"):
            assert getattr(other, told) == getattr(artifact, told)
        assert [entry.path for entry in other.entries()] == ["file"]
        assert other.read("file") == artifact.read("file")
        assert other.download(tmp_path / name).written_files == 1
        assert observe(tmp_path / name) == {"file": File(artifact.read("file"))}


def test_a_pickled_artifact_is_small_whatever_the_number_of_versions(tmp_path: Path) -> None:
    store = open_url(str(tmp_path / "store"))
    sizes = []
    for i in range(30):
        push(store, build(tmp_path / "source", {"file": File(b"%d" % i)}), aliases=[f"a{i}"])
        sizes.append(len(pickle.dumps(store.artifact("ds:v0"))))
    assert max(sizes) < 8_000
    # Its own version and the newest, which `aliases` asks for.
    assert sizes[-1] - sizes[2] < 100


USING = """
import json, sys, threading
from pathlib import Path
import artstore as art
from artstore.errors import ArtstoreError
root = Path(sys.argv[1])
# Another thread is alive, which could fork at any moment.
over = threading.Event()
thread = threading.Thread(target=over.wait)
thread.start()
store = art.open_store(str(root / "store"), project="p")
store.create()
store._place()
before = set(sys.modules)
for data in (bytes(range(256)) * 40_000, bytes(range(255)) * 40_000):
    (root / "source").mkdir(exist_ok=True)
    (root / "source" / "large").write_bytes(data)
    (root / "source" / "small").write_bytes(data[:5000])
    artifact = art.Artifact("ds")
    artifact.add_dir(root / "source")
    logged = store.log_artifact(artifact, aliases=["a"], tags=["t"])
    logged.download(root / "copy")
    for link in ("hard", "sym"):
        logged.download(root / link / logged.version, link=link)
    logged.read("small"), logged.metadata, list(logged.entries())
store.set_aliases("ds", add=["b"]), store.set_tags("ds", add=["u"])
store.delete("ds:v0"), store.restore("ds:v0")
store.diff("ds:v0", "ds:v1"), store.verify("ds"), store.verify("ds", root / "copy")
store.check(read_data=1.0), store.usage(), store.history("ds"), store.projects()
try:
    store.artifact("dz")
except ArtstoreError:
    pass
over.set()
thread.join()
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_nothing_is_imported_in_the_middle_of_work_when_another_thread_could_fork(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", USING, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []

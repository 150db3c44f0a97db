"""
torch's DataLoader over the files of an artifact: forked and spawned workers read, and push.

Each case is a process of its own, with the store open before the workers are made.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from artstore.api import Store
from artstore.settings import resolve
from tests.trees import File, build, noise, push

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")

SOURCE = Path(__file__).resolve().parents[2] / "src"
FILE_COUNT = 12
LIMIT_SECONDS = 120

TRAINING = '''
import faulthandler, os, sys, tempfile
import torch
from torch.utils.data import DataLoader, Dataset
import artstore as art


class Files(Dataset):
    """What is handed to workers: an artifact that is open, and the store it came from."""

    def __init__(self, store, artifact):
        self.store = store
        self.artifact = artifact
        self.paths = [entry.path for entry in artifact.entries("images/")]

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        data = self.artifact.read(self.paths[i])
        if i % 6 == 0:
            note = art.Artifact(f"note-{i}", "note")
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(f"read by {os.getpid()}")
                file.flush()
                note.add_file(file.name, "note.txt")
                self.store.log_artifact(note)
        return torch.tensor(list(data[:16])), os.getpid()


def main():
    faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
    url, method, target = sys.argv[1:]
    store = art.open_store(url, project="p")
    artifact = store.artifact("ds")
    # The parent has used all of it before the workers are made.
    artifact.download(target)
    first = artifact.read("images/00")
    loader = DataLoader(
        Files(store, artifact), batch_size=3, num_workers=2, multiprocessing_context=method
    )
    rows, workers = [], set()
    for _ in range(2):
        for batch, pids in loader:
            rows += batch.tolist()
            workers |= set(pids.tolist())
    assert os.getpid() not in workers, workers
    assert len(workers) == 4, workers
    assert rows[:12] == rows[12:]
    assert rows[0] == list(first[:16])
    # And it goes on working itself.
    assert artifact.read("images/00") == first
    print([(info.name, info.version_count) for info in store.collections()])


if __name__ == "__main__":
    main()
'''


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place for a store: a directory, and a bucket of moto."""
    if request.param == "local":
        return str(tmp_path / "store")
    server = request.getfixturevalue("moto")
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return f"s3://{server.make_bucket()}/store"


# Each spawned worker takes seconds to import torch.
@pytest.mark.parametrize(
    ("url", "method"),
    [
        ("local", "fork"),
        ("s3", "fork"),
        ("s3", "spawn"),
        pytest.param("local", "spawn", marks=pytest.mark.nightly),
    ],
    indirect=["url"],
)
def test_workers_of_a_data_loader_read_and_push(url: str, tmp_path: Path, method: str) -> None:
    tree = {f"images/{i:02}": File(noise(20_000, i)) for i in range(FILE_COUNT)}
    push(Store(resolve(url, "p")), build(tmp_path / "source", tree))
    # A file, since spawned workers import it.
    program = tmp_path / "training.py"
    program.write_text(TRAINING.replace("LIMIT_SECONDS", str(LIMIT_SECONDS)), "utf-8")
    done = subprocess.run(
        [sys.executable, str(program), url, method, str(tmp_path / "target")],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS + 30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[('ds', 1), ('note-0', 2), ('note-6', 2)]"

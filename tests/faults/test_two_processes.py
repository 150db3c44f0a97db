"""
Two real processes that push into one store at the same time: dense numbers, nothing lost.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.trees import File, build, noise, open_at, problems_of

SOURCE = Path(__file__).resolve().parents[2] / "src"

PROGRAM = """
import sys
from pathlib import Path
import artstore as art
url, source, name, me, count = sys.argv[1:]
store = art.open_store(url, project="p")
print("ready", flush=True)
sys.stdin.readline()
for i in range(int(count)):
    (Path(source) / "own").write_bytes(f"{me} {i}".encode())
    artifact = art.Artifact(name)
    artifact.add_dir(source)
    logged = store.log_artifact(artifact, aliases=[f"{me}-{i}"])
    assert logged.push.is_new
    print(logged.version, flush=True)
"""
COUNT = 8


def push_at_once(store: Path, tmp_path: Path, names: list[str]) -> list[list[int]]:
    """The version numbers that each process got."""
    processes = []
    for me, name in enumerate(names):
        source = build(tmp_path / f"source-{me}", {"shared": File(noise(50_000))})
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(store), str(source), name, str(me), str(COUNT)],
                env={**os.environ, "PYTHONPATH": str(SOURCE)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    found = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate()
        assert process.returncode == 0
        found.append([int(version.removeprefix("v")) for version in out.split()])
    return found


def test_two_processes_pushing_one_name_get_dense_numbers(tmp_path: Path) -> None:
    first, second = push_at_once(tmp_path / "store", tmp_path, ["ds", "ds"])
    assert sorted(first + second) == list(range(2 * COUNT))
    assert first == sorted(first)
    assert second == sorted(second)
    store = open_at(tmp_path / "store")
    assert problems_of(store) == []
    for me, numbers in enumerate((first, second)):
        for i, number in enumerate(numbers):
            artifact = store.artifact(f"ds:{me}-{i}")
            assert artifact.version == f"v{number}"
            assert artifact.read("own") == f"{me} {i}".encode()


def test_two_processes_pushing_different_names_do_not_disturb_each_other(tmp_path: Path) -> None:
    first, second = push_at_once(tmp_path / "store", tmp_path, ["one", "two"])
    assert first == second == list(range(COUNT))
    store = open_at(tmp_path / "store")
    assert problems_of(store) == []
    assert [info.version_count for info in store.collections("p")] == [COUNT, COUNT]

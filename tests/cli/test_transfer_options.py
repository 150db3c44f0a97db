"""--jobs and --limit-rate: how much at once, and how fast."""

from __future__ import annotations

from pathlib import Path

import pytest

import artstore as art_api
from artstore.errors import InvalidInputError
from artstore.storage.pace import PacedStorage
from tests.cli.conftest import Art
from tests.trees import File, build, noise, observe

TREE = {f"f{n}": File(noise(20_000, seed=n)) for n in range(50)} | {"large": File(noise(9_000_000))}


@pytest.mark.parametrize("jobs", ["1", "2", "32"])
def test_any_number_of_jobs_pushes_and_pulls_the_same(art: Art, tmp_path: Path, jobs: str) -> None:
    build(tmp_path / "data", TREE)
    art("push", str(tmp_path / "data"), "ds", "--jobs", jobs)
    art("pull", "ds", str(tmp_path / "out"), "--jobs", jobs)
    assert observe(tmp_path / "out") == observe(tmp_path / "data")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--jobs", "0", "not a number of jobs"),
        ("--jobs", "257", "not a number of jobs"),
        ("--jobs", "many", "not a number of jobs"),
        ("--limit-rate", "fast", "not a size"),
        ("--limit-rate", "0", "not a rate"),
    ],
)
def test_what_is_no_number_is_refused_by_name(art: Art, option: str, value: str, said: str) -> None:
    result = art("pull", "ds", option, value, status=2)
    assert option in result.err
    assert said in result.err


def test_the_environment_says_it_too(art: Art, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSTORE_JOBS", "3")
    monkeypatch.setenv("ARTSTORE_LIMIT_RATE", "1MB/s")
    store = art_api.open_store()
    store.create()
    assert store._place().concurrency.writers == 3
    assert isinstance(store._place().storage, PacedStorage)
    assert art_api.open_store(jobs=5)._place().concurrency.writers == 5
    monkeypatch.setenv("ARTSTORE_JOBS", "x")
    assert "ARTSTORE_JOBS" in art("ls", status=2).err


def test_python_takes_both_and_says_what_is_wrong(tmp_path: Path) -> None:
    store = art_api.open_store(str(tmp_path / "store"), jobs=2, limit_rate="100 MiB")
    build(tmp_path / "data", TREE)
    artifact = art_api.Artifact("ds")
    artifact.add_dir(tmp_path / "data")
    store.log_artifact(artifact).download(tmp_path / "out")
    assert observe(tmp_path / "out") == observe(tmp_path / "data")
    with pytest.raises(InvalidInputError, match="jobs"):
        art_api.open_store(jobs=0)
    with pytest.raises(InvalidInputError, match="rate"):
        art_api.open_store(limit_rate=0)

"""`art check`, `art verify` and `art du` of what runs wrote: what they print, and how they end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from artstore.api import open_store
from tests.cli.conftest import Art
from tests.unit.upkeep.runs import SESSION, record_run

CONSOLE = f"runs/p/r1/console/{SESSION}-000000.txt"


@pytest.fixture
def store(art: Art, home: Path) -> Path:
    art("init", "store")
    directory = home / "work" / "store"
    opened = open_store(str(directory), project="p")
    record_run(opened)
    record_run(opened, "r2")
    shutil.copytree(directory, home / "work" / "copy")
    return directory


def spoil(store: Path, key: str = CONSOLE) -> None:
    file = store / key
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(b"H" + data[1:])


def test_runs_are_counted_where_there_are_any(art: Art, store: Path) -> None:
    assert "0 packs, 2 runs, 0 B read" in art("check").out
    ran = art("check", "--read-data", "--json").json
    assert (ran["ok"], ran["checked_runs"], ran["problems"]) == (True, 2, [])
    assert ran["read_bytes"] > 0
    open_store(str(store.parent / "empty")).create()
    assert "run" not in art("check", "--store", str(store.parent / "empty")).out


def test_damage_is_told_with_the_run_that_it_hits(art: Art, store: Path) -> None:
    spoil(store)
    art("check")
    ran = art("check", "--read-data", status=8)
    assert ran.out.startswith(f"{CONSOLE}: its bytes are not those of the digest in the log")
    assert "  hits run:p/r1\n" in ran.out
    ran = art("check", "--read-data", "--json", status=8)
    (problem,) = ran.json["problems"]
    assert (problem["key"], problem["code"]) == (CONSOLE, "run-console-damaged")
    assert (problem["versions"], problem["runs"]) == ([], ["p/r1"])
    assert ran.error["code"] == "damage-found"


def test_what_a_copy_has_is_put_back(art: Art, store: Path) -> None:
    spoil(store)
    (store / CONSOLE.replace("r1", "r2")).unlink()
    assert art("check", "--repair", "--json", status=8).json["repaired"] == []
    ran = art("check", "--repair", "--read-data", "--from", "copy")
    assert f"{CONSOLE}: restored from file://" in ran.out
    assert "2 repaired, all right" in ran.out
    assert "all right" in art("check", "--read-data").out


def test_one_run_is_verified_by_its_id_or_the_beginning_of_it(art: Art, store: Path) -> None:
    assert "8 values, " in art("verify", "run:p/r1").out
    ran = art("--project", "p", "verify", "run:r2", "--json").json
    assert (ran["name"], ran["ok"], ran["directory"]) == ("run:p/r2", True, None)
    spoil(store)
    ran = art("verify", "run:p/r1", status=8)
    assert ran.out.startswith(f"console/{SESSION}-000000.txt: its bytes are not those")
    assert "run:p/r1: 1 entry not as written" in ran.err
    assert art("verify", "run:p/r9", "--json", status=4).error["code"] == "run-not-found"
    assert art("verify", "run:p/r1", "out", "--json", status=2).error["code"] == "name-invalid"


def test_du_counts_runs_beside_artifacts(art: Art, store: Path) -> None:
    ran = art("du")
    below = [file for file in (store / "runs").rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in below)
    assert f"({size:,} bytes)  2 runs" in ran.out
    assert "  history" in ran.out
    ran = art("du", "--json").json
    (runs,) = ran["runs"]
    assert (runs["project"], runs["run_count"], runs["stored_bytes"]) == ("p", 2, size)
    assert (runs["deleted_run_count"], runs["deleted_bytes"], runs["abandoned_bytes"]) == (0, 0, 0)
    kinds = ("log", "history", "system", "console", "media", "other")
    assert sum(runs[f"{kind}_bytes"] for kind in kinds) == size
    assert ran["stored_bytes"] > size


def test_du_tells_what_deleted_runs_take_and_what_nobody_names(art: Art, store: Path) -> None:
    art("--project", "p", "run", "rm", "r1")
    (store / f"runs/p/r2/console/{SESSION}-000009.txt").write_bytes(b"cut short")
    ran = art("du").out
    assert "of 1 deleted run\n" in ran
    assert "of that 9 B abandoned" in ran
    (runs,) = art("du", "--json").json["runs"]
    assert runs["abandoned_bytes"] == 9
    assert runs["deleted_bytes"] > 0
    ran = art("du", "run:p/r2", "--json").json
    assert (ran["name"], ran["runs"][0]["abandoned_bytes"]) == ("run:p/r2", 9)
    assert ran["stored_bytes"] == ran["unique_bytes"] == ran["runs"][0]["stored_bytes"]

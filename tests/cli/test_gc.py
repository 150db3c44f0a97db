"""`art gc`, `art rm --purge`, `art du --reclaimable`: what goes, why, when, and what stays."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Art

NOTHING = "nothing to delete\n"
NOW = ("--grace", "0", "--restore-window", "0")


@pytest.fixture(autouse=True)
def no_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSTORE_TEST_GRACE_FLOOR", "0")


@pytest.fixture
def filled(art: Art, tmp_path: Path) -> Path:
    """A store with three versions of `data`; each has files of its own and `kept`."""
    store = tmp_path / "store"
    art("init", store)
    for number in range(3):
        tree = tmp_path / f"tree{number}"
        tree.mkdir()
        (tree / "kept").write_bytes(noise(0, 50_000))
        (tree / "own").write_bytes(noise(number + 1, 200_000))
        art("push", tree, "data")
    return store


def noise(seed: int, size: int) -> bytes:
    import random

    return random.Random(seed).randbytes(size)


def stored_bytes(store: Path) -> int:
    return sum(file.stat().st_size for file in store.rglob("*") if file.is_file())


def test_what_was_deleted_just_now_stays_for_a_week(art: Art, filled: Path) -> None:
    art("rm", "data:v0")
    plan = art("gc", "--json", "--force").json["plan"]
    assert plan["number"] is None
    assert plan["reason"] == "nothing"
    assert plan["restorable_bytes"] > 200_000
    art("restore", "data:v0")
    assert art("verify", "data:v0").status == 0


def test_a_plan_goes_first_and_the_next_run_deletes(art: Art, filled: Path, tmp_path: Path) -> None:
    art("rm", "data:v0")
    before = stored_bytes(filled)
    shown = art("gc", "--dry-run", *NOW).out
    assert "would go" in shown
    assert "default/data  v0 deleted" in shown
    assert stored_bytes(filled) == before
    plan = art("gc", "--json", "--force", *NOW).json["plan"]
    assert plan["number"] == 0
    (collection,) = plan["collections"]
    assert (collection["name"], collection["versions"]) == ("data", [0])
    assert 200_000 <= collection["size_bytes"] < 201_000
    assert plan["repacked_packs"] == 1  # `kept` lies in the pack of v0
    assert stored_bytes(filled) > before
    swept = art("gc", "--json", *NOW).json["swept"]
    assert swept["plan"] == 0
    assert swept["deleted_keys"] >= 2
    assert stored_bytes(filled) < before - 190_000
    for version in ("data:v1", "data:v2"):
        art("verify", version)
        art("pull", version, tmp_path / f"out-{version[-1]}")
    assert (tmp_path / "out-1" / "kept").read_bytes() == noise(0, 50_000)
    assert art("check", "--read-data").out.endswith("all right\n")
    assert art("gc", "--dry-run", *NOW).out == NOTHING


def test_wait_does_both_in_one_run(art: Art, filled: Path) -> None:
    art("rm", "data:v2")
    report = art("gc", "--wait", "--force", "--json", *NOW).json
    assert (report["plan"]["number"], report["swept"]["plan"]) == (0, 0)
    art("verify", "data:v1")


def test_du_says_what_could_go_of_all_and_of_one(art: Art, filled: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(noise(9, 1_000))
    art("push", tmp_path / "other", "other")
    assert "can still be restored" not in art("du", "--reclaimable").out
    art("rm", "data:v0")
    assert "can still be restored" in art("du", "--reclaimable").out
    assert art("du", "--reclaimable", "other", "--json").json["reclaimable_bytes"] == 0


def test_too_little_is_no_plan_without_force(art: Art, tmp_path: Path) -> None:
    art("init", tmp_path / "store")
    for text in ("one", "two"):
        (tmp_path / "file").write_text(text)
        art("push", tmp_path / "file", "data")
    art("rm", "data:v0")
    assert "--force makes one" in art("gc", *NOW).out
    assert art("gc", "--force", "--json", *NOW).json["plan"]["number"] == 0


def test_a_grace_below_the_floor_is_refused(
    art: Art, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARTSTORE_TEST_GRACE_FLOOR")
    ran = art("gc", "--grace", "10m", status=2)
    assert "--grace 1h" in ran.err


def test_gc_that_cannot_read_stops_with_a_status_of_its_own(art: Art, filled: Path) -> None:
    art("rm", "data:v0")
    roots = sorted((filled / "manifests").rglob("*-*"), key=lambda file: file.stat().st_mtime_ns)
    roots[-1].write_bytes(b"no root")
    before = {file: file.stat().st_mtime_ns for file in filled.rglob("*") if file.is_file()}
    ran = art("gc", "--json", *NOW, "--dry-run", status=7)
    assert ran.error["code"] == "gc-refused"
    assert ran.error["context"]["cause"] == "manifest-damaged"
    assert "default/data:v2" in ran.error["message"]
    assert before == {file: file.stat().st_mtime_ns for file in filled.rglob("*") if file.is_file()}


def test_purge_repacks_at_once_and_says_who_else_holds_it(
    art: Art, filled: Path, tmp_path: Path
) -> None:
    art("alias", "data:v0", "first")
    assert "--force" in art("rm", "--purge", "data:v0", "--grace", "0", status=7).err
    planned = art("rm", "--purge", "data:v0", "--dry-run", "--json").json
    assert [holder["name"] for holder in planned["holders"]] == [
        "default/data:v1",
        "default/data:v2",
    ]
    assert planned["holders"][0]["paths"] == ["kept"]
    assert len(planned["left_digests"]) == 2
    art("verify", "data:v0")
    report = art("rm", "--purge", "data:v0", "--force", "--grace", "0", "--json").json
    assert report["gone_after"] is not None
    assert report["garbage"]["plan"]["repacked_packs"] == 1
    art("gc", "--grace", "0")
    own = noise(1, 200_000)
    assert not any(own[:1000] in file.read_bytes() for file in filled.rglob("*") if file.is_file())
    assert "for good" in art("restore", "data:v0", status=7).err
    art("pull", "data:v1", tmp_path / "out")
    assert (tmp_path / "out" / "kept").read_bytes() == noise(0, 50_000)
    # Purged again it is still gone, and nothing happens.
    assert art("rm", "--purge", "data:v0", "--json").json["holders"] == []


def test_a_purge_that_ends_an_older_plan_does_not_say_that_its_own_bytes_are_gone(
    art: Art, filled: Path
) -> None:
    art("rm", "data:v0")
    assert "go by plan 0" in art("gc", *NOW, "--force").out
    told = art("rm", "--purge", "data:v1", "--grace", "0").out
    assert "its bytes are gone when 'art gc' has run here after" in told
    assert "its bytes are gone\n" not in told
    assert any(
        noise(2, 200_000)[:1000] in file.read_bytes()
        for file in filled.rglob("*")
        if file.is_file()
    )


def test_a_purge_that_waits_says_that_all_is_gone(art: Art, filled: Path) -> None:
    assert "its bytes are gone\n" in art("rm", "--purge", "data:v0", "--grace", "0", "--wait").out
    own = noise(1, 200_000)
    assert not any(own[:1000] in file.read_bytes() for file in filled.rglob("*") if file.is_file())
    report = art("rm", "--purge", "data:v1", "--grace", "0", "--wait", "--json").json
    assert report["is_gone"] is True


def test_a_plan_is_given_up_by_its_number(art: Art, filled: Path) -> None:
    art("rm", "data:v0")
    art("gc", *NOW, "--force")
    assert "plan 0 is" in art("gc", "--give-up", "3", status=2).err
    assert "given up without a delete" in art("gc", "--give-up", "0").out
    art("restore", "data:v0")
    art("verify", "data:v0")


def test_a_version_that_is_deleted_can_be_purged(art: Art, filled: Path) -> None:
    art("rm", "data:v0")
    report = art("rm", "--purge", "data:v0", "--grace", "0", "--json").json
    assert report["garbage"]["plan"]["number"] == 0


def test_dry_run_of_rm_is_for_purge(art: Art, filled: Path) -> None:
    assert "--purge" in art("rm", "data:v0", "--dry-run", status=2).err


def test_the_floor_of_graces_is_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARTSTORE_TEST_GRACE_FLOOR")
    from artstore.garbage.settings import grace_floor_seconds

    assert grace_floor_seconds() == 3600


# runs -----------------------------------------------------------------------------------


def a_run(store: Path, run_id: str) -> None:
    """A run that goes to the store in three steps, as one that takes minutes does."""
    import artstore

    quick = {"store_seconds": 0.02, "journal_seconds": 0.02, "console": "off", "silent": True}
    history = store / "runs/demo" / run_id / "history"
    with artstore.init(store=str(store), project="demo", id=run_id, settings=quick) as run:
        for step in range(3):
            run.log({"loss": 1 / (step + 1), "seen": artstore.Image(image(step))})
            until = time.monotonic() + 60
            while not history.is_dir() or len(list(history.iterdir())) <= step:
                assert time.monotonic() < until
                time.sleep(0.02)


def image(step: int) -> Any:
    import numpy as np

    return np.full((4, 4), step, np.uint8)


def beside_logs(store: Path) -> list[str]:
    return [str(one.parent.name) for one in (store / "runs").rglob("*-*") if one.is_file()]


def test_gc_frees_what_a_run_wrote_anew_and_reads_the_same_after(art: Art, filled: Path) -> None:
    a_run(filled, "kept")
    before = art("run", "history", "demo/kept", "--json").json
    assert beside_logs(filled).count("history") > 1
    told = art("gc", "--dry-run", *NOW, "--json").json["runs"]
    assert told["segments"] == beside_logs(filled).count("history") - 1
    assert art("gc", *NOW, "--json").json["runs"] == told
    assert beside_logs(filled).count("history") == 1
    assert art("run", "history", "demo/kept", "--json").json == before


def test_gc_frees_deleted_runs_when_they_cannot_be_restored_any_more(
    art: Art, filled: Path
) -> None:
    a_run(filled, "gone")
    art("run", "rm", "demo/gone")
    assert "deleted run" not in art("gc").out
    shown = art("du", "--reclaimable").out
    assert "of runs" not in shown
    shown = art("gc", *NOW).out
    assert "of runs deleted: 1 deleted run" in shown
    assert not list((filled / "runs").rglob("*.p*"))
    for words in (["run", "restore", "demo/gone"], ["run", "history", "demo/gone"]):
        refused = art(*words, "--json", status=4)
        assert refused.error["code"] == "content-swept"
    assert art("run", "show", "demo/gone", "--json").json["state"] == "deleted"


def test_what_cannot_be_looked_at_is_told_and_versions_are_collected_all_the_same(
    art: Art, filled: Path
) -> None:
    a_run(filled, "hurt")
    (filled / "runs/demo/hurt/000000000000").write_bytes(b"x")
    art("rm", "data:v0")
    shown = art("gc", *NOW, "--wait").out
    assert "run demo/hurt is left as it is: " in shown
    assert beside_logs(filled).count("history") > 1
    assert "deleted" in shown

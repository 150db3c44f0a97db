"""`art prune`, `art pin`, `art unpin`, `art protect`, and what other commands tell of them."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import artstore
from tests.cli.conftest import Art


@pytest.fixture
def filled(art: Art, home: Path) -> Art:
    """ds:v0 to v4."""
    for number in range(5):
        (home / "work" / "n").write_text(str(number))
        art("push", "n", "ds", "-q")
    return art


def live(art: Art) -> list[str]:
    return art("ls", "ds", "-q").out.split()


def age(art: Art, days: dict[str, float]) -> None:
    """Make versions old, by the times of their entries."""
    store = Path(art("config", "url").out.split()[0].removeprefix("file://"))
    for record in art("log", "ds", "--json").json["log"]:
        if record["kind"] == "publish" and record["version"] in days:
            path = store / f"collections/default/ds/{record['number']:012d}"
            then = path.stat().st_mtime - days[record["version"]] * 86_400
            os.utime(path, (then, then))


# --- prune ----------------------------------------------------------------------------------


def test_the_preview_tells_of_each_version_what_and_why(filled: Art) -> None:
    filled("alias", "ds:v1", "best")
    age(filled, {"v0": 40, "v2": 3})
    ran = filled("prune", "ds", "--keep-last", "2", "--keep-within", "1d", "--dry-run")
    assert ran.out.splitlines()[1].split() == ["VERSION", "SIZE", "AGE", "ACTION", "WHY"]
    rows = {row.split()[0]: row for row in ran.out.splitlines()[2:7]}
    assert list(rows) == ["v4", "v3", "v2", "v1", "v0"]
    assert "keep    newest, among the last 2, younger than 1d" in rows["v4"]
    assert "3d  remove  no rule keeps it" in rows["v2"]
    assert "keep    alias best, younger than 1d" in rows["v1"]
    assert "40d  remove  no rule keeps it" in rows["v0"]
    assert ran.out.splitlines()[7] == "ds: 2 versions, 2 B would go, 3 kept"
    assert len(live(filled)) == 5
    assert filled("prune", "ds", "--keep-last", "2", "-q").out.split() == ["ds:v0", "ds:v2"]


def test_a_rule_is_saved_shown_applied_and_dropped(filled: Art) -> None:
    ran = filled("prune", "ds", "--keep-last", "3", "--save")
    assert "ds: 2 versions, 2 B removed, 3 kept" in ran.out
    assert live(filled) == ["ds:v4", "ds:v3", "ds:v2"]
    assert "last 3" in filled("ls").out
    record = filled("ls", "--json").json["artifacts"][0]
    assert record["retention"] == {
        "keep_last": 3,
        "keep_within_seconds": None,
        "keep_aliases": [],
    }
    assert "keep last 3" in filled("log", "ds").out
    for number in range(2):
        Path("n").write_text(f"more {number}")
        filled("push", "n", "ds")
    assert filled("prune", "--json").json["removed_count"] == 2
    assert live(filled) == ["ds:v6", "ds:v5", "ds:v4"]
    assert filled("prune", "ds", "--forget", "--json").json["saved"] is True
    assert "last 3" not in filled("ls").out
    assert filled("prune").out == "no artifact has a rule, and no version a ttl\n"


def test_a_preview_of_a_rule_saves_nothing(filled: Art) -> None:
    found = filled("prune", "ds", "--keep-last", "1", "--save", "--dry-run", "--json").json
    assert (found["saved"], found["going_count"], found["removed_count"]) == (False, 4, 0)
    assert filled("prune", "--json").json["collections"] == []


def test_json_tells_reasons_as_words(filled: Art) -> None:
    filled("pin", "ds:v0", "--until", "1d", "--holder", "ann")
    found = filled("prune", "ds", "--keep-last", "1", "--json").json
    versions = {one["version"]: one for one in found["collections"][0]["versions"]}
    assert [one["code"] for one in versions["v4"]["reasons"]] == ["newest", "last"]
    assert versions["v0"]["reasons"][0]["code"] == "pinned"
    assert versions["v0"]["reasons"][0]["detail"].startswith("ann until 2")
    assert [one["removed"] for one in found["collections"][0]["versions"]] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert found["going_bytes"] == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--keep-last", "1"], "usage-invalid"),
        (["--save"], "usage-invalid"),
        (["default/", "--keep-last", "1"], "usage-invalid"),
        (["ds", "--save"], "usage-invalid"),
        (["ds", "--forget", "--keep-last", "1"], "usage-invalid"),
        (["ds:v1", "--keep-last", "1"], "usage-invalid"),
        (["ds", "--keep-last", "0"], "value-invalid"),
        (["ds", "--keep-within", "soon"], "duration-invalid"),
        (["ds", "--keep-alias", "free text"], "value-invalid"),
    ],
)
def test_a_rule_that_says_nothing_clear_is_refused(
    filled: Art, arguments: list[str], code: str
) -> None:
    ran = filled("prune", *arguments, "--json", status=2)
    assert ran.error["code"] == code
    assert len(live(filled)) == 5


def test_artifacts_that_cannot_be_pruned_are_told_and_fail_the_command(
    filled: Art, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    filled("prune", "ds", "--keep-last", "4", "--save")
    filled("push", "n", "other", "-q")
    store = Path(filled("config", "url").out.split()[0].removeprefix("file://"))
    filled("prune", "other", "--keep-last", "4", "--save")
    path = store / "collections/default/other/000000000001"
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.unlink()
    path.write_bytes(data)
    monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(home / "another"))
    ran = filled("prune", "--json", status=8)
    assert ran.error["code"] == "prune-incomplete"
    assert [one["name"] for one in ran.json["problems"]] == ["default/other"]
    assert [one["name"] for one in ran.json["collections"]] == ["ds"]


# --- pins, protection, ttl --------------------------------------------------------------------


def test_a_pin_is_shown_everywhere_and_refuses_rm(filled: Art) -> None:
    filled("pin", "ds:v1", "--until", "2099-06-30", "--holder", "paper")
    assert "pinned by paper until 2099-06-30T23:59:59Z" in filled("ls", "ds").out
    assert "paper until 2099-06-30T23:59:59Z" in filled("show", "ds:v1").out
    assert "paper until 2099-06-30T23:59:59Z" in filled("log", "ds").out
    ran = filled("rm", "ds:v1", status=7)
    assert "pinned by paper" in ran.err
    assert "art rm ds:v1 --force" in ran.err
    ran = filled("unpin", "ds:v1", "--json", status=4)
    assert (ran.error["code"], ran.error["context"]["holders"]) == ("pin-not-found", ["paper"])
    assert filled("unpin", "ds:v1", "--holder", "paper").out == "ds:v1  pins: none\n"
    filled("rm", "ds:v1")


def test_the_pin_of_an_alias_is_on_its_version(filled: Art) -> None:
    filled("alias", "ds:v1", "best")
    assert filled("pin", "ds:best", "--until", "1d", "-q").out == "ds:v1\n"


def test_a_protected_alias_stays_by_force_too(filled: Art) -> None:
    filled("alias", "ds:v1", "prod")
    assert filled("protect", "ds", "prod").out == "ds  protected: prod\n"
    assert filled("protect", "ds").out == "ds  protected: prod\n"
    assert "protected prod" in filled("ls").out
    for command in (
        ("rm", "ds:v1", "--force"),
        ("alias", "ds:v1", "prod", "--remove"),
        ("alias", "ds:v3", "prod"),
    ):
        ran = filled(*command, status=7)
        assert "art protect default/ds prod --remove" in ran.err
    assert filled("show", "ds:v1", "--json").json["protected_aliases"] == ["prod"]
    filled("protect", "ds", "prod", "--remove")
    filled("alias", "ds:v3", "prod")


def test_a_ttl_is_shown_and_restore_says_that_prune_comes_again(filled: Art) -> None:
    version = artstore.open_store(project="default").artifact("ds:v0")
    version.ttl = dt.timedelta(days=30)
    version.save()
    assert "ttl 30d" in filled("ls", "ds").out
    assert filled("show", "ds:v0", "--json").json["ttl_seconds"] == 30 * 86_400
    assert "30d" in filled("log", "ds").out
    age(filled, {"v0": 31})
    assert filled("prune", "-q").out == "ds:v0\n"
    ran = filled("restore", "ds:v0")
    assert "art pin ds:v0 --until 30d" in ran.err
    filled("pin", "ds:v0", "--until", "30d")
    assert filled("prune", "-q").out == ""


# --- processes ------------------------------------------------------------------------------


def test_two_prunes_at_once_delete_each_version_once(
    filled: Art, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    for number in range(20):
        Path("n").write_text(f"again {number}")
        filled("push", "n", "ds", "-q")
    runs = [start("prune", "ds", "--keep-last", "1", "--json") for _ in range(2)]
    answers = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], answers
    found = [json.loads(out) for out, _ in answers]
    assert sum(one["removed_count"] for one in found) == 24
    assert live(filled) == ["ds:v24"]
    kinds = [one["kind"] for one in filled("log", "ds", "--json").json["log"]]
    assert kinds.count("delete") == 24
    assert filled("check").status == 0


@pytest.mark.parametrize("seconds", [0.25, 0.4, 0.6])
def test_a_prune_that_is_killed_is_finished_by_the_next(
    filled: Art, start: Callable[..., subprocess.Popen[bytes]], seconds: float
) -> None:
    process = start("prune", "ds", "--keep-last", "1")
    killer = threading.Timer(seconds, process.kill)
    killer.start()
    process.communicate(timeout=60)
    killer.cancel()
    killer.join()
    left = live(filled)
    assert left[0] == "ds:v4"
    assert filled("prune", "ds", "--keep-last", "1", "--json").json["removed_count"] == (
        len(left) - 1
    )
    assert live(filled) == ["ds:v4"]
    assert filled("check").status == 0


def test_what_a_run_uses_that_goes_on_in_another_process_stays(
    filled: Art,
) -> None:
    program = (
        "import artstore as art, sys\n"
        "run = art.init(project='default', id='train')\n"
        "run.use_artifact('ds:v1')\n"
        "run.log({'a': 1})\n"
        "sys.stdin.read()\n"
        "run.finish()\n"
    )
    source = Path(__file__).resolve().parents[2] / "src"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(source)},
    )
    try:
        until = time.monotonic() + 60
        while True:
            used = filled("lineage", "ds:v1", "--json").json
            if "train" in str(used) or time.monotonic() > until:
                break
            time.sleep(0.2)
        ran = filled("rm", "ds:v1", "--json", status=7)
        assert (ran.error["code"], ran.error["context"]["runs"]) == (
            "version-in-use",
            ["default/train"],
        )
        found = filled("prune", "ds", "--keep-last", "1", "--json").json
        assert found["removed_count"] == 3
        assert live(filled) == ["ds:v4", "ds:v1"]
    finally:
        process.communicate(b"", timeout=60)
    assert filled("prune", "ds", "--keep-last", "1", "--json").json["removed_count"] == 1

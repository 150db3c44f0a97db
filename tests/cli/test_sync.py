"""`art sync`: what it prints, its JSON, its exit statuses."""

from __future__ import annotations

from pathlib import Path

import pytest

import artstore
from tests.cli.conftest import Art
from tests.cli.test_json import check
from tests.trees import keys_of


@pytest.fixture
def stores(art: Art, home: Path) -> tuple[str, str]:
    """The default store with two versions of `p/ds`, and the place of another one."""
    here, there = str(home / "here"), str(home / "there")
    art("init", here, "--project", "p")
    data = home / "work" / "data"
    data.mkdir()
    for text in ("one", "two"):
        (data / "a.txt").write_text(text)
        art("push", "data", "ds")
    return here, there


def test_it_tells_what_went_over_and_then_that_nothing_did(
    art: Art, stores: tuple[str, str]
) -> None:
    _, there = stores
    out = art("sync", ".", there).out
    assert out.startswith("p/ds: v0-v1 went over, 6 B\n")
    assert "2 versions and 0 runs went over, 0 and 0 were there" in out
    out = art("sync", ".", there).out
    assert out.startswith("0 versions and 0 runs went over, 2 and 0 were there")
    assert art("cat", "ds:v1", "a.txt", "--store", there).out == "two"
    assert "p/ds:v1 of store" in art("show", "ds:v1", "--store", there).out
    for command in ("lineage", "why"):
        assert "copied from" in art(command, "ds:v1", "--store", there).out
    assert art("show", "ds:v1", "--store", there, "--json").json["origin"]["version"] == "v1"


def test_renumbered_versions_are_told_each_time(art: Art, stores: tuple[str, str]) -> None:
    _, there = stores
    Path("own").write_text("own")
    art("push", "own", "ds", "--store", there)
    for _ in range(2):
        out = art("sync", ".", there).out
        assert "p/ds:v0 is v1 in file://" in out
        assert "p/ds:v1 is v2 in file://" in out


def test_json_names_every_version(art: Art, stores: tuple[str, str]) -> None:
    _, there = stores
    value = art("sync", ".", there, "--dry-run", "--json").json
    check("sync", value)
    check("sync versions", value["versions"][0])
    assert [one["is_new"] for one in value["versions"]] == [True, True]
    assert value["dry_run"] is True
    assert not Path(there).exists()
    assert art("sync", ".", there, "--quiet").out == "p/ds:v0\np/ds:v1\n"
    value = art("sync", ".", there, "ds:v1", "--json").json
    assert [(one["version"], one["is_new"]) for one in value["versions"]] == [("v1", False)]


def test_what_cannot_be_brought_gives_an_exit_status(art: Art, stores: tuple[str, str]) -> None:
    here, there = stores
    art("push", "data", "other", "--alias", "best")
    store = artstore.open_store(here, project="p")
    root = store._place().catalog.state("p", "ds").versions[0].root
    store._storage.delete([root])
    ran = art("sync", ".", there, status=7)
    assert "p/ds:v0: " in ran.out
    assert "sync-incomplete" not in ran.out
    assert "1 thing could not be brought: p/ds:v0" in ran.err
    ran = art("sync", ".", there, "--json", status=7)
    assert ran.error["code"] == "sync-incomplete"
    assert [one["name"] for one in ran.json["problems"]] == ["p/ds:v0"]
    target = artstore.open_store(there, project="p")
    assert [version.version for version in target.versions("ds")] == [1]
    assert target.artifact("other:best").version == "v0"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((".", "."), 2, "same store"),
        (("nowhere", "."), 4, "no store"),
        ((".", "there", "absent"), 4, "absent"),
        ((".", "there", "run:absent"), 4, "absent"),
        ((".", "there", "run:a b"), 2, "id of a run"),
        ((".", "there", "a/b/c"), 2, "not a valid name"),
    ],
)
def test_what_is_refused(
    art: Art, stores: tuple[str, str], words: tuple[str, ...], status: int, said: str
) -> None:
    del stores
    assert said in art("sync", *words, status=status).err


def test_a_project_alone(art: Art, stores: tuple[str, str], home: Path) -> None:
    here, there = stores
    Path("one").write_text("1")
    art("push", "one", "q/mine")
    assert art("sync", ".", there, "--project", "q", "-q").out == "q/mine:v0\n"
    keys = keys_of(artstore.open_store(there)._storage, "collections/")
    assert {key.split("/")[1] for key in keys} == {"q"}
    del here, home

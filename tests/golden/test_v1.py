"""
Stores of format v1 are read for ever: the one written when v1 was released, and one written now.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from artstore.api import Store
from artstore.errors import ConflictError, NotFoundError, StateError
from tests.golden.making import (
    AUTHOR,
    DIRECTORY,
    FIRST,
    FUTURE_ENTRIES,
    LARGE,
    MANY,
    METADATA,
    REFERENCE,
    SECOND,
    TABLE_ROW_COUNT,
    TABLE_ROWS,
    make,
    write,
)
from tests.trees import File, build, keys_of, noise, observe, open_at, push


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made") / "store"
    write(make(), directory)
    return directory


@pytest.fixture(params=["written now", *(["golden"] if DIRECTORY.exists() else [])])
def store(request: pytest.FixtureRequest, made: Path) -> Store:
    if request.param == "written now":
        return open_at(made, project="golden")
    return open_at(DIRECTORY, project="golden")


def test_the_same_bytes_are_written_each_time(made: Path) -> None:
    again = make()
    assert {key: again.read(key) for key in keys_of(again)} == {
        path.relative_to(made).as_posix(): path.read_bytes()
        for path in made.rglob("*")
        if path.is_file()
    }


def test_it_is_small_enough_to_be_kept(made: Path) -> None:
    assert sum(path.stat().st_size for path in made.rglob("*") if path.is_file()) < 200_000


def test_every_kind_of_value_is_in_it(made: Path) -> None:
    keys = [path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()]
    assert {key.partition("/")[0] for key in keys} == {
        "artstore.json",
        "collections",
        "fragments",
        "index",
        "manifests",
        "moved",
        "packs",
        "upkeep",
    }
    assert "collections/golden/!many/rollups/1-000000000000" in keys
    store = open_at(made, project="golden")
    assert store.artifact("large").entry("zeros").level == 1
    assert store.artifact("Many")._logged().manifest().segment_refs()


def test_check_finds_nothing(store: Store) -> None:
    report = store.check(read_data=1.0)
    assert report.problems == ()
    assert report.checked_versions == 10


@pytest.mark.parametrize(
    ("name", "tree"),
    [("ds:v0", FIRST), ("ds:v1", SECOND), ("ds", FIRST), ("large", LARGE), ("Many", MANY)],
)
def test_versions_hold_what_was_pushed(
    store: Store, tmp_path: Path, name: str, tree: dict[str, object]
) -> None:
    store.artifact(name).download(tmp_path / "out")
    assert observe(tmp_path / "out") == tree
    assert store.verify(name).problems == ()


def test_digests_of_content_are_for_ever(store: Store) -> None:
    # Written down here, not computed: what is equal must stay equal in every release.
    assert {name: store.artifact(name).digest[:16] for name in DIGESTS} == DIGESTS
    assert store.artifact("ds").digest == store.artifact("ds:v0").digest


DIGESTS = {
    "ds:v0": "6d65dbad5879437b",
    "ds:v1": "4786b159a1acbef3",
    "large:v0": "6aecaed582573a92",
    "Many:v0": "9ec6f05a7ae32e0f",
    "references:v0": "425f539c126ecd83",
    "kinds:v0": "5bce5147915f8247",
    "tables:v0": "681ca1625edcf54a",
    "tables:v1": "32967b2ba5dde0a0",
}


def test_what_was_said_of_versions_is_known(store: Store) -> None:
    first, second, latest = (store.artifact(name) for name in ("ds:v0", "ds:v1", "ds:latest"))
    assert (first.type, first.description, first.message) == (
        "model",
        "A model of nothing",
        "first",
    )
    assert first.metadata == METADATA
    assert (first.aliases, first.tags) == (["v-one"], [])
    assert second.aliases == []
    assert (latest.version, latest.description) == ("v3", "told later")
    assert first.created_at == "2026-01-31T12:00:00Z"
    assert {entry["by"] for entry in store.history("ds")} == {AUTHOR}
    with pytest.raises(NotFoundError):
        store.artifact("ds:v2")
    assert store.artifact("Many:a69").version == "v0"


def test_changes_between_versions_are_told(store: Store) -> None:
    found = store.diff("ds:v0", "ds:v1")
    assert [change.path for change in found.changed] == ["README", "data/a.bin"]
    assert [(change.old_path, change.path) for change in found.renamed] == [("data-x", "moved")]
    assert not found.added
    assert not found.removed


def test_references_are_kept_as_they_were_given(store: Store) -> None:
    (entry,) = store.artifact("references").entries()
    assert (entry.path, entry.kind, entry.url) == ("there/key", "reference", REFERENCE)


def test_entries_of_every_kind_are_listed_and_written(store: Store, tmp_path: Path) -> None:
    kinds = store.artifact("kinds")
    assert tuple((entry.path, entry.kind) for entry in kinds.entries()) == FUTURE_ENTRIES
    assert kinds.read("link") == b"hello\n"
    kinds.download(tmp_path / "out", paths=["link", "file", "symlink", "directory", "table"])
    assert observe(tmp_path / "out")["link"] == File(b"hello\n")
    assert len(pq.read_table(tmp_path / "out" / "table")) == TABLE_ROW_COUNT


def test_tables_hold_what_was_added(store: Store) -> None:
    first, second = (store.artifact(f"tables:v{n}").get("cells") for n in (0, 1))
    assert [row[:4] for row in first.data[:3]] == [row[:4] for row in TABLE_ROWS]
    last = first.rows[3]
    assert (last["score"], last["mixed"]) == (1e300, {"k": [1.5]})
    assert last["image"].caption == "dots"
    assert last["image"].to_pil().getpixel((3, 2)) == 220
    assert last["image"].boxes["found"].boxes[0].class_label == "spot"
    assert second.get_column("id") == [*range(TABLE_ROW_COUNT), "four"]
    assert len(second.stored.fragments) == 2
    joined = store.artifact("tables:v1").get("both")
    assert joined.get_column("id") == list(range(TABLE_ROW_COUNT))
    for version in ("tables:v0", "tables:v1"):
        assert store.verify(version).problems == ()


def test_log_entries_of_every_kind_are_understood(store: Store) -> None:
    state = store._place().catalog.state("future", "renamed")
    assert (state.project, state.name) == ("future", "log")
    assert (state.warnings, state.unknown, state.damage) == ((), (), None)
    assert state.now_named == ("future", "renamed")
    assert sorted(state.versions) == [0, 1, 2, 3, 4]
    assert [fence.plan for fence in state.fences] == [0]
    upkeep = store._place().catalog.upkeep_state()
    assert (sorted(upkeep.plans), sorted(upkeep.done)) == ([0], [0])


def test_what_was_collected_is_gone_and_what_lived_beside_it_is_read(
    store: Store, tmp_path: Path
) -> None:
    store.artifact("collected:v1").download(tmp_path / "out")
    assert (tmp_path / "out" / "kept").read_bytes() == noise(2_000, 3)
    with pytest.raises(ConflictError) as caught:
        store.restore("collected:v0")
    assert caught.value.code == "content-vanished"
    rule = store.retention("collected")
    assert (rule.keep_last, rule.keep_within, rule.keep_aliases) == (
        5,
        timedelta(days=30),
        ("best",),
    )
    with pytest.raises(StateError) as refused:
        store.delete("collected:v1", force=True)
    assert refused.value.code == "alias-protected"


def test_a_push_may_continue_a_copy_of_it(store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(Path(store._storage.path), copy)
    continued = open_at(copy, project="golden")
    source = build(tmp_path / "source", {**FIRST, "new": File(b"new")})
    logged = push(continued, source)
    assert (logged.version, logged.type) == ("v4", "model")
    assert logged.push.stored_bytes < 4_000
    assert continued.check(read_data=1.0).problems == ()

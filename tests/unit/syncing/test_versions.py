"""Versions go over once, with their content, their numbers and their labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from artstore.api import Store
from artstore.errors import InvalidInputError, NotFoundError
from tests.trees import keys_of, noise, open_at, problems_of
from tests.unit.syncing.stores import brought, contents, log_files, opened, quiet, sync

LARGE = noise(9_000_000, 3)


@pytest.fixture
def a() -> Store:
    return opened("a")


@pytest.fixture
def b() -> Store:
    return opened("b")


def test_every_version_goes_over_and_a_second_sync_writes_nothing(
    a: Store, b: Store, tmp_path: Path
) -> None:
    log_files(a, "ds", {"x": b"one", "y/z": b"", "big": LARGE}, metadata={"n": 1})
    log_files(a, "ds", {"x": b"two", "big": LARGE[:5_000_000] + b"!" + LARGE[5_000_000:]})
    log_files(a, "other", {"x": b"one"}, type="model", aliases=["best"], tags=["good one"])
    report = sync(a, b)
    assert brought(report) == ["p/ds:v0", "p/ds:v1", "p/other:v0"]
    for name in ("ds:v0", "ds:v1", "other:v0"):
        assert contents(b, name, tmp_path) == contents(a, name, tmp_path)
        assert b.artifact(name).digest == a.artifact(name).digest
        assert b.artifact(name).created_at == a.artifact(name).created_at
    assert b.artifact("ds:v0").metadata == {"n": 1}
    assert b.artifact("other:best").tags == ["good one"]
    assert b.artifact("other").type == "model"
    assert problems_of(b) == []
    quiet(a, b)


def test_a_changed_version_reads_and_writes_what_changed(a: Store, b: Store) -> None:
    log_files(a, "ds", {"big": LARGE, "x": b"one"})
    sync(a, b)
    log_files(a, "ds", {"big": LARGE, "x": b"two"})
    report = sync(a, b)
    assert brought(report) == ["p/ds:v1"]
    assert report.read_bytes < 1_000
    assert report.stored_bytes < 10_000


def test_content_that_the_target_has_elsewhere_is_not_read(a: Store, b: Store) -> None:
    log_files(b, "mine", {"copy": LARGE})
    log_files(a, "ds", {"big": LARGE})
    report = sync(a, b)
    assert report.read_bytes == 0
    assert report.stored_bytes < 100_000
    assert problems_of(b) == []


def test_a_clash_gets_the_next_free_number_and_keeps_it(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"a0"})
    log_files(a, "ds", {"x": b"a1"})
    log_files(b, "ds", {"x": b"b0"})
    assert brought(sync(a, b)) == ["p/ds:v0 as v1", "p/ds:v1 as v2"]
    assert b.artifact("ds:v1").read("x") == b"a0"
    report = quiet(a, b)
    assert [(one.version, one.target_version) for one in report.renumbered] == [(0, 1), (1, 2)]
    log_files(a, "ds", {"x": b"a2"})
    assert brought(sync(a, b)) == ["p/ds:v2 as v3"]


def test_numbers_stay_where_versions_were_deleted(a: Store, b: Store) -> None:
    for number in range(5):
        log_files(a, "ds", {"x": b"%d" % number})
    a.delete("ds:v1")
    a.delete("ds:v3")
    assert brought(sync(a, b)) == ["p/ds:v0", "p/ds:v2", "p/ds:v4"]
    with pytest.raises(NotFoundError):
        b.artifact("ds:v3")
    assert problems_of(b) == []
    assert log_files(b, "ds", {"x": b"mine"}).version == "v5"
    quiet(a, b)


def test_what_was_deleted_in_the_target_does_not_come_back(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    log_files(a, "ds", {"x": b"1"})
    sync(a, b)
    b.delete("ds:v0")
    quiet(a, b)


def test_what_is_deleted_in_the_source_stays_in_the_target(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"}, aliases=["best"])
    sync(a, b)
    a.delete("ds:v0", force=True)
    quiet(a, b)
    assert b.artifact("ds:best").read("x") == b"0"


def test_back_again_writes_nothing_but_what_is_new_there(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"a0"})
    sync(a, b)
    quiet(b, a)
    log_files(b, "ds", {"x": b"b1"})
    assert brought(sync(b, a)) == ["p/ds:v1"]
    quiet(b, a)
    quiet(a, b)


def test_a_third_store_merges_two_and_takes_each_version_once(a: Store, b: Store) -> None:
    c = opened("c")
    log_files(a, "ds", {"x": b"a0"})
    log_files(b, "ds", {"x": b"b0"})
    sync(a, b)
    assert brought(sync(a, c)) == ["p/ds:v0"]
    assert brought(sync(b, c)) == ["p/ds:v0 as v1"]
    quiet(a, c)
    quiet(b, c)
    assert [c.artifact(f"ds:v{n}").read("x") for n in range(2)] == [b"a0", b"b0"]
    # From c each goes home, or where it has not been.
    assert brought(sync(c, a)) == ["p/ds:v1"]
    quiet(c, a)
    assert [a.artifact(f"ds:v{n}").read("x") for n in range(2)] == [b"a0", b"b0"]


def test_aliases_follow_and_one_on_a_version_of_the_target_stays(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"}, aliases=["best", "mine"])
    log_files(b, "ds", {"x": b"own"}, aliases=["mine"])
    report = sync(a, b)
    assert [warning for warning in report.warnings if "alias mine" in warning]
    assert b.artifact("ds:mine").read("x") == b"own"
    assert b.artifact("ds:best").read("x") == b"0"
    log_files(a, "ds", {"x": b"1"}, aliases=["best"])
    a.set_tags("ds:v0", add=["old"])
    report = sync(a, b)
    assert b.artifact("ds:best").read("x") == b"1"
    assert b.artifact("ds:v1").tags == ["old"]
    quiet(a, b)
    a.set_aliases("ds:v0", add=["best"])
    assert sync(a, b).label_count == 1
    assert b.artifact("ds:best").read("x") == b"0"


def test_an_alias_that_is_protected_in_the_target_stays_there(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"}, aliases=["prod"])
    sync(a, b)
    b.protect("ds", ["prod"])
    log_files(a, "ds", {"x": b"1"}, aliases=["prod"])
    a.set_tags("ds:v0", add=["old"])
    for _ in range(2):
        report = sync(a, b)
        assert report.problems == ()
        assert [warning for warning in report.warnings if "prod" in warning]
    assert b.artifact("ds:prod").read("x") == b"0"
    assert b.artifact("ds:v1").read("x") == b"1"
    assert b.artifact("ds:v0").tags == ["old"]
    b.protect("ds", remove=["prod"])
    sync(a, b)
    assert b.artifact("ds:prod").read("x") == b"1"


def test_descriptions_that_come_later_follow_and_own_ones_stay(a: Store, b: Store) -> None:
    version = log_files(a, "ds", {"x": b"0"}, description="first")
    sync(a, b)
    assert b.artifact("ds").description == "first"
    version.description, version.metadata = "second", {"k": 1}
    version.save()
    assert sync(a, b).label_count == 1
    assert (b.artifact("ds").description, b.artifact("ds").metadata) == ("second", {"k": 1})
    quiet(a, b)
    version.description = "third"
    version.save()
    sync(a, b)
    assert b.artifact("ds").description == "third"
    here = b.artifact("ds")
    here.description = "mine"
    here.save()
    report = quiet(a, b)
    assert "was changed there" in report.warnings[0]
    assert b.artifact("ds").description == "mine"


def test_a_collection_of_another_type_is_told_and_others_go_on(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    log_files(a, "zoo", {"x": b"0"})
    log_files(b, "ds", {"x": b"0"}, type="model")
    report = sync(a, b)
    assert [(one.name, one.code) for one in report.problems] == [("p/ds:v0", "type-mismatch")]
    assert [one.name for one in report.new_versions] == ["zoo"]


def test_names_choose_collections_and_versions(a: Store, b: Store) -> None:
    for name in ("one", "two"):
        for number in range(3):
            log_files(a, name, {"x": b"%s %d" % (name.encode(), number)})
    assert brought(sync(a, b, ["one:v1", "p/two"])) == [
        "p/one:v1",
        *(f"p/two:v{n}" for n in range(3)),
    ]
    assert brought(sync(a, b, ["one"])) == ["p/one:v0 as v2", "p/one:v2 as v3"]
    with pytest.raises(NotFoundError, match="three"):
        sync(a, b, ["three"])
    with pytest.raises(NotFoundError, match="v9"):
        sync(a, b, ["one:v9"])


def test_a_project_alone(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    q = opened("unused")
    q._storage = a._storage
    other = opened("other", "q")
    other._storage = a._storage
    log_files(other, "mine", {"x": b"0"})
    assert brought(sync(a, b, project="q")) == ["q/mine:v0"]
    assert brought(sync(a, b)) == ["p/ds:v0"]


def test_a_trial_writes_nothing_and_tells_the_numbers(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    log_files(a, "ds", {"x": b"1"}, aliases=["best"])
    log_files(b, "ds", {"x": b"own"})
    keys = keys_of(b._storage)
    report = sync(a, b, dry_run=True)
    assert brought(report) == ["p/ds:v0 as v1", "p/ds:v1 as v2"]
    assert keys_of(b._storage) == keys
    assert brought(sync(a, b)) == brought(report)


def test_a_store_is_not_synced_to_itself(a: Store) -> None:
    with pytest.raises(InvalidInputError) as caught:
        sync(a, a)
    assert caught.value.code == "sync-same-store"


def test_a_trial_counts_each_change_of_a_label_once(a: Store, b: Store) -> None:
    log_files(a, "ds", {"x": b"0"})
    sync(a, b)
    a.set_aliases("ds:v0", add=["best"])
    a.set_tags("ds:v0", add=["good"])
    assert sync(a, b, dry_run=True).label_count == 2
    assert sync(a, b).label_count == 2


def test_a_collection_whose_log_cannot_be_read_hides_no_other(a: Store, b: Store) -> None:
    for name in ("bad", "good"):
        log_files(a, name, {"x": b"0"})
        log_files(a, name, {"x": b"1"})
    key = "collections/p/bad/000000000002"
    data = bytearray(a._storage.read(key))
    data[100] ^= 1
    a._storage.delete([key])
    a._storage.create(key, bytes(data))
    report = sync(open_at("memory://a", a._storage), b)
    assert [one.name for one in report.problems] == ["p/bad"]
    assert [f"{one.name}:v{one.version}" for one in report.new_versions] == [
        "bad:v0",
        "good:v0",
        "good:v1",
    ]

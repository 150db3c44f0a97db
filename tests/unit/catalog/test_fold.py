"""What each kind of entry does to a collection, and which make no sense where they stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from artstore.catalog.format import RawEntry
from artstore.catalog.state import CollectionState, Fence, Pin, Source, VersionState
from artstore.errors import (
    DamagedDataError,
    InvalidInputError,
    NotFoundError,
    UnsupportedFormatError,
)
from artstore.names import parse_artifact_name
from tests.unit.catalog.logs import (
    TIME,
    LogWriter,
    fold_of,
    resealed,
    root_of,
    version_fields,
)


@pytest.fixture
def log() -> LogWriter:
    """A collection with v0, v1 (best) and v2."""
    log = LogWriter()
    log.create()
    log.publish(0)
    log.publish(1, aliases=["best"], tags=["nice"])
    log.publish(2)
    return log


def void_numbers(state: CollectionState) -> list[int]:
    return [warning.n for warning in state.warnings if warning.code == "log-void-entry"]


def test_versions_carry_what_their_entry_says(log: LogWriter) -> None:
    state = log.state()
    version = state.versions[1]
    assert (version.n, version.digest, version.root) == (2, f"{1:064x}", root_of(1))
    assert (version.created, version.by) == (TIME, "bob@there")
    assert (version.aliases, version.tags) == (("best",), ("nice",))
    assert (state.type, state.head_n, state.highest) == ("dataset", 3, 2)
    assert state.warnings == ()


def test_latest_is_the_highest_live_version(log: LogWriter) -> None:
    assert log.state().resolve(alias="latest").version == 2
    log.add("delete", version=2)
    assert log.state().resolve().version == 1


def test_an_alias_moves_with_a_publish_and_with_an_alias_entry(log: LogWriter) -> None:
    log.publish(3, aliases=["best"])
    state = log.state()
    assert state.aliases == {"best": 3}
    assert state.versions[1].aliases == ()
    log.add("alias", version=0, add=["best", "first"], remove=[])
    log.add("alias", version=0, add=[], remove=["first"])
    state = log.state()
    assert state.aliases == {"best": 0}
    assert state.versions[0].aliases == ("best",)


def test_removing_an_alias_of_another_version_has_no_effect(log: LogWriter) -> None:
    log.add("alias", version=0, add=[], remove=["best"])
    assert log.state().aliases == {"best": 1}


def test_tags_are_added_and_removed_and_listed_by_tag(log: LogWriter) -> None:
    log.add("tag", version=0, add=["nice", "old"], remove=[])
    log.add("tag", version=1, add=["new"], remove=["nice"])
    state = log.state()
    assert state.tags == {"new": (1,), "nice": (0,), "old": (0,)}


def test_a_tombstone_keeps_the_number_and_takes_the_aliases(log: LogWriter) -> None:
    log.add("pin", version=1, until=TIME, holder="run-1")
    log.add("delete", version=1)
    log.publish(3)
    state = log.state()
    version = state.versions[1]
    assert version.deleted is not None
    assert (version.deleted.n, version.deleted.by) == (5, "bob@there")
    assert (version.aliases, version.pins, state.aliases) == ((), (), {})
    assert [v.version for v in state.live] == [0, 2, 3]


def test_a_number_is_never_used_again(log: LogWriter) -> None:
    log.add("delete", version=2)
    log.publish(2)
    log.publish(3)
    assert void_numbers(log.state()) == [5]
    assert log.state().highest == 3


def test_restore_takes_a_tombstone_back_but_not_the_aliases(log: LogWriter) -> None:
    log.add("delete", version=1)
    log.add("restore", version=1)
    state = log.state()
    assert state.versions[1].is_live
    assert state.versions[1].aliases == ()
    assert state.versions[1].tags == ("nice",)


def test_what_was_purged_is_not_restored(log: LogWriter) -> None:
    log.add("delete", version=1)
    log.add("purge", version=1)
    log.add("restore", version=1)
    state = log.state()
    assert void_numbers(state) == [6]
    assert state.versions[1].deleted is not None
    assert state.versions[1].deleted.is_purged


def test_describe_ttl_pin_and_link_are_kept(log: LogWriter) -> None:
    log.add("describe", version=0, meta=root_of(99))
    log.add("ttl", version=0, seconds=60)
    log.add("pin", version=0, until=TIME, holder="a")
    log.add("pin", version=0, until=TIME, holder="b")
    log.add("unpin", version=0, holder="a")
    log.add("link", **version_fields(3), source={"project": "q", "name": "d", "version": 5})
    state = log.state()
    version = state.versions[0]
    assert (version.meta, version.ttl_seconds) == (root_of(99), 60)
    assert version.pins == (Pin("b", TIME),)
    assert state.versions[3].source == Source("q", "d", 5)
    log.add("ttl", version=0, seconds=None)
    assert log.state().versions[0].ttl_seconds is None


def test_fences_are_kept_with_their_place_even_before_create() -> None:
    log = LogWriter()
    log.add("fence", plan=3)
    log.create()
    log.add("fence", plan=5)
    state = log.state()
    assert state.fences == (Fence(0, 3), Fence(2, 5))
    assert state.exists
    assert state.warnings == ()


def test_a_draft_is_published_once(log: LogWriter) -> None:
    log.add("draft_open", draft="d")
    log.add("draft_open", draft="d")
    log.publish(3, draft="d")
    log.publish(4, draft="d")
    log.publish(4, draft="never")
    log.add("draft_open", draft="e")
    log.add("draft_abandon", draft="e")
    log.publish(4, draft="e")
    log.add("draft_open", draft="e")
    state = log.state()
    assert void_numbers(state) == [5, 7, 8, 11, 12]
    assert state.drafts == {"d": 3, "e": -1}
    assert state.versions[3].draft == "d"


def test_names_and_redirects(log: LogWriter) -> None:
    log.add("named", project="p", name="new")
    assert log.state().now_named == ("p", "new")
    other = LogWriter()
    other.add("redirect", project="p", name="old")
    other.add("fence", plan=1)
    other.publish(0)
    other.create()
    state = other.state()
    assert (state.redirect, state.exists) == (("p", "old"), False)
    assert void_numbers(state) == [2, 3]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("create", {"project": "p", "name": "c", "type": "model"}),
        ("publish", version_fields(4)),
        ("publish", version_fields(1)),
        ("alias", {"version": 9, "add": ["x"], "remove": []}),
        ("tag", {"version": 9, "add": ["x"], "remove": []}),
        ("describe", {"version": 9, "meta": root_of(1)}),
        ("delete", {"version": 9}),
        ("restore", {"version": 0}),
        ("purge", {"version": 0}),
        ("ttl", {"version": 9, "seconds": 1}),
        ("pin", {"version": 9, "until": TIME, "holder": "h"}),
        ("redirect", {"project": "p", "name": "d"}),
        ("draft_abandon", {"draft": "d"}),
    ],
)
def test_an_entry_that_makes_no_sense_uses_its_number_and_has_no_effect(
    log: LogWriter, kind: str, fields: dict[str, object]
) -> None:
    before = log.state()
    log.add(kind, **fields)
    after = log.state()
    assert void_numbers(after) == [4]
    assert (after.head_n, after.highest) == (4, 2)
    assert after.versions == before.versions
    log.publish(3)
    assert log.state().versions[3].is_live


def test_a_create_for_another_collection_is_void() -> None:
    log = LogWriter()
    log.add("create", project="p", name="other", type="dataset")
    log.create()
    state = log.state()
    assert (void_numbers(state), state.exists) == ([0], True)


def test_garbage_is_void_and_the_next_entry_is_chained_over_its_bytes(log: LogWriter) -> None:
    log.add_raw(b"\0garbage")
    log.publish(3)
    state = log.state()
    assert void_numbers(state) == [4]
    assert state.resolve().version == 3


def lookups(state: CollectionState) -> list[Callable[[], VersionState]]:
    """All that ask which version is meant by something that may move."""
    return [
        state.resolve,
        lambda: state.resolve(alias="latest"),
        lambda: state.resolve(alias="best"),
        lambda: state.resolve(alias="never"),
        lambda: state.resolve(digest_prefix=f"{1:064x}"),
    ]


def assert_refused(state: CollectionState, n: int) -> None:
    assert state.is_in_doubt
    for lookup in lookups(state):
        with pytest.raises(DamagedDataError, match=f"entry {n} of the log") as caught:
            lookup()
        assert (caught.value.code, caught.value.exit_status) == ("log-entry-damaged", 8)


def test_while_the_newest_entry_is_damaged_only_exact_versions_are_known(log: LogWriter) -> None:
    log.damage(3)
    state = log.state()
    assert_refused(state, 3)
    assert state.resolve(version=1).version == 1
    with pytest.raises(DamagedDataError):
        state.resolve(version=2)
    with pytest.raises(NotFoundError):
        state.resolve(version=9)
    state.check_writable()


def test_a_version_published_behind_a_damaged_entry_settles_what_is_newest(log: LogWriter) -> None:
    log.damage(3)
    # What was lost may have been v2: that number is not given again.
    log.publish(3, aliases=["best"])
    state = log.state()
    assert (state.damage, state.is_in_doubt) == (None, False)
    assert [state.resolve(alias=alias).version for alias in ("latest", "best")] == [3, 3]
    assert list(state.versions) == [0, 1, 3]
    assert state.damaged == (3,)
    log.publish(4)
    assert log.state().resolve().version == 4


def test_another_entry_behind_a_damaged_one_does_not_settle_it(log: LogWriter) -> None:
    log.damage(3)
    log.add("alias", version=0, add=["best"], remove=[])
    assert_refused(log.state(), 3)
    log.publish(3)
    assert log.state().resolve().version == 3


def test_a_number_that_no_damaged_entry_can_have_given_is_void(log: LogWriter) -> None:
    log.damage(3)
    log.publish(4)
    assert void_numbers(log.state()) == [3, 4]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_an_entry_damaged_below_others_is_a_lost_one(log: LogWriter, n: int) -> None:
    log.publish(3)
    sound = log.state()
    log.damage(n)
    state = log.state()
    assert_refused(state, n)
    assert [(w.code, w.n) for w in state.warnings] == [
        ("log-void-entry", n),
        ("log-entry-damaged", n),
    ]
    for number, version in state.versions.items():
        assert version.digest == sound.versions[number].digest
    assert state.resolve(version=3).version == 3
    with pytest.raises(DamagedDataError):
        state.resolve(version=n - 1)
    with pytest.raises(DamagedDataError, match=f"entry {n} is not what was written") as caught:
        state.check_writable()
    assert caught.value.code == "log-entry-damaged"


def test_a_damaged_entry_behind_a_hole_is_told_too(log: LogWriter) -> None:
    log.publish(3)
    log.publish(4)
    log.damage(4)
    state = fold_of([raw for raw in log.raws if raw.n != 2])
    assert state.damage is not None
    assert state.damage.code == "log-hole"
    assert_refused(state, 4)


def test_two_entries_that_changed_places_are_both_damaged(log: LogWriter) -> None:
    log.publish(3)
    first, second = log.raws[2], log.raws[3]
    log.raws[2:4] = [replace(second, n=2), replace(first, n=3)]
    state = log.state()
    assert state.damaged == (2, 3)
    assert_refused(state, 3)


def test_an_entry_chained_over_the_wrong_bytes_is_void(log: LogWriter) -> None:
    data = json.loads(log.entry("publish", **version_fields(3)))
    data["prev"] = "ab" * 32
    log.add_raw(resealed(data))
    assert void_numbers(log.state()) == [4]


def test_an_entry_too_large_to_read_is_void_and_chained_over_by_its_digest(
    log: LogWriter,
) -> None:
    log.raws.append(RawEntry(4, None, b"\7" * 32, 5_000_000))
    log.publish(3)
    state = log.state()
    assert void_numbers(state) == [4]
    assert state.highest == 3


def test_behind_a_hole_all_is_read_and_nothing_written(log: LogWriter) -> None:
    log.publish(3)
    log.publish(4)
    log.publish(5)
    state = fold_of([raw for raw in log.raws if raw.n not in {4, 5}])
    assert state.resolve().version == 5
    assert 3 not in state.versions
    assert [(w.code, w.n) for w in state.warnings] == [("log-hole", 4)]
    with pytest.raises(Exception, match="entries 4 to 5 are missing"):
        state.check_writable()


def test_an_unknown_kind_that_must_be_understood_stops_reader_and_writer(log: LogWriter) -> None:
    data = json.loads(log.entry("delete", version=0))
    log.add_raw(resealed(data | {"kind": "merge"}))
    state = log.state()
    for refused in (state.resolve, state.check_writable, state.check_readable):
        with pytest.raises(UnsupportedFormatError) as caught:
            refused()
        assert caught.value.code == "entry-kind-unknown"
        assert caught.value.exit_status == 9


def test_an_unknown_kind_that_need_not_be_understood_is_passed_over(log: LogWriter) -> None:
    data = json.loads(log.entry("delete", version=0))
    log.add_raw(resealed(data | {"kind": "note", "must_understand": False}))
    log.publish(3)
    state = log.state()
    assert (state.warnings, state.resolve().version) == ((), 3)


def test_a_state_is_continued_entry_by_entry_without_changing(log: LogWriter) -> None:
    state = CollectionState("p", "c")
    states = [state := state.apply(raw) for raw in log.raws]
    assert states[-1] == log.state()
    assert [len(state.versions) for state in states] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "version"),
    [("c", 2), ("c:latest", 2), ("c:best", 1), ("c:v0", 0), (f"c@{1:064x}", 1)],
)
def test_names_are_resolved(log: LogWriter, text: str, version: int) -> None:
    assert log.state().resolve_name(parse_artifact_name(text)).version == version


def test_a_start_of_a_digest_must_mean_one_content(log: LogWriter) -> None:
    state = log.state()
    with pytest.raises(InvalidInputError) as caught:
        state.resolve(digest_prefix="00000000")
    assert caught.value.code == "digest-ambiguous"
    with pytest.raises(NotFoundError) as missing:
        state.resolve(digest_prefix="ffffffff")
    assert missing.value.code == "version-not-found"


def test_the_newest_of_two_versions_with_one_content_is_meant(log: LogWriter) -> None:
    log.publish(3, digest=f"{0:064x}")
    assert log.state().resolve(digest_prefix=f"{0:064x}").version == 3


def test_what_is_not_found_is_answered_with_what_exists(log: LogWriter) -> None:
    state = log.state()
    with pytest.raises(NotFoundError, match=r"no version v9; its versions are v2, v1, v0, its al"):
        state.resolve(version=9)
    with pytest.raises(NotFoundError, match=r"no alias 'bset'.*its aliases best") as caught:
        state.resolve(alias="bset")
    assert caught.value.code == "alias-not-found"


def test_a_deleted_version_names_who_deleted_it_and_how_to_restore_it(log: LogWriter) -> None:
    log.add("delete", version=1)
    with pytest.raises(NotFoundError, match=f"deleted by bob@there at {TIME}") as caught:
        log.state().resolve(version=1)
    assert caught.value.code == "version-deleted"
    assert caught.value.hint == "art restore p/c:v1"


def test_a_collection_without_versions_has_no_latest() -> None:
    log = LogWriter()
    log.create()
    with pytest.raises(NotFoundError, match="p/c has no version; it has no live version"):
        log.state().resolve()

"""Rules, protection, pins and purges: what the fold makes of them, and what requests write."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from artstore.catalog.fold import Fold
from artstore.catalog.format import COLLECTION_KINDS, RawEntry, decode_entry
from artstore.catalog.operations import evaluate
from artstore.catalog.requests import (
    AliasRequest,
    Applied,
    DeleteRequest,
    PinRequest,
    ProtectRequest,
    PruneRequest,
    Published,
    PurgeRequest,
    Request,
    RetentionRequest,
    Unchanged,
    UnpinRequest,
    Write,
)
from artstore.catalog.retention import Retention
from artstore.catalog.state import CollectionState
from artstore.errors import ArtstoreError, InvalidInputError, NotFoundError, StateError
from tests.unit.catalog.logs import TIME, LogWriter, publish

LATER = "2026-03-01T00:00:00Z"


@pytest.fixture
def log() -> LogWriter:
    """v0, v1 (best), v2, v3 deleted; best is protected, five are kept."""
    log = LogWriter()
    log.create()
    log.publish(0)
    log.publish(1, aliases=["best"])
    log.publish(2)
    log.publish(3)
    log.add("delete", version=3)
    log.add("retention", keep_last=5, protected=["best"])
    return log


def decide(state: CollectionState, request: Request) -> object:
    step = evaluate(request, state)
    return step.body if isinstance(step, Write) else step.outcome


def refusal(state: CollectionState, request: Request) -> ArtstoreError:
    with pytest.raises(ArtstoreError) as caught:
        evaluate(request, state)
    return caught.value


# --- the record ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"keep_last": 0},
        {"keep_last": -1},
        {"keep_last": True},
        {"keep_last": 10**9},
        {"keep_within": timedelta(0)},
        {"keep_within": timedelta(days=400_000)},
        {"keep_within": 30},
        {"keep_aliases": "best"},
        {"keep_aliases": ["free text"]},
        {"keep_aliases": [""]},
    ],
)
def test_a_rule_that_means_nothing_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Retention(**values)
    assert caught.value.code == "value-invalid"


def test_a_rule_is_the_same_after_a_log_has_told_it() -> None:
    rule = Retention(5, timedelta(days=30, microseconds=7), ["prod-*", "best", "best"])  # type: ignore[arg-type]
    assert rule.keep_aliases == ("prod-*", "best")
    assert Retention.of(rule.fields(["x"])) == rule
    assert Retention.of({}) == Retention()
    assert Retention().is_empty
    assert not rule.is_empty
    assert str(rule) == "keep last 5, within 30d, alias prod-*, alias best"
    assert str(Retention()) == "keep all"


# --- the fold -----------------------------------------------------------------------------


def test_the_newest_rule_counts_wholly(log: LogWriter) -> None:
    state = log.state()
    assert (state.retention, state.protected) == (Retention(5), frozenset(["best"]))
    assert state.warnings == ()
    log.add("retention", keep_within_seconds=60)
    state = log.state()
    assert (state.retention, state.protected) == (
        Retention(keep_within=timedelta(minutes=1)),
        frozenset(),
    )
    log.add("retention")
    assert log.state().retention.is_empty


def test_a_rule_before_the_collection_is_void() -> None:
    log = LogWriter()
    log.add("retention", keep_last=5)
    log.create()
    state = log.state()
    assert state.retention.is_empty
    assert [warning.code for warning in state.warnings] == ["log-void-entry"]


def test_what_a_reader_without_the_kind_takes_for_done_is_done(log: LogWriter) -> None:
    """Protection binds writers: two readers never see two states."""
    before = {kind: rules for kind, rules in COLLECTION_KINDS.items() if kind != "retention"}
    log.add("alias", version=2, add=["best"], remove=[])
    log.add("delete", version=2)
    state = log.state()
    assert (state.aliases, [one.version for one in state.live]) == ({}, [0, 1])
    rule = log.raws[6]
    assert rule.data is not None
    taken = decode_entry(rule.data, 6, log.raws[5].digest, before)
    assert (type(taken).__name__, getattr(taken, "must_understand", None)) == (
        "UnknownEntry",
        False,
    )


def test_an_entry_that_a_newer_release_called_sound_is_looked_at_again(log: LogWriter) -> None:
    """One replica may serve two releases, of which one knows more kinds."""
    data = log.entry("attest", target=0, digest="0" * 64, signature="A")
    import json

    from tests.unit.catalog.logs import resealed

    value = {**json.loads(data), "kind": "of_next_year"}
    raw = RawEntry.of(log.n, resealed(value))
    fold = Fold(log.state())
    fold.apply(RawEntry(raw.n, raw.data, raw.digest, raw.size_bytes, is_sound=True))
    assert fold.state().head_n == raw.n
    assert fold.state().versions == log.state().versions


# --- rules and protection -------------------------------------------------------------------


def test_a_rule_and_protection_are_changed_apart(log: LogWriter) -> None:
    state = log.state()
    assert decide(state, RetentionRequest(Retention(2))) == (
        "retention",
        {"keep_last": 2, "protected": ["best"]},
    )
    assert decide(state, ProtectRequest(add=("prod",))) == (
        "retention",
        {"keep_last": 5, "protected": ["best", "prod"]},
    )
    assert decide(state, ProtectRequest(remove=("best",))) == ("retention", {"keep_last": 5})
    assert decide(state, RetentionRequest(Retention(5))) == Unchanged(None)
    assert decide(state, ProtectRequest(add=("best",))) == Unchanged(None)
    assert decide(state, RetentionRequest(Retention())) == ("retention", {"protected": ["best"]})


def test_latest_cannot_be_protected(log: LogWriter) -> None:
    assert refusal(log.state(), ProtectRequest(add=("latest",))).code == "name-invalid"


def test_a_version_with_a_protected_alias_is_not_deleted_by_force_either(log: LogWriter) -> None:
    for force in (False, True):
        error = refusal(log.state(), DeleteRequest(1, force=force))
        assert isinstance(error, StateError)
        assert (error.code, error.hint) == ("alias-protected", "art protect p/c best --remove")
    log.add("retention")
    assert decide(log.state(), DeleteRequest(1, force=True)) == ("delete", {"version": 1})


@pytest.mark.parametrize(
    "change",
    [
        AliasRequest(1, remove=("best",)),
        AliasRequest(2, add=("best",)),
        publish(9, aliases=("best",)),
        # The content of the newest: no version, but the alias would move.
        publish(2, push="f" * 16, aliases=("best",)),
    ],
)
def test_a_protected_alias_is_neither_taken_nor_moved(log: LogWriter, change: Request) -> None:
    error = refusal(log.state(), change)
    assert (error.code, error.context) == ("alias-protected", {"alias": "best", "version": 1})


def test_a_protected_alias_of_the_newest_stays_on_it_when_a_newer_one_comes(
    log: LogWriter,
) -> None:
    log.add("alias", version=2, add=["best"], remove=[])
    assert refusal(log.state(), publish(9, aliases=("best",))).code == "alias-protected"
    same = publish(2, push="f" * 16, aliases=("best",))
    assert decide(log.state(), same) == Unchanged(2)


def test_a_protected_alias_that_is_nowhere_may_be_set(log: LogWriter) -> None:
    log.add("retention", protected=["prod"])
    state = log.state()
    step = evaluate(publish(9, aliases=("prod",)), state)
    assert isinstance(step, Write)
    assert step.outcome == Published(4)
    assert decide(state, AliasRequest(2, add=("prod",))) == (
        "alias",
        {"version": 2, "add": ["prod"], "remove": []},
    )


def test_giving_a_version_the_protected_alias_that_it_has_is_no_error(log: LogWriter) -> None:
    assert decide(log.state(), AliasRequest(1, add=("best",))) == Unchanged(1)


# --- pins ---------------------------------------------------------------------------------


def test_a_pin_is_written_once_and_replaced_by_the_same_holder(log: LogWriter) -> None:
    request = PinRequest(0, LATER, "ann")
    assert decide(log.state(), request) == (
        "pin",
        {"version": 0, "until": LATER, "holder": "ann"},
    )
    log.add("pin", version=0, until=LATER, holder="ann")
    assert decide(log.state(), request) == Unchanged(0)
    log.add("pin", version=0, until=TIME, holder="ann")
    assert [one.until for one in log.state().versions[0].pins] == [TIME]


def test_only_the_pin_of_a_holder_is_taken(log: LogWriter) -> None:
    log.add("pin", version=0, until=LATER, holder="ann")
    assert decide(log.state(), UnpinRequest(0, "ann")) == ("unpin", {"version": 0, "holder": "ann"})
    error = refusal(log.state(), UnpinRequest(0, "bob"))
    assert isinstance(error, NotFoundError)
    assert (error.code, error.context["holders"]) == ("pin-not-found", ["ann"])


@pytest.mark.parametrize("request_", [PinRequest(3, LATER, "ann"), UnpinRequest(3, "ann")])
def test_what_is_deleted_has_no_pins(log: LogWriter, request_: Request) -> None:
    assert refusal(log.state(), request_).code == "version-deleted"


def test_a_holder_is_written_like_a_name(log: LogWriter) -> None:
    refused = refusal(log.state(), PinRequest(0, LATER, "free text"))
    assert refused.code == "name-invalid"
    assert "the holder of a pin has letters" in refused.message


# --- purge ----------------------------------------------------------------------------------


def test_only_what_is_deleted_is_purged_and_only_once(log: LogWriter) -> None:
    step = evaluate(PurgeRequest(3), log.state())
    assert step == Write(("purge", {"version": 3}), Applied(3))
    log.add("purge", version=3)
    assert decide(log.state(), PurgeRequest(3)) == Unchanged(3)
    error = refusal(log.state(), PurgeRequest(2))
    assert (type(error), error.code) == (StateError, "version-not-deleted")
    assert refusal(log.state(), PurgeRequest(1)).code == "alias-protected"
    assert refusal(log.state(), PurgeRequest(7)).code == "version-not-found"


# --- prune at n-1 ---------------------------------------------------------------------------


def prune(version: int, rule: Retention | None = None, **changes: Any) -> PruneRequest:
    values: dict[str, Any] = {
        "times": dict.fromkeys(range(20), 0.0),
        "now_seconds": 1e6,
        "held": {},
    }
    return PruneRequest(version, rule, **values | changes)


def test_a_tombstone_is_written_only_if_the_rule_gives_up_the_version_in_this_state(
    log: LogWriter,
) -> None:
    state = log.state()
    one = Retention(1)
    assert decide(state, prune(0, one)) == ("delete", {"version": 0})
    assert decide(state, prune(0)) == Unchanged(0), "the collection keeps five"
    assert decide(state, prune(1, one)) == Unchanged(1)
    assert decide(state, prune(2, one)) == Unchanged(2)
    assert decide(state, prune(3, one)) == Unchanged(3)
    assert decide(state, prune(9, one)) == Unchanged(9)
    assert decide(state, prune(0, one, held={0: ("p/run",)})) == Unchanged(0)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("alias", {"add": ["mine"], "remove": []}),
        ("pin", {"until": LATER, "holder": "ann"}),
        ("delete", {}),
    ],
)
def test_what_was_decided_before_counts_no_more_once_somebody_wrote(
    log: LogWriter, kind: str, fields: dict[str, Any]
) -> None:
    decided_at = log.state().head_n
    request = prune(0, Retention(1), decided_at=decided_at)
    assert decide(log.state(), request) == ("delete", {"version": 0})
    log.add(kind, version=0, **fields)
    assert decide(log.state(), request) == Unchanged(0)


def test_a_rule_that_was_changed_meanwhile_counts(log: LogWriter) -> None:
    log.add("retention", keep_last=1)
    request = prune(0, decided_at=log.state().head_n)
    assert decide(log.state(), request) == ("delete", {"version": 0})
    log.add("retention", keep_last=3)
    assert decide(log.state(), request) == Unchanged(0)

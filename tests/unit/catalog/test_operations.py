"""The pure decisions of a commit, request by request."""

from __future__ import annotations

from typing import Any

import pytest

from artstore.catalog.fences import ContentUse
from artstore.catalog.operations import evaluate
from artstore.catalog.requests import (
    AliasRequest,
    Applied,
    CreateRequest,
    DeleteRequest,
    DescribeRequest,
    FenceRequest,
    Published,
    Request,
    RestoreRequest,
    Settled,
    TagRequest,
    Unchanged,
    Write,
)
from artstore.catalog.state import CollectionState
from artstore.errors import ArtstoreError, InvalidInputError, NotFoundError, StateError
from tests.unit.catalog.logs import LogWriter, publish, root_of

EMPTY = CollectionState("p", "c")


@pytest.fixture
def log() -> LogWriter:
    """v0, v1 (best, tagged nice), v2, v3 deleted."""
    log = LogWriter()
    log.create()
    log.publish(0)
    log.publish(1, aliases=["best"], tags=["nice"])
    log.publish(2)
    log.publish(3)
    log.add("delete", version=3)
    return log


def decide(state: CollectionState, request: Request) -> tuple[str, dict[str, Any]] | object:
    """What is written, or the outcome if nothing is."""
    step = evaluate(request, state)
    return step.body if isinstance(step, Write) else step.outcome


def refusal(state: CollectionState, request: Request) -> ArtstoreError:
    with pytest.raises(ArtstoreError) as caught:
        evaluate(request, state)
    return caught.value


def restore(version: int) -> RestoreRequest:
    return RestoreRequest(version, lambda _: ContentUse())


def test_the_first_publish_creates_the_collection_and_is_evaluated_again() -> None:
    step = evaluate(publish(1), EMPTY)
    assert step == Write(("create", {"project": "p", "name": "c", "type": "dataset"}), None)


def test_a_publish_states_the_next_number_and_needs_its_content_checked(log: LogWriter) -> None:
    step = evaluate(publish(9, aliases=("a", "b", "a")), log.state())
    assert isinstance(step, Write)
    assert step.needs_content
    assert step.outcome == Published(4)
    kind, fields = step.body
    assert (kind, fields["version"], fields["aliases"]) == ("publish", 4, ["a", "b"])
    assert fields["push"] == f"{9:016x}"


def test_an_artifact_of_another_type_is_refused(log: LogWriter) -> None:
    error = refusal(log.state(), publish(9, type="model"))
    assert isinstance(error, InvalidInputError)
    assert (error.code, error.exit_status) == ("type-mismatch", 2)


def test_the_content_of_the_newest_live_version_makes_no_version(log: LogWriter) -> None:
    request = publish(2, push="f" * 16)
    assert decide(log.state(), request) == Unchanged(2)


def test_a_deleted_twin_is_not_revived(log: LogWriter) -> None:
    step = evaluate(publish(3, push="f" * 16), log.state())
    assert isinstance(step, Write)
    assert step.outcome == Published(4)


def test_content_of_an_older_version_makes_a_new_one(log: LogWriter) -> None:
    step = evaluate(publish(0, push="f" * 16), log.state())
    assert isinstance(step, Write)
    assert step.outcome == Published(4)


def test_new_aliases_and_tags_for_the_same_content_are_entries_of_their_own(
    log: LogWriter,
) -> None:
    request = publish(2, push="f" * 16, aliases=("best", "x"), tags=("t",))
    assert decide(log.state(), request) == (
        "alias",
        {"version": 2, "add": ["best", "x"], "remove": []},
    )
    log.add("alias", version=2, add=["best", "x"], remove=[])
    assert decide(log.state(), request) == ("tag", {"version": 2, "add": ["t"], "remove": []})
    log.add("tag", version=2, add=["t"], remove=[])
    assert decide(log.state(), request) == Unchanged(2)


def test_a_push_that_is_repeated_finds_its_version(log: LogWriter) -> None:
    assert decide(log.state(), publish(1)) == Published(1, is_repeated=True)
    again = publish(1, push="f" * 16, earlier_pushes=frozenset([f"{1:016x}"]))
    assert decide(log.state(), again) == Published(1, is_repeated=True)


def test_an_earlier_attempt_counts_only_for_the_same_live_content(log: LogWriter) -> None:
    deleted = publish(3, push="f" * 16, earlier_pushes=frozenset([f"{3:016x}"]))
    edited = publish(7, push="f" * 16, earlier_pushes=frozenset([f"{1:016x}"]))
    for request in (deleted, edited):
        step = evaluate(request, log.state())
        assert isinstance(step, Write)
        assert step.outcome == Published(4)


def test_a_second_finisher_of_a_draft_gets_the_same_version(log: LogWriter) -> None:
    request = publish(9, draft="d")
    assert refusal(log.state(), request).code == "draft-not-open"
    log.add("draft_open", draft="d")
    assert isinstance(evaluate(request, log.state()), Write)
    log.publish(4, draft="d")
    assert decide(log.state(), request) == Published(4, is_repeated=True)


@pytest.mark.parametrize("alias", ["latest", "v3", "a b", "", ".hidden"])
def test_an_alias_that_is_no_name_is_refused_before_anything_is_written(alias: str) -> None:
    assert refusal(EMPTY, publish(1, aliases=(alias,))).code == "name-invalid"


def test_aliases_are_added_and_removed(log: LogWriter) -> None:
    state = log.state()
    assert decide(state, AliasRequest(0, add=("best",))) == (
        "alias",
        {"version": 0, "add": ["best"], "remove": []},
    )
    assert decide(state, AliasRequest(1, add=("best",))) == Unchanged(1)
    assert decide(state, AliasRequest(1, add=("x",), remove=("best",))) == (
        "alias",
        {"version": 1, "add": ["x"], "remove": ["best"]},
    )


def test_removing_an_alias_that_is_elsewhere_says_where(log: LogWriter) -> None:
    error = refusal(log.state(), AliasRequest(0, remove=("best",)))
    assert isinstance(error, NotFoundError)
    assert str(error) == "p/c:v0 has no alias 'best'; v1 has it"


def test_one_alias_cannot_be_added_and_removed(log: LogWriter) -> None:
    assert refusal(log.state(), AliasRequest(1, ("x",), ("x",))).code == "name-invalid"


def test_tags_are_added_and_removed(log: LogWriter) -> None:
    state = log.state()
    assert decide(state, TagRequest(1, add=("nice", "big"), remove=("gone",))) == (
        "tag",
        {"version": 1, "add": ["big"], "remove": []},
    )
    assert decide(state, TagRequest(1, add=("nice",))) == Unchanged(1)


def test_describe_names_a_meta_value(log: LogWriter) -> None:
    request = DescribeRequest(1, root_of(8))
    assert decide(log.state(), request) == ("describe", {"version": 1, "meta": root_of(8)})
    log.add("describe", version=1, meta=root_of(8))
    assert decide(log.state(), request) == Unchanged(1)


def test_what_has_an_alias_is_deleted_only_by_force(log: LogWriter) -> None:
    error = refusal(log.state(), DeleteRequest(1))
    assert isinstance(error, StateError)
    assert (error.code, error.hint) == ("version-aliased", "art rm p/c:v1 --force")
    assert decide(log.state(), DeleteRequest(1, force=True)) == ("delete", {"version": 1})


def test_latest_alone_protects_nothing(log: LogWriter) -> None:
    assert decide(log.state(), DeleteRequest(2)) == ("delete", {"version": 2})


def test_what_is_pinned_now_is_deleted_only_by_force(log: LogWriter) -> None:
    log.add("pin", version=2, until="2026-01-31T00:00:00Z", holder="old-run")
    now = "2026-02-01T00:00:00Z"
    assert decide(log.state(), DeleteRequest(2, now=now)) == ("delete", {"version": 2})
    log.add("pin", version=2, until="2026-02-02T00:00:00Z", holder="run-7")
    error = refusal(log.state(), DeleteRequest(2, now=now))
    assert error.code == "version-pinned"
    assert str(error) == "p/c:v2 is pinned by run-7 until 2026-02-02T00:00:00Z"
    assert decide(log.state(), DeleteRequest(2, force=True)) == ("delete", {"version": 2})


def test_no_pin_is_over_for_who_does_not_know_the_time_of_the_store(log: LogWriter) -> None:
    log.add("pin", version=2, until="2020-01-01T00:00:00Z", holder="old-run")
    assert refusal(log.state(), DeleteRequest(2)).code == "version-pinned"


def test_deleting_and_restoring_twice_is_no_error(log: LogWriter) -> None:
    assert decide(log.state(), DeleteRequest(3)) == Unchanged(3)
    assert decide(log.state(), restore(2)) == Unchanged(2)


def test_restore_needs_its_content_checked(log: LogWriter) -> None:
    step = evaluate(restore(3), log.state())
    assert step == Write(("restore", {"version": 3}), Applied(3), needs_content=True)


def test_what_was_purged_is_not_restored(log: LogWriter) -> None:
    log.add("purge", version=3)
    assert refusal(log.state(), restore(3)).code == "version-purged"


def test_a_fence_is_appended_once_for_each_plan_even_to_an_empty_log(log: LogWriter) -> None:
    assert decide(EMPTY, FenceRequest(3)) == ("fence", {"plan": 3})
    log.add("fence", plan=3)
    assert decide(log.state(), FenceRequest(3)) == Unchanged(None)
    assert decide(log.state(), FenceRequest(4)) == ("fence", {"plan": 4})


def test_create_is_done_once(log: LogWriter) -> None:
    assert isinstance(evaluate(CreateRequest("dataset"), EMPTY), Write)
    assert isinstance(evaluate(CreateRequest("dataset"), log.state()), Settled)
    assert refusal(log.state(), CreateRequest("model")).code == "type-mismatch"


@pytest.mark.parametrize(
    "request_of",
    [
        lambda v: AliasRequest(v, add=("x",)),
        lambda v: TagRequest(v, add=("x",)),
        lambda v: DescribeRequest(v, root_of(1)),
        DeleteRequest,
        restore,
    ],
)
def test_versions_and_collections_that_are_not_there_are_not_found(
    log: LogWriter, request_of: Any
) -> None:
    assert refusal(log.state(), request_of(9)).code == "version-not-found"
    assert refusal(EMPTY, request_of(0)).code == "collection-not-found"


@pytest.mark.parametrize(
    "request_", [AliasRequest(3, add=("x",)), TagRequest(3), DescribeRequest(3, root_of(1))]
)
def test_deleted_versions_are_not_changed(log: LogWriter, request_: Request) -> None:
    assert refusal(log.state(), request_).code == "version-deleted"

"""The choice of what goes: properties that hold for every collection and every rule."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from artstore.catalog.choosing import Verdict, choose
from artstore.catalog.retention import Retention
from artstore.catalog.state import CollectionState, Pin, Tombstone, VersionState
from artstore.clock import format_time

NOW = 1_800_000_000.0
HOUR = 3600
ALIASES = ("best", "prod-a", "prod-b", "mine")


def version(number: int, **changes: object) -> VersionState:
    values: dict[str, object] = {
        "version": number,
        "digest": f"{number:064x}",
        "root": f"manifests/00/{number}",
        "push": f"{number:016x}",
        "size_bytes": number,
        "file_count": 1,
        "entry_count": 1,
        "created": "2026-01-31T12:00:00Z",
        "by": "ann@host",
        "n": number + 1,
    }
    return VersionState(**(values | changes))  # type: ignore[arg-type]


def collection(versions: list[VersionState], protected: tuple[str, ...] = ()) -> CollectionState:
    return CollectionState(
        "p",
        "c",
        type="dataset",
        versions={one.version: one for one in versions},
        aliases={alias: one.version for one in versions for alias in one.aliases},
        protected=frozenset(protected),
    )


def chosen(state: CollectionState, rule: Retention, ages_hours: list[float], **held: object):
    times = {one.n: NOW - ages_hours[one.version] * HOUR for one in state.versions.values()}
    return choose(state, rule, times, NOW, held.get("held", {}))  # type: ignore[arg-type]


def going(verdicts: tuple[Verdict, ...]) -> set[int]:
    return {one.version for one in verdicts if one.goes}


def codes(verdicts: tuple[Verdict, ...]) -> dict[int, list[str]]:
    return {one.version: [reason.code for reason in one.reasons] for one in verdicts}


# --- examples -------------------------------------------------------------------------------


def test_each_version_is_told_every_reason() -> None:
    state = collection(
        [
            version(0, aliases=("best",)),
            version(1, aliases=("mine",), pins=(Pin("ann", format_time(NOW + 60)),)),
            version(2, pins=(Pin("bob", format_time(NOW)),)),
            version(3, ttl_seconds=HOUR),
            version(4),
            version(5, ttl_seconds=1),
        ],
        protected=("best",),
    )
    rule = Retention(2, timedelta(hours=3), ("best",))
    verdicts = chosen(state, rule, [9, 8, 7, 2, 1, 0.5], held={2: ("p/r1", "p/r2")})
    assert codes(verdicts) == {
        0: ["protected"],
        1: ["pinned"],
        2: ["in-use", "in-use"],
        3: ["ttl"],
        4: ["last", "within"],
        5: ["newest", "last", "within"],
    }
    assert going(verdicts) == {3}
    assert str(verdicts[3].reasons[0]) == "outlived its ttl of 1h"
    assert verdicts[3].age_seconds == 2 * HOUR
    assert str(verdicts[1].reasons[0]) == f"pinned by ann until {format_time(NOW + 60)}"


def test_without_a_rule_only_a_ttl_takes_anything() -> None:
    state = collection([version(0), version(1, ttl_seconds=60), version(2)])
    verdicts = chosen(state, Retention(), [9, 9, 9])
    assert codes(verdicts) == {0: ["no-rule"], 1: ["ttl"], 2: ["newest"]}
    assert going(verdicts) == {1}


def test_any_alias_keeps_unless_the_rule_names_which() -> None:
    state = collection([version(0, aliases=("mine",)), version(1, aliases=("prod-a",)), version(2)])
    assert going(chosen(state, Retention(1), [9, 9, 9])) == set()
    assert going(chosen(state, Retention(1, keep_aliases=("prod-*",)), [9, 9, 9])) == {0}
    # Patterns alone are a rule, too.
    assert going(chosen(state, Retention(keep_aliases=("best",)), [9, 9, 9])) == {0, 1}


def test_a_ttl_is_over_only_behind_its_last_second_and_not_by_a_clock_that_runs_back() -> None:
    state = collection([version(0, ttl_seconds=HOUR), version(1)])
    assert going(chosen(state, Retention(), [1, 0])) == set()
    assert going(chosen(state, Retention(), [1.001, 0])) == {0}
    assert going(chosen(state, Retention(), [-5, 0])) == set()


def test_an_entry_whose_time_nobody_told_is_young() -> None:
    state = collection([version(0, ttl_seconds=1), version(1)])
    verdicts = choose(state, Retention(keep_within=timedelta(seconds=1)), {}, NOW, {})
    assert going(verdicts) == set()


def test_what_is_deleted_is_not_told() -> None:
    gone = version(1, deleted=Tombstone(9, "2026-01-31T12:00:00Z", "ann"))
    verdicts = chosen(collection([version(0), gone]), Retention(1), [9, 9])
    assert codes(verdicts) == {0: ["newest", "last"]}
    assert choose(collection([gone]), Retention(1), {}, NOW, {}) == ()


# --- properties -----------------------------------------------------------------------------

rules = st.builds(
    Retention,
    keep_last=st.none() | st.integers(1, 6),
    keep_within=st.none() | st.integers(1, 12).map(lambda hours: timedelta(hours=hours)),
    keep_aliases=st.lists(st.sampled_from(["best", "prod-*", "nobody"]), max_size=2).map(tuple),
)


@st.composite
def collections(draw: st.DrawFn) -> tuple[CollectionState, list[float], dict[int, tuple[str, ...]]]:
    """A collection, the ages of its versions in hours, and what runs use."""
    count = draw(st.integers(1, 8))
    places = {alias: draw(st.integers(0, count * 2)) for alias in ALIASES}
    versions = []
    for number in range(count):
        pins = draw(st.lists(st.sampled_from([-HOUR, HOUR]), max_size=2))
        versions.append(
            version(
                number,
                aliases=tuple(alias for alias, place in places.items() if place == number),
                pins=tuple(Pin(f"h{i}", format_time(NOW + end)) for i, end in enumerate(pins)),
                ttl_seconds=draw(st.none() | st.integers(0, 12).map(lambda hours: hours * HOUR)),
                deleted=draw(st.none() | st.just(Tombstone(99, "2026-01-31T12:00:00Z", "ann"))),
            )
        )
    # A deleted version has neither aliases nor pins.
    versions = [one if one.is_live else replace(one, aliases=(), pins=()) for one in versions]
    protected = tuple(draw(st.sets(st.sampled_from(ALIASES))))
    ages = draw(st.lists(st.integers(-2, 12).map(float), min_size=count, max_size=count))
    held = draw(st.dictionaries(st.integers(0, count - 1), st.just(("p/run",)), max_size=3))
    return collection(versions, protected), ages, held


@given(collections(), rules)
def test_what_somebody_holds_never_goes(made, rule: Retention) -> None:
    state, ages, held = made
    gone = going(chosen(state, rule, ages, held=held))
    live = state.live
    if live:
        assert live[-1].version not in gone
    assert not gone & set(held)
    now = format_time(NOW)
    for one in live:
        if any(pin.until > now for pin in one.pins) or state.protected_aliases(one):
            assert one.version not in gone
        if one.aliases and not rule.keep_aliases:
            assert one.version not in gone
    assert gone <= {one.version for one in live}


@given(collections(), rules)
def test_what_goes_has_outlived_its_ttl_or_is_kept_by_no_rule(made, rule: Retention) -> None:
    state, ages, held = made
    verdicts = chosen(state, rule, ages, held=held)
    for one in verdicts:
        ttl = state.versions[one.version].ttl_seconds
        is_over = ttl is not None and one.age_seconds > ttl
        if one.goes:
            assert codes((one,))[one.version] == (["ttl"] if is_over else ["rule"])
            assert is_over or not rule.is_empty
        elif is_over:
            assert not {"last", "within", "no-rule"} >= set(codes((one,))[one.version])


@given(collections(), rules, st.integers(0, 3), st.integers(0, 5))
def test_a_rule_that_keeps_more_makes_nothing_go_that_stayed(
    made, rule: Retention, more: int, longer: int
) -> None:
    state, ages, held = made
    wider = replace(
        rule,
        keep_last=(rule.keep_last or 0) + more or None,
        keep_within=(rule.keep_within or timedelta(0)) + timedelta(hours=longer) or None,
        # Another pattern keeps more only where there is one: without any, every alias counts.
        keep_aliases=(*rule.keep_aliases, "mine") if rule.keep_aliases else (),
    )
    if rule.is_empty and not wider.is_empty:
        return
    narrow, wide = (going(chosen(state, one, ages, held=held)) for one in (rule, wider))
    assert wide <= narrow


@given(collections(), rules, st.randoms(use_true_random=False))
def test_the_order_in_which_versions_are_told_does_not_matter(
    made, rule: Retention, order: random.Random
) -> None:
    state, ages, held = made
    items = list(state.versions.items())
    order.shuffle(items)
    shuffled = replace(state, versions=dict(items))
    assert chosen(shuffled, rule, ages, held=held) == chosen(state, rule, ages, held=held)


@given(collections(), rules, st.data())
def test_after_any_part_of_what_goes_is_gone_the_rest_of_it_goes(
    made, rule: Retention, data: st.DataObject
) -> None:
    """A pass that was killed, and two at once, end where one would have ended."""
    state, ages, held = made
    gone = going(chosen(state, rule, ages, held=held))
    part = data.draw(st.sets(st.sampled_from(sorted(gone)))) if gone else set()
    tombstone = Tombstone(100, "2026-01-31T12:00:00Z", "ann")
    left = {
        number: replace(one, deleted=tombstone, aliases=(), pins=()) if number in part else one
        for number, one in state.versions.items()
    }
    after = collection(list(left.values()), tuple(state.protected))
    assert going(chosen(after, rule, ages, held=held)) == gone - part

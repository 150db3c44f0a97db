"""Collections under random histories: invariants, and the catalog beside a plain model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.catalog.fences import ContentUse
from artstore.catalog.requests import AliasRequest, DeleteRequest, RestoreRequest, TagRequest
from artstore.catalog.state import CollectionState
from artstore.errors import ArtstoreError, DamagedDataError
from artstore.storage.memory import MemoryStorage
from tests.unit.catalog.logs import LogWriter, catalog_of, fold_of, publish, version_fields

labels = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True)
numbers = st.integers(0, 5)
steps = st.one_of(
    st.tuples(st.just("publish"), labels),
    st.tuples(st.just("alias"), numbers, labels, labels),
    st.tuples(st.just("tag"), numbers, labels, labels),
    st.tuples(st.sampled_from(["delete", "restore", "purge"]), numbers),
    st.tuples(st.just("garbage"), st.binary(max_size=5)),
    st.tuples(st.just("fence"), numbers),
    st.tuples(st.just("wrong number"), numbers),
)


def history(drawn: list[Any]) -> LogWriter:
    log = LogWriter()
    log.create()
    highest, lost = -1, 0
    for kind, *rest in drawn:
        if kind == "publish":
            # Each piece of garbage may have been a version: its number is skipped (C2).
            highest += 1 + lost
            lost = 0
            log.publish(highest, aliases=rest[0])
        elif kind in {"alias", "tag"}:
            log.add(kind, version=rest[0], add=rest[1], remove=rest[2])
        elif kind == "garbage":
            log.add_raw(rest[0])
            lost += 1
        elif kind == "fence":
            log.add("fence", plan=rest[0])
        elif kind == "wrong number":
            log.add("publish", **version_fields(highest + lost + 2 + rest[0]))
        else:
            log.add(kind, version=rest[0])
    return log


def numbers_of(drawn: list[Any]) -> tuple[list[int], int]:
    """The numbers that versions get, and how many may have been lost behind the last of them."""
    found: list[int] = []
    lost = 0
    for kind, *_ in drawn:
        if kind == "publish":
            found.append(max(found, default=-1) + 1 + lost)
            lost = 0
        lost += kind == "garbage"
    return found, lost


@given(drawn=st.lists(steps, max_size=25))
def test_every_state_is_consistent(drawn: list[Any]) -> None:
    log = history(drawn)
    state = log.state()
    numbers_given, lost = numbers_of(drawn)
    assert list(state.versions) == numbers_given
    assert state.highest == max(numbers_given, default=-1) + lost
    assert state.damage is None
    assert state.is_in_doubt == (lost > 0)
    held = {alias: v.version for v in state.versions.values() for alias in v.aliases}
    assert held == dict(state.aliases)
    assert all(state.versions[number].is_live for number in held.values())
    live = [v.version for v in state.versions.values() if v.is_live]
    assert (state.latest.version if state.latest else None) == max(live, default=None)
    assert state.head_n == log.n - 1
    assert state.head_digest == log.head_digest


@given(drawn=st.lists(steps, max_size=15))
def test_a_log_read_at_once_in_steps_or_from_the_replica_gives_one_state(drawn: list[Any]) -> None:
    log = history(drawn)
    state = CollectionState("p", "c")
    void = set()
    for raw in log.raws:
        after = state.apply(raw)
        if len(after.warnings) > len(state.warnings):
            void.add(raw.n)
        state = after
    assert state == log.state()
    known = [replace(raw, is_sound=raw.n not in void) for raw in log.raws]
    assert fold_of(known) == state


@given(drawn=st.lists(steps, max_size=15), at=st.integers(0, 15), bit=st.integers(0, 10**6))
def test_no_flipped_bit_lets_an_older_version_be_taken_for_the_newest(
    drawn: list[Any], at: int, bit: int
) -> None:
    # A version of a wrong number was void because of what stood before it: that is lost now.
    log = history([step for step in drawn if step[0] != "wrong number"])
    before = log.state()
    n = at % log.n
    data = log.raws[n].data
    # Garbage tells nothing of the entry before it, nor has empty garbage a bit.
    if not data or (n + 1 < log.n and n + 1 in before.damaged):
        return
    log.damage(n, bit % (8 * len(data)))
    state = log.state()
    assert state.is_in_doubt
    assert n in state.damaged
    for version in state.versions.values():
        assert version.digest == before.versions[version.version].digest
    for number in before.versions.keys() - state.versions.keys():
        with pytest.raises(DamagedDataError):
            state.resolve(version=number)
    with pytest.raises(DamagedDataError):
        state.resolve()


requests = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(1, 4), labels, labels),
        st.tuples(st.just("alias"), numbers, labels, labels),
        st.tuples(st.just("tag"), numbers, labels, labels),
        st.tuples(st.just("delete"), numbers, st.booleans()),
        st.tuples(st.just("restore"), numbers),
    ),
    max_size=20,
)


class Model:
    """What a person would expect of a collection: a list, and names on it."""

    def __init__(self) -> None:
        self.contents: list[int] = []
        self.deleted: set[int] = set()
        self.aliases: dict[str, int] = {}
        self.tags: dict[int, set[str]] = {}

    def is_live(self, number: int) -> bool:
        return number < len(self.contents) and number not in self.deleted

    def push(self, content: int, aliases: list[str], tags: list[str]) -> bool:
        live = [number for number in range(len(self.contents)) if self.is_live(number)]
        if not live or self.contents[live[-1]] != content:
            self.contents.append(content)
            live.append(len(self.contents) - 1)
        self.aliases |= dict.fromkeys(aliases, live[-1])
        self.tags.setdefault(live[-1], set()).update(tags)
        return True

    def alias(self, number: int, add: list[str], remove: list[str]) -> bool:
        here = {alias for alias, at in self.aliases.items() if at == number}
        if not self.is_live(number) or set(add) & set(remove) or set(remove) - here:
            return False
        for alias in remove:
            del self.aliases[alias]
        self.aliases |= dict.fromkeys(add, number)
        return True

    def tag(self, number: int, add: list[str], remove: list[str]) -> bool:
        if not self.is_live(number) or set(add) & set(remove):
            return False
        held = self.tags.setdefault(number, set())
        held |= set(add)
        held -= set(remove)
        return True

    def delete(self, number: int, force: bool) -> bool:
        if number >= len(self.contents):
            return False
        if number in self.deleted:
            return True
        if number in self.aliases.values() and not force:
            return False
        self.deleted.add(number)
        self.aliases = {alias: at for alias, at in self.aliases.items() if at != number}
        return True

    def restore(self, number: int) -> bool:
        self.deleted.discard(number)
        return number < len(self.contents)


@given(drawn=requests)
def test_two_machines_and_a_plain_model_agree(drawn: list[Any]) -> None:
    storage = MemoryStorage()
    machines = [catalog_of(storage), catalog_of(storage)]
    model = Model()
    for i, (kind, *rest) in enumerate(drawn):
        request: Any
        if kind == "push":
            content, aliases, tags = rest
            request = publish(content, push=f"{i:016x}", aliases=tuple(aliases), tags=tuple(tags))
        elif kind == "alias":
            request = AliasRequest(rest[0], tuple(rest[1]), tuple(rest[2]))
        elif kind == "tag":
            request = TagRequest(rest[0], tuple(rest[1]), tuple(rest[2]))
        elif kind == "delete":
            request = DeleteRequest(*rest)
        else:
            request = RestoreRequest(rest[0], lambda _: ContentUse())
        try:
            machines[i % 2].commit("p", "c", request)
            accepted = True
        except ArtstoreError:
            accepted = False
        assert accepted == getattr(model, kind)(*rest)
    for machine in (*machines, catalog_of(storage)):
        state = machine.damaged_state("p", "c")
        assert [int(v.digest, 16) for v in state.versions.values()] == model.contents
        assert {v.version for v in state.versions.values() if not v.is_live} == model.deleted
        assert dict(state.aliases) == model.aliases
        for version in state.live:
            assert set(version.tags) == model.tags.get(version.version, set())
        assert state.warnings == ()

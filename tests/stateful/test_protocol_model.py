"""
The protocol of commit and gc as an explicit-state model: every interleaving is visited.

Writers, people who delete, and collectors work on a small store. Each of them does one request
at a time and may stall for ever, or die, between any two. In no state may a live version lack a
chunk. A mutant leaves one step of the protocol out, and each must be caught: a model that
cannot fail proves nothing. docs/explanation/garbage-collection.md tells what each one shows.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.stateful.protocol.scenes import LARGE_SCENES, MUTANTS, SCENES
from tests.stateful.protocol.search import Found
from tests.stateful.protocol.worlds import explore_scene

FEWEST_STATES = {
    "a writer of a log and one of a new log": 31_500,
    "two writers of a new log": 26_370,
    "two writers of a log": 5_120,
    "a writer stalls over two plans": 660,
    "content of its own version": 490,
    "a link": 610,
    "a link in a new log": 1_510,
    "content of a version of another log": 470,
    "a restore": 740,
    "a restore beside a push": 22_230,
    "a restore inside the window": 430,
    "published and deleted before the fence": 470,
    "collectors with windows of their own": 6_420,
    "a long push": 1_930,
    "a long first push": 8_690,
    "a description": 1_470,
    "a list that is trimmed": 530,
    "a list that is lost": 9_930,
    "a list that is lost, a new log": 35_580,
    "a list that is lost, a restore": 6_110,
    "parts of a draft": 17_300,
    "a part that comes late": 18_540,
    "a draft that stays open": 370,
    "a copy put back, logs first": 2_050,
    "a copy put back, log of gc first": 20_740,
    "a repack beside a push": 320,
    "a repack beside a push, two collectors": 75_110,
    "a repack beside a restore": 2_000,
    "a repack beside a link": 3_800,
    "a repack beside another log": 2_340,
    "a repack beside its own log": 4_360,
    "a purge": 10_740,
    "a record that comes late": 73_410,
    "a record that comes late, a push": 210_190,
    "a pack of a repack is repacked": 510,
    "moved content of another log": 320,
    "a link to moved content": 450,
    "moved content is restored": 130,
    "moved twice, restored": 3_340,
    "moved twice, another log": 4_810,
    "moved beside what lives": 440,
}
"""A model that visits nothing finds nothing: nine tenths of what each scene had."""


def told(found: Found) -> str:
    """What happened, a line a step: what each step made different."""
    lines = [found.complaint, str(found.trace[0])]
    for before, after in zip(found.trace, found.trace[1:], strict=False):
        changes = [
            f"{name}: {_new(old, new)}"
            for name, old, new in zip(after._fields, before, after, strict=True)
            if old != new
        ]
        lines.append("; ".join(changes))
    return "\n".join(lines)


def _new(old: Any, new: Any) -> Any:
    if isinstance(new, frozenset):
        return f"+{sorted(new - old)} -{sorted(old - new)}"
    return [item for item in new if item not in old] if isinstance(new, tuple) else new


@pytest.mark.parametrize("scene", SCENES)
def test_no_interleaving_loses_what_is_live(scene: str) -> None:
    found = explore_scene(SCENES[scene])
    assert not found.complaint, told(found)
    assert found.count >= FEWEST_STATES[scene]


@pytest.mark.nightly
@pytest.mark.parametrize("scene", LARGE_SCENES)
def test_no_interleaving_of_many_loses_what_is_live(scene: str) -> None:
    found = explore_scene(LARGE_SCENES[scene])
    assert not found.complaint, told(found)
    assert found.count >= 50_000


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_protocol_that_lacks_one_step_is_caught(mutant: str) -> None:
    assert explore_scene(SCENES[MUTANTS[mutant]], mutant).complaint

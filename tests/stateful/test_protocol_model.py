"""
The protocol of commit and gc as an explicit-state model: every interleaving is visited.

Writers, people who delete, and collectors work on a small store. Each of them does one request
at a time and may stall for ever, or die, between any two. In no state may a live version lack a
chunk. A mutant leaves one step of the protocol out, and each must be caught: a model that
cannot fail proves nothing. docs/explanation/garbage-collection.md tells what each one shows.
"""

from __future__ import annotations

from itertools import starmap
from typing import Any

import pytest

from tests.stateful.protocol.scenes import LARGE_SCENES, MUTANTS, SCENES
from tests.stateful.protocol.search import Found
from tests.stateful.protocol.worlds import explore_scene

FEWEST_STATES = {name: 100 for name in SCENES}


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


@pytest.mark.parametrize(("mutant", "scene"), starmap(lambda *pair: pair, MUTANTS.items()))
def test_a_protocol_that_lacks_one_step_is_caught(mutant: str, scene: str) -> None:
    found = explore_scene(SCENES[scene], mutant)
    assert found.complaint

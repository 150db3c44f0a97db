"""
A query that needs more memory than it may take is refused, and the next one is answered.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from artstore.errors import LimitExceededError
from artstore.tables import engine as engines
from artstore.tables.engine import engine
from artstore.tables.enginelimits import EngineLimits, check_memory, limited_engine
from artstore.tables.exploring import ComparedTables, CompareKey, ExploredTable, Selection, SortKey
from artstore.tables.exploring.tickets import Ticket, interruptible
from artstore.tables.table import Table
from tests.unit.tables.shelf import Shelf

SMALL = EngineLimits(48 << 20)


@pytest.fixture
def wide(tmp_path: Path) -> Table:
    """100,000 different texts of 900 characters."""
    rng = random.Random(7)
    ends = [rng.randbytes(450).hex() for _ in range(1000)]
    texts = [f"{n}{ends[n % 1000]}" for n in range(100_000)]
    return Shelf(tmp_path).put(Table(data={"text": texts, "n": np.arange(100_000)}))


@pytest.fixture(autouse=True)
def engines_of_a_test() -> Iterator[None]:
    """Engines with limits go with the test, and what they keep in memory."""
    yield
    for key in list(engines._engines):
        if key[1].memory_bytes is not None:
            del engines._engines[key]


def refused(explored: ExploredTable, **asked: Selection) -> LimitExceededError:
    with pytest.raises(LimitExceededError) as error:
        explored.groups(asked.get("selection", Selection()), ["text"], columns=["n"])
    return error.value


def test_groups_by_many_wide_texts_are_refused_and_the_next_query_is_answered(
    wide: Table,
) -> None:
    explored = ExploredTable(wide)
    with limited_engine(SMALL):
        error = refused(explored)
        assert error.code == "query-too-large"
        assert "48 MiB" in error.message
        assert explored.window(count=2).numbers == [0, 1]
        assert explored.count(Selection(("n < 10",))).matching == 10
        assert refused(explored).code == "query-too-large"


def test_a_program_of_its_own_has_the_memory_that_a_page_has_not(wide: Table) -> None:
    with limited_engine(SMALL):
        limited = engine()
        assert engine() is limited
    assert engine() is not limited
    groups = ExploredTable(wide).groups(Selection(), ["text"], count=1)
    assert groups.total == 100_000
    # And nothing is written beside a program whose query is large.
    limit, directory = limited.run(
        "SELECT current_setting('memory_limit'), current_setting('temp_directory')"
    ).fetchone()
    assert (limit, directory) == ("48.0 MiB", "")


def test_texts_of_a_computed_column_are_counted_before_they_are_kept(wide: Table) -> None:
    # Each is sixteen times as long as the text it is made of.
    longer = Selection(
        computed=(("four", " || ".join(["text"] * 4)), ("long", " || ".join(["four"] * 4)))
    )
    explored = ExploredTable(wide)
    with limited_engine(SMALL):
        with pytest.raises(LimitExceededError) as error:
            explored.whole_rows(np.arange(0, 8000, 2), ["long"], longer)
        assert error.value.code == "query-too-large", error.value.message
        # What a page shows of it is cut inside the engine.
        assert explored.window(longer, 0, 5, ["long"]).lengths["long"][0] is not None


def test_what_is_made_outside_of_the_engine_is_refused_before(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    table = shelf.put(Table(data={"id": np.arange(300_000), "x": np.arange(300_000) % 7}))
    other = shelf.put(Table(data={"id": np.arange(300_000), "x": np.arange(300_000) % 5}))
    with limited_engine(EngineLimits(12 << 20)):
        with pytest.raises(LimitExceededError, match="12 MiB") as error:
            ExploredTable(ComparedTables([table, other], CompareKey("columns", ("id",)))).count()
        assert error.value.code == "query-too-large"
        check_memory(12 << 20)
        with pytest.raises(LimitExceededError):
            check_memory((12 << 20) + 1)
    explored = ExploredTable(table)
    with limited_engine(EngineLimits(3 << 20)), pytest.raises(LimitExceededError) as error:
        explored.window(Selection(sort=(SortKey("x"), SortKey("id"))))
    assert error.value.code == "query-too-large"


def test_no_memory_for_numbers_is_told_as_a_query_that_is_too_large() -> None:
    with pytest.raises(LimitExceededError) as error, limited_engine(EngineLimits()):
        raise MemoryError
    assert error.value.code == "query-too-large"


def test_a_ticket_brings_its_limits_into_another_block() -> None:
    with limited_engine(SMALL):
        ticket = Ticket()
        limited = engine()
    with interruptible(ticket):
        assert engine() is limited
    assert engine() is not limited

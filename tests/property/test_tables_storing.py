"""
A table beside a plain list of rows: edited, stored after each edit, read back in every way.

Nobody tells the store what was edited. Fragments are made small here, so that a few
hundred rows are many of them.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from artstore.tables import building, storing
from artstore.tables.engine import ROW, engine
from artstore.tables.table import Table
from artstore.tables.tablefile import table_digest
from tests.conftest import PROFILE
from tests.property.tablecells import plain
from tests.unit.tables.shelf import Shelf

NAMES = ["n", "text", "any"]
Row = tuple[Any, ...]

VALUES = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.sampled_from(
        [0.5, float("nan"), -0.0, 2**60, 2**63, "text", [1], ["a"], {"x": 1}, {"y": []}]
    ),
)


def digest_of_built(table: Table) -> bytes:
    built = table.built()
    return table_digest(built.schema, {}, built.leaves())


def rows_from(seed: int, count: int, value: Any = None) -> list[Row]:
    """Rows of 9 bytes to 3 KB; the same for the same numbers."""
    return [(seed + at, f"{seed + at:06}" * (37 * (seed + at) % 500), value) for at in range(count)]


class TableMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="tables-"))
        self.shelf = Shelf(self.directory)
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(building, "_FRAGMENT_BYTES", 40_000)
        self.patch.setattr(storing, "_REWRITTEN_ROWS", 60)
        self.rows: list[Row] = []
        self.stored: Table | None = None
        self.appended: list[Row] = []

    def teardown(self) -> None:
        self.patch.undo()
        shutil.rmtree(self.directory)

    @initialize(seed=st.integers(0, 9), count=st.sampled_from([0, 1, 30, 300]))
    def begin(self, seed: int, count: int) -> None:
        self.rows = rows_from(1000 * seed, count)
        self.store()

    def span(self, data: st.DataObject, most: int) -> tuple[int, int]:
        start = data.draw(st.integers(0, len(self.rows)))
        return start, min(start + data.draw(st.integers(0, most)), len(self.rows))

    @rule(data=st.data(), seed=st.integers(0, 9), count=st.sampled_from([1, 7, 90]))
    def insert(self, data: st.DataObject, seed: int, count: int) -> None:
        at = data.draw(st.integers(0, len(self.rows)))
        self.rows[at:at] = rows_from(100 * seed, count)
        self.store()

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        start, stop = self.span(data, 120)
        del self.rows[start:stop]
        self.store()

    @rule(data=st.data(), value=VALUES)
    def change(self, data: st.DataObject, value: Any) -> None:
        start, stop = self.span(data, 5)
        self.rows[start:stop] = [(n, text, value) for n, text, _ in self.rows[start:stop]]
        self.store()

    @rule(data=st.data())
    def move_a_block(self, data: st.DataObject) -> None:
        start, stop = self.span(data, 150)
        block = self.rows[start:stop]
        del self.rows[start:stop]
        at = data.draw(st.integers(0, len(self.rows)))
        self.rows[at:at] = block
        self.store()

    @rule(data=st.data(), times=st.integers(1, 3))
    def repeat_a_block(self, data: st.DataObject, times: int) -> None:
        start, stop = self.span(data, 150)
        if len(self.rows) < 1000:
            self.rows += self.rows[start:stop] * times
        self.store()

    @rule(count=st.sampled_from([3, 60, 400]), value=VALUES)
    def make_all_rows_equal(self, count: int, value: Any) -> None:
        self.rows = [(1, "the same " * 30, value)] * count
        self.store()

    @rule(seed=st.integers(0, 9), count=st.sampled_from([1, 20, 120]), value=VALUES)
    def append_to_what_is_stored(self, seed: int, count: int, value: Any) -> None:
        assert self.stored is not None
        table, parent = self.shelf.get(self.stored.stored), self.stored
        added = rows_from(5000 * seed, count, value)
        for row in added:
            table.add_data(*row)
        self.rows += added
        self.stored = self.shelf.put(table, parent)

    @rule()
    def store_what_is_stored(self) -> None:
        """Also into a place that has no version before."""
        assert self.stored is not None
        for parent in (self.stored, None):
            self.stored = self.shelf.put(self.stored, parent)
            assert self.shelf.last_bytes == 0

    @rule()
    def store_without_a_version_before(self) -> None:
        self.stored = None
        self.store()

    @rule()
    def go_back_to_no_rows(self) -> None:
        self.rows = []
        self.store()

    def store(self) -> None:
        fresh = self.fresh()
        self.stored = self.shelf.put(fresh, self.stored)
        assert self.stored.stored.digest() == digest_of_built(fresh)

    def fresh(self) -> Table:
        table = Table(NAMES)
        for row in self.rows:
            table.add_data(*row)
        return table

    @invariant()
    def its_rows_are_those_of_the_model(self) -> None:
        if self.stored is None:
            return
        found = self.stored.data
        assert len(found) == len(self.rows)
        expected = [list(map(plain, row)) for row in self.rows]
        assert [list(map(plain, row)) for row in found] == expected

    @invariant()
    def its_leaves_are_those_of_a_fresh_build(self) -> None:
        if self.stored is not None:
            fresh = self.fresh()
            assert self.stored.stored.leaves == fresh.built().leaves()
            if self.stored.schema == fresh.schema:
                # A stored table stays as wide as it was when its wide cells are gone.
                assert self.stored.stored.digest() == digest_of_built(fresh)

    @invariant()
    def the_engine_has_its_rows(self) -> None:
        if self.stored is None:
            return
        view = engine().view(self.stored)
        expected = self.stored.to_arrow()
        plainly = engine().run(f"SELECT * FROM {view}").to_arrow_table()
        numbered = engine().run(f"SELECT * FROM {view}_rows ORDER BY {ROW}").to_arrow_table()
        assert numbered.column(ROW).to_pylist() == list(range(len(self.rows)))
        in_order = shown(numbered.drop_columns([ROW]))
        assert in_order == shown(expected)
        assert sorted(shown(plainly)) == sorted(in_order)


def shown(rows: Any) -> list[str]:
    """Rows of Arrow; DuckDB 1.5 takes the sign of a 0 in a struct away where it sorts."""
    return [repr(row).replace("-0.0", "0.0") for row in rows.to_pylist()]


TableMachine.TestCase.settings = settings(
    max_examples={"dev": 12, "ci": 40}.get(PROFILE, 400),
    stateful_step_count=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestTable = TableMachine.TestCase

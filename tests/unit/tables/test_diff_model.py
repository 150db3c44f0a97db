"""Diffs of random tables are those of a plain comparison in Python, whatever is not read."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.tables import building, cutting
from artstore.tables.diffs import TableDiff, diff_tables, remainders
from artstore.tables.table import Table

NAMES = ("id", "part", "a", "b", "c")

NUMBERS = st.sampled_from([0, 1, 2, 3.0, 0.0, -0.0, 0.5, float("nan"), float("inf"), None, 2**53])
TEXTS = st.sampled_from(["", "x", "y", "long " * 9, None])
NESTED = st.sampled_from(
    [None, [], [1], [1, 2.0], [None], {"k": 1}, {"k": None}, {"k": 1, "m": "x"}]
)
MIXED = st.one_of(NUMBERS, TEXTS, st.booleans(), st.just(b"x"))


@pytest.fixture(autouse=True)
def tiny_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows a leaf, a few leaves a fragment, and as little read as can be."""
    monkeypatch.setattr(cutting, "LEAF_BYTES", 256)
    monkeypatch.setattr(cutting, "LEAF_MAX_BYTES", 2048)
    monkeypatch.setattr(building, "_FRAGMENT_BYTES", 1024)
    monkeypatch.setattr(building, "_FRAGMENT_MAX_BYTES", 1024)
    monkeypatch.setattr(remainders, "_SPARED_MOST", 1.0)
    monkeypatch.setattr(remainders, "_BATCH_FRAGMENTS", 2)


def token(cell: Any) -> Any:
    """Equal for cells that are the same."""
    if isinstance(cell, bool) or cell is None or isinstance(cell, (str, bytes)):
        return type(cell).__name__, cell
    if isinstance(cell, list):
        return "list", tuple(map(token, cell))
    if isinstance(cell, dict):
        members = sorted((name, token(part)) for name, part in cell.items() if part is not None)
        return "struct", tuple(members)
    if math.isnan(cell):
        return ("nan",)
    if cell == math.floor(cell) if math.isfinite(cell) else False:
        return ("minus zero",) if cell == 0 and math.copysign(1, cell) < 0 else ("int", int(cell))
    return "float", float(cell)


def tokens(row: list[Any]) -> tuple[Any, ...]:
    return tuple(map(token, row))


def expected(
    old: list[list[Any]], new: list[list[Any]], key: list[int]
) -> tuple[Counter[Any], Counter[Any], Counter[Any]]:
    """Removed and added rows, and pairs that changed, as bags of tokens."""
    sides = Counter(map(tokens, old)), Counter(map(tokens, new))
    left = sides[0] - sides[1], sides[1] - sides[0]
    changed: Counter[Any] = Counter()
    keys = {tuple(row[at] for at in key) for side in left for row in side}
    for one in keys:
        if any(part == ("NoneType", None) for part in one):
            continue
        found = [
            [row for row in side.elements() if tuple(row[at] for at in key) == one] for side in left
        ]
        if [len(rows) for rows in found] == [1, 1]:
            changed[found[0][0], found[1][0]] += 1
            left[0][found[0][0]] -= 1
            left[1][found[1][0]] -= 1
    return +left[0], +left[1], changed


def read_rows(table: Table, numbers: Any) -> Counter[Any]:
    rows = list(table.data)
    return Counter(tokens(rows[at]) for at in numbers.tolist())


def check(old: list[list[Any]], new: list[list[Any]], key: list[int]) -> TableDiff:
    tables = [Table(list(NAMES), data=rows) for rows in (old, new)]
    names = [NAMES[at] for at in key]
    diff = diff_tables(tables[0], tables[1], names)
    removed, added, changed = expected(old, new, key)
    assert read_rows(tables[0], diff.rows.removed) == removed
    assert read_rows(tables[1], diff.rows.added) == added
    found: Counter[Any] = Counter()
    cells: Counter[str] = Counter()
    data = [list(table.data) for table in tables]
    for change in diff.changes():
        pair = tokens(data[0][change.old_row]), tokens(data[1][change.new_row])
        found[pair] += 1
        differs = [name for at, name in enumerate(NAMES) if pair[0][at] != pair[1][at]]
        assert list(change.cells) == differs
        cells.update(differs)
    assert found == changed
    assert diff.cells == dict(cells)
    assert diff.unchanged == len(old) - diff.removed - diff.changed
    assert diff.unchanged == len(new) - diff.added - diff.changed
    return diff


@st.composite
def edited(draw: st.DrawFn) -> tuple[list[list[Any]], list[list[Any]]]:
    """Rows, and the same after some edits."""
    count = draw(st.integers(0, 120))
    seed = draw(st.lists(st.tuples(NUMBERS, TEXTS, NESTED), min_size=1, max_size=4))
    old = [[at, f"p{at % 3}", *seed[at % len(seed)]] for at in range(count)]
    new = [list(row) for row in old]
    for edit in draw(st.lists(EDITS, max_size=8)):
        apply(new, edit)
    return old, new


EDITS = st.tuples(
    st.sampled_from(["cell", "key", "drop", "insert", "move", "twice"]),
    st.integers(0, 200),
    st.integers(0, 4),
    MIXED,
)


def apply(rows: list[list[Any]], edit: tuple[str, int, int, Any]) -> None:
    what, number, column, value = edit
    at = number % len(rows) if rows else 0
    if what == "insert" or not rows:
        rows.insert(at, [1000 + number, "p0", value, None, None])
    elif what == "drop":
        del rows[at]
    elif what == "move":
        rows.append(rows.pop(at))
    elif what == "twice":
        rows.insert(at, list(rows[at]))
    else:
        rows[at][column if what == "cell" else 0] = value


@given(edited())
def test_edits_are_found_by_one_column(rows: tuple[list[list[Any]], list[list[Any]]]) -> None:
    check(*rows, [0])


@given(edited())
def test_edits_are_found_by_two_columns(rows: tuple[list[list[Any]], list[list[Any]]]) -> None:
    check(rows[1], rows[0], [1, 0])


def few_rows() -> st.SearchStrategy[list[list[Any]]]:
    row = st.tuples(st.sampled_from([0, 1, 2.0, None, "x"]), TEXTS, MIXED, TEXTS, NESTED)
    return st.lists(row.map(list), max_size=12)


@given(few_rows(), few_rows())
def test_any_tables_with_keys_that_many_rows_share(
    old: list[list[Any]], new: list[list[Any]]
) -> None:
    check(old, new, [0])


BLOCKS = ([0], [10, 11, 12], list(range(0, 300, 30)), list(range(300)))


@pytest.mark.parametrize("changed", BLOCKS)
@pytest.mark.parametrize("column", [2, 3, 4])
def test_changes_of_one_column_anywhere(changed: list[int], column: int) -> None:
    old = [[at, f"p{at}", at / 7, f"text {at}", [at]] for at in range(300)]
    new = [list(row) for row in old]
    for at in changed:
        new[at][column] = {2: -1.5, 3: "other", 4: [at, at]}[column]
    diff = check(old, new, [0])
    assert diff.cells == {NAMES[column]: len(changed)}

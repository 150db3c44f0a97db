"""
Joined tables beside a join of two lists in Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.tables.engine import engine
from artstore.tables.joined import HOWS, JoinedTable
from artstore.tables.table import Table
from tests.unit.tables.fewer import FEWER

KEYS = {
    "int": st.none() | st.integers(-3, 3) | st.sampled_from([2**53, -(2**53)]),
    "int and float": st.none()
    | st.sampled_from([0, 1, 2, 0.0, -0.0, 1.0, 0.5, float("nan"), 2**53]),
    "text": st.none() | st.sampled_from(["", "a", "A", "b", "é"]),
    "bool": st.none() | st.booleans(),
}


@st.composite
def sides(draw: st.DrawFn) -> tuple[list[Any], list[Any], int]:
    """Rows of two tables that begin with n key columns, and n."""
    kinds = draw(st.lists(st.sampled_from(sorted(KEYS)), min_size=1, max_size=2))
    keys = st.tuples(*(KEYS[kind] for kind in kinds))
    left, right = (draw(st.lists(keys, max_size=8)) for _ in range(2))
    return (
        [[*key, f"l{at}"] for at, key in enumerate(left)],
        [[*key, f"r{at}"] for at, key in enumerate(right)],
        len(kinds),
    )


def equal(one: Any, two: Any) -> bool:
    return one is not None and bool(one == two)


def pairs(left: list[Any], right: list[Any], keys: int, how: str) -> Iterator[tuple[Any, Any]]:
    """The rows that belong together, in the order that is promised."""
    found = set()
    for row in left:
        partners = [other for other in right if all(map(equal, row[:keys], other[:keys]))]
        found.update(map(id, partners))
        if how == "anti":
            if not partners:
                yield row, None
            continue
        for partner in partners:
            yield row, partner
        if not partners and how != "inner":
            yield row, None
    if how == "outer":
        for row in right:
            if id(row) not in found:
                yield None, row


def table_of(rows: list[Any], names: list[str]) -> Table:
    table = Table(names)
    for row in rows:
        table.add_data(*row)
    return table


@pytest.mark.parametrize("how", HOWS)
@FEWER
@given(sides())
def test_rows_are_those_of_a_join_in_python_and_in_its_order(
    how: str, drawn: tuple[list[Any], list[Any], int]
) -> None:
    left, right, keys = drawn
    names = [f"k{at}" for at in range(keys)]
    joined = JoinedTable(
        table_of(left, [*names, "v"]),
        table_of(right, [*names, "v"]),
        [(n, n) for n in names],
        how=how,
    )
    expected = list(pairs(left, right, keys, how))
    cells = []
    for one, two in expected:
        key = one if one is not None else two
        told = [*key[:keys], one and one[keys]]
        cells.append(told if how == "anti" else [*told, two and two[keys]])
    assert list(map(repr, joined.data)) == list(
        map(repr, map(as_kept, cells, [joined] * len(cells)))
    )
    check_counts(joined, left, right, expected)
    named = sorted(map(repr, joined.query().to_pyarrow().to_pylist()))
    assert named == sorted(map(repr, joined.to_arrow().to_pylist()))


def as_kept(cells: list[Any], joined: JoinedTable) -> list[Any]:
    """Whole numbers beside fractions come back as floats."""
    floats = [str(kind) == "float64" for kind in joined.schema.types]
    return [
        float(cell) if is_float and cell is not None else cell
        for cell, is_float in zip(cells, floats, strict=True)
    ]


def check_counts(joined: JoinedTable, left: list[Any], right: list[Any], expected: Any) -> None:
    counts = joined.counts
    matched = list(pairs(left, right, len(joined.on), "inner"))
    lefts, rights = ({id(pair[side]) for pair in matched} for side in (0, 1))
    assert counts.rows == joined.row_count == len(expected)
    assert (counts.left_matched, counts.left_missing) == (len(lefts), len(left) - len(lefts))
    assert (counts.right_matched, counts.right_missing) == (len(rights), len(right) - len(rights))


@pytest.mark.parametrize("how", HOWS)
def test_rows_and_their_order_are_the_same_with_any_number_of_threads(how: str) -> None:
    left = Table(data={"id": [n * 7919 % 5003 for n in range(30_000)], "l": list(range(30_000))})
    right = Table(
        data={"id": [n * 104_729 % 4001 for n in range(20_000)], "r": list(range(20_000))}
    )
    found = []
    for threads in (1, 16):
        engine().run(f"SET threads = {threads}")
        try:
            joined = JoinedTable(left, right, "id", how=how)
            found.append((joined.to_arrow(), joined.counts))
        finally:
            engine().run("RESET threads")
    assert found[0][0].equals(found[1][0])
    assert found[0][1] == found[1][1]
    assert found[0][0].num_rows > 1000

"""Which column a name stands for: of one table, of two, of a join's."""

from __future__ import annotations

import subprocess
import sys

import ibis
import pyarrow as pa
import pytest

from artstore.errors import InvalidInputError
from artstore.tables.expressions import Scope, parse_aggregate, parse_condition, parse_value
from tests.unit.tables.expressions.evaluating import connection, values


def tables() -> tuple[ibis.Table, ibis.Table]:
    first = pa.table({"id": [1, 2], "road": [0.1, 0.9], "guess": [3, 4]})
    second = pa.table({"key": [1, 2], "road": [0.1, 0.8], "label": [3, 5]})
    return ibis.memtable(first), ibis.memtable(second)


def joined() -> tuple[ibis.Table, Scope]:
    """Two tables of which one table of Ibis has the columns, under other names."""
    first, second = tables()
    both = first.rename("left_{name}").join(
        second.rename("right_{name}"), [("left_id", "right_key")]
    )
    sides = [
        {name: both[f"{side}_{name}"] for name in table.columns}
        for side, table in (("left", first), ("right", second))
    ]
    return both, Scope(sides)


def rows(text: str) -> list[object]:
    _, scope = joined()
    found: list[object] = connection().to_pyarrow(parse_value(text, scope)).to_pylist()
    return found


def test_names_of_either_table_need_no_table() -> None:
    assert sorted(map(str, rows("guess = label"))) == ["False", "True"]


@pytest.mark.parametrize(
    "text",
    [
        "{$gt: ['$0.road', '$1.road']}",
        "{$gt: [$0.road, $1.road]}",
        "t0.road > t1.road",
        '"0".road > "1".road',
        "{$expr: {$gt: ['$0.road', '$1.road']}}",
    ],
)
def test_a_table_is_named_by_its_number(text: str) -> None:
    both, scope = joined()
    found = connection().to_pyarrow(both.filter(parse_condition(text, scope)).left_id)
    assert found.to_pylist() == [2]


def test_a_column_that_is_called_like_a_table_is_the_column() -> None:
    table = ibis.memtable(pa.table({"t0": [{"road": 7}], "0": [{"road": 8}], "road": [9]}))
    found = [
        connection().to_pyarrow(parse_value(text, Scope.of(table))).to_pylist()
        for text in ("t0.road", '"0".road', '"0"."0".road')
    ]
    assert found == [[7], [9], [8]]


def test_a_name_that_two_tables_have_is_ambiguous() -> None:
    with pytest.raises(InvalidInputError) as caught:
        rows("guess > 1 AND road > 0.5")
    assert caught.value.code == "column-ambiguous"
    assert caught.value.context["position"] == 14
    assert "$0.road" in str(caught.value.hint)


def test_one_column_in_both_tables_is_not_ambiguous() -> None:
    table = ibis.memtable(pa.table({"id": [1, 2]}))
    scope = Scope([{"id": table.id}, {"id": table.id}])
    assert connection().to_pyarrow(parse_value("id", scope)).to_pylist() == [1, 2]


def test_two_tables_give_the_condition_of_a_join() -> None:
    first, second = tables()
    condition = parse_condition("id = key AND t0.road = t1.road", Scope.of(first, second))
    found = connection().to_pyarrow(first.join(second, condition).id)
    assert found.to_pylist() == [1]


@pytest.mark.parametrize(
    ("text", "position", "hint"),
    [
        ("raod > 1", 0, "did you mean road"),
        ("{$gt: ['$1.raod', 1]}", 11, "did you mean road"),
        ("t1.guess > 1", 3, "there are: key, road, label"),
        ("GUESS = 1", 0, "did you mean guess"),
    ],
)
def test_a_column_that_is_not_there_is_told_with_its_neighbours(
    text: str, position: int, hint: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        rows(text)
    assert caught.value.code == "column-unknown"
    assert caught.value.context["position"] == position
    assert hint in str(caught.value.hint)


def test_a_table_that_is_not_there_is_told() -> None:
    with pytest.raises(InvalidInputError, match="there is no table 2"):
        rows("{$gt: ['$2.road', 1]}")


def test_names_with_spaces_and_dots_are_found() -> None:
    assert values('"a b" / 10') == [1.0, 2.0, 3.0, 4.0]
    assert values("{$add: ['$a b', 0]}") == [10, 20, 30, 40]
    assert values('"dotted.name"') == [1, 2, 3, 4]
    assert values("{$add: ['$dotted.name', 0]}") == [1, 2, 3, 4]


def test_thousands_of_columns_cost_nothing_before_they_are_named() -> None:
    wide = ibis.table({f"c{number}": "int64" for number in range(5_000)}, name="wide")
    assert parse_condition("c4999 > 1", Scope.of(wide)).type().is_boolean()
    with pytest.raises(InvalidInputError, match="no column"):
        parse_condition("d1 > 1", Scope.of(wide))


def test_rows_of_two_tables_are_not_counted() -> None:
    with pytest.raises(InvalidInputError, match="which rows"):
        parse_aggregate("count(*)", Scope.of(*tables()))


def test_importing_loads_neither_ibis_nor_sqlglot() -> None:
    program = (
        "import sys, artstore.tables.expressions; "
        "print(sorted({'ibis', 'sqlglot', 'duckdb', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"

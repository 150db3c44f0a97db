"""Two versions of a table, compared by key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artstore.api import Store, open_store
from artstore.artifact import Artifact
from artstore.errors import InvalidInputError
from artstore.media.image import Image
from artstore.tables import building, cutting
from artstore.tables.diffs import TableDiff, diff_tables
from artstore.tables.joined import JoinedTable
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.table import Table

Log = Callable[[Table], Table]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"), project="p")


@pytest.fixture
def log(store: Store) -> Log:
    """Stores a table as the next version of `t`, and gives it back as it is read."""

    def call(table: Table, name: str = "t") -> Table:
        artifact = Artifact(name, "dataset")
        artifact.add(table, "rows")
        version = store.log_artifact(artifact)
        found = store.artifact(version.qualified_name).get("rows")
        assert isinstance(found, Table)
        return found

    return call


def numbered(count: int, **columns: Any) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    made = {"id": np.arange(count), "guess": rng.integers(0, 10, count)}
    made |= {f"s{at}": rng.random(count).round(4) for at in range(4)}
    return {**made, **columns}


def counts(diff: TableDiff) -> tuple[int, int, int, int]:
    return diff.added, diff.removed, diff.changed, diff.unchanged


# rows -----------------------------------------------------------------------------------


def test_rows_are_added_removed_changed_and_unchanged() -> None:
    old = Table(["id", "name"], data=[[1, "a"], [2, "b"], [3, "c"]])
    new = Table(["id", "name"], data=[[3, "C"], [1, "a"], [4, "d"]])
    diff = diff_tables(old, new, "id")
    assert counts(diff) == (1, 1, 1, 1)
    assert (diff.rows_old, diff.rows_new, diff.cells) == (3, 3, {"name": 1})
    assert diff.added_rows().to_pylist() == [{"id": 4, "name": "d"}]
    assert diff.removed_rows().to_pylist() == [{"id": 2, "name": "b"}]
    (change,) = diff.changes()
    assert (change.key, change.old_row, change.new_row) == ((3,), 2, 0)
    assert change.cells == {"name": ("c", "C")}
    assert change.verdict is None


def test_changed_rows_as_an_arrow_table_tell_which_cells_differ() -> None:
    old = Table(["id", "a", "b", "c"], data=[[1, 1, 1, 1], [2, 2, 2, 2]])
    new = Table(["id", "a", "b", "c"], data=[[1, 9, 1, 1], [2, 2, 9, 2]])
    found = diff_tables(old, new, ["id"]).changed_rows().to_pylist()
    assert found == [
        {"key": {"id": 1}, "columns": ["a"], "old": {"a": 1, "b": 1}, "new": {"a": 9, "b": 1}},
        {"key": {"id": 2}, "columns": ["b"], "old": {"a": 2, "b": 2}, "new": {"a": 2, "b": 9}},
    ]


def test_parts_of_the_rows_are_read_on_their_own() -> None:
    old = Table(["id", "a"], data=[[at, 0] for at in range(9)])
    new = Table(["id", "a"], data=[[at, 1] for at in range(3, 12)])
    diff = diff_tables(old, new, "id")
    assert diff.added_rows(1, 2).to_pylist() == [{"id": 10, "a": 1}]
    assert diff.removed_rows(2).to_pylist() == [{"id": 2, "a": 0}]
    assert [change.key for change in diff.changes(4)] == [(7,), (8,)]


def test_rows_that_only_moved_are_no_difference(log: Log) -> None:
    cells = numbered(5000)
    old = log(Table(data=cells))
    order = np.random.default_rng(1).permutation(5000)
    new = log(Table(data={name: column[order] for name, column in cells.items()}))
    diff = diff_tables(old, new, "id")
    assert diff.is_empty
    assert counts(diff) == (0, 0, 0, 5000)


def test_a_key_of_several_columns_tells_rows_apart() -> None:
    old = Table(["a", "b", "x"], data=[[1, "u", 0], [1, "v", 0], [2, "u", 0]])
    new = Table(["a", "b", "x"], data=[[1, "u", 0], [1, "v", 5], [2, "w", 0]])
    diff = diff_tables(old, new, ["a", "b"])
    assert counts(diff) == (1, 1, 1, 1)
    assert [change.key for change in diff.changes()] == [(1, "v")]


@pytest.mark.parametrize("sides", [(0, 3), (3, 0), (0, 0)])
def test_an_empty_table_has_no_rows_in_common(sides: tuple[int, int], log: Log) -> None:
    tables = [Table(["id", "a"], data=[[at, at] for at in range(count)]) for count in sides]
    for old, new in (tables, [log(table) for table in tables]):
        diff = diff_tables(old, new, "id")
        assert counts(diff) == (sides[1], sides[0], 0, 0)


# keys that are no keys --------------------------------------------------------------------


def test_of_rows_that_share_a_key_equal_ones_are_the_same_row() -> None:
    old = Table(["id", "a"], data=[[1, "x"], [1, "y"], [2, "z"]])
    new = Table(["id", "a"], data=[[2, "z"], [1, "y"], [1, "x"]])
    diff = diff_tables(old, new, "id")
    assert diff.is_empty
    assert (diff.duplicate_rows_old, diff.duplicate_rows_new) in {(0, 0), (2, 2)}


def test_if_one_of_a_shared_key_is_left_on_either_side_it_changed() -> None:
    old = Table(["id", "a"], data=[[1, "x"], [1, "y"], [1, "x"]])
    new = Table(["id", "a"], data=[[1, "new"], [1, "x"], [1, "x"]])
    diff = diff_tables(old, new, "id")
    assert counts(diff) == (0, 0, 1, 2)
    assert [change.cells for change in diff.changes()] == [{"a": ("y", "new")}]
    assert (diff.duplicate_rows_old, diff.duplicate_rows_new) == (3, 3)


def test_what_is_left_of_a_shared_key_besides_is_removed_and_added() -> None:
    old = Table(["id", "a"], data=[[1, "x"], [1, "y"], [2, "k"]])
    new = Table(["id", "a"], data=[[1, "p"], [1, "q"], [1, "r"], [2, "k"]])
    diff = diff_tables(old, new, "id")
    assert counts(diff) == (3, 2, 0, 1)


def test_rows_without_a_key_never_change_into_each_other() -> None:
    old = Table(["id", "a"], data=[[None, "x"], [None, "y"], [1, "z"]])
    new = Table(["id", "a"], data=[[None, "y"], [None, "q"], [1, "z"]])
    diff = diff_tables(old, new, "id")
    assert counts(diff) == (1, 1, 0, 2)
    assert (diff.null_rows_old, diff.null_rows_new) == (2, 2)


def test_where_a_row_with_the_same_key_is_equal_in_both_another_one_is_added(log: Log) -> None:
    cells = numbered(3000)
    old = log(Table(data=cells))
    more = {name: np.append(column, column[5]) for name, column in cells.items()}
    more["guess"][-1] += 1
    new = log(Table(data=more))
    assert counts(diff_tables(old, new, "id")) == (1, 0, 0, 3000)
    assert counts(diff_tables(Table(data=cells), Table(data=more), "id")) == (1, 0, 0, 3000)


# cells ------------------------------------------------------------------------------------

SAME = [
    ([3, 4], [3.0, 4.5], [1]),
    ([float("nan"), 1.5], [float("nan"), 2.5], [1]),
    ([0.0, 0.0], [-0.0, 0.0], [0]),
    ([None, "x"], [None, None], [1]),
    (["1", "2"], [1, "2"], [0]),
    ([[1, 2], [3]], [[1, 2.0], [3, None]], [1]),
    ([{"a": 1}, {"a": 2}], [{"a": 1, "b": None}, {"a": 2, "b": 0}], [1]),
    ([{"a": [1]}, None], [{"a": [1]}, {}], [1]),
    ([b"x", b"y"], [b"x", "y"], [1]),
    ([True, False], [1, False], [0]),
    ([[], ["a"]], [[], ["b"]], [1]),
    (
        [np.zeros((2, 3), np.float32), np.zeros(6, np.float32)],
        [np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32)],
        [1],
    ),
    ([np.zeros(3, np.float32), np.ones(3)], [np.zeros(3), np.ones(3)], [0]),
    ([2**60, 2**63], [2**60, 2**63 + 1], [1]),
    ([[{"k": "v"}, {"k": "w"}], []], [[{"k": "v"}, {"k": "!"}], []], [0]),
]


@pytest.mark.parametrize(("old", "new", "changed"), SAME)
def test_cells_are_the_same_if_their_values_are(
    old: list[Any], new: list[Any], changed: list[int]
) -> None:
    tables = [Table(["id", "x"], data=[[0, one[0]], [1, one[1]]]) for one in (old, new)]
    diff = diff_tables(tables[0], tables[1], "id")
    assert [change.key[0] for change in diff.changes()] == changed


def test_a_key_is_the_same_whatever_type_its_column_has() -> None:
    old = Table(["id", "x"], data=[[1, "a"], [2, "b"]])
    new = Table(["id", "x"], data=[[1.0, "a"], [2.0, "c"], ["z", "d"]])
    diff = diff_tables(old, new, "id")
    assert counts(diff) == (1, 0, 1, 1)
    assert [(c.name, c.old, c.new) for c in diff.columns_retyped] == [
        ("id", "int", "float64 | text")
    ]


def test_images_are_the_same_if_their_pixels_are(log: Log, store: Store) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    old, new, other = (Table(["id", "image"]) for _ in range(3))
    old.add_data(1, Image(pixels))
    new.add_data(1, Image(pixels.copy()))
    other.add_data(1, Image(pixels.T.copy()))
    stored = log(old)
    assert diff_tables(stored, new, "id").is_empty
    diff = diff_tables(stored, other, "id")
    assert diff.cells == {"image": 1}
    (change,) = diff.changes()
    before, now = change.cells["image"]
    assert np.array_equal(np.asarray(before.to_pil()), pixels)
    assert np.array_equal(np.asarray(now.to_pil()), pixels.T)


# columns ----------------------------------------------------------------------------------


def test_columns_that_come_and_go_are_told_and_the_others_compared(log: Log) -> None:
    old = log(Table(["id", "a", "gone"], data=[[1, 1, 1], [2, 2, 2]]))
    new = log(Table(["come", "a", "id"], data=[[0, 1, 1], [0, 5, 2]]))
    diff = diff_tables(old, new, "id")
    assert (diff.columns_added, diff.columns_removed) == (("come",), ("gone",))
    assert counts(diff) == (0, 0, 1, 1)
    assert diff.cells == {"a": 1}
    assert not diff_tables(old, new, "id").is_empty


@pytest.mark.parametrize("key", ["nope", ["id", "nope"], [], ["id", "id"]])
def test_a_key_that_is_none_is_refused(key: Any) -> None:
    table = Table(["id", "a"], data=[[1, 1]])
    with pytest.raises(InvalidInputError) as caught:
        diff_tables(table, table, key)
    assert caught.value.code in {"column-unknown", "value-invalid"}


def test_the_table_that_lacks_the_key_is_named() -> None:
    tables = Table(["id"], data=[[1]]), Table(["nr"], data=[[1]])
    with pytest.raises(InvalidInputError, match="the new table has no column 'id'") as caught:
        diff_tables(*tables, "id")
    assert caught.value.code == "column-unknown"


# predictions ------------------------------------------------------------------------------


def test_regressions_were_right_and_are_wrong_and_fixes_the_reverse() -> None:
    names = ["id", "guess", "label"]
    rows = [[1, 5, 5], [2, 3, 4], [3, 7, 7], [4, 1, 2], [5, 1, None], [6, None, 6]]
    old = Table(names, data=rows)
    new = Table(names, data=[[1, 4, 5], [2, 4, 4], [3, 7.0, 7], [4, 3, 2], [5, 2, None], [6, 6, 6]])
    diff = diff_tables(old, new, "id", truth="label", guess="guess")
    assert (diff.regressed, diff.fixed, diff.changed) == (1, 2, 5)
    assert [change.key for change in diff.regressions()] == [(1,)]
    assert [change.key for change in diff.fixes()] == [(2,), (6,)]
    assert [c.verdict for c in diff.changes()] == ["regressed", "fixed", None, None, "fixed"]


def test_a_truth_that_was_corrected_can_make_a_guess_wrong() -> None:
    old = Table(["id", "guess", "label"], data=[[1, "cat", "cat"]])
    new = Table(["id", "guess", "label"], data=[[1, "cat", "dog"]])
    assert diff_tables(old, new, "id", truth="label", guess="guess").regressed == 1


def test_without_both_columns_nothing_is_judged() -> None:
    table = Table(["id", "guess", "label"], data=[[1, 1, 1]])
    diff = diff_tables(table, table, "id")
    assert (diff.regressed, diff.fixed, list(diff.regressions())) == (None, None, [])
    with pytest.raises(InvalidInputError, match="judged by both"):
        diff_tables(table, table, "id", guess="guess")


def test_joined_predictions_are_judged_by_the_columns_that_joining_gave() -> None:
    truth = Table(["id", "label"], data=[[1, "a"], [2, "b"], [3, "c"]])
    before = Table(["id", "guess"], data=[[1, "a"], [2, "x"], [3, "c"]])
    after = Table(["id", "guess"], data=[[1, "x"], [2, "b"], [3, "c"]])
    old, new = (JoinedTable(pred, truth, "id") for pred in (before, after))
    diff = diff_tables(old, new, "id")
    assert (diff.truth, diff.guess) == ("label", "guess")
    assert (diff.regressed, diff.fixed, diff.changed) == (1, 1, 2)
    assert diff.total_bytes is None


# what is read -------------------------------------------------------------------------------


@pytest.fixture
def small_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many leaves and fragments of few rows."""
    monkeypatch.setattr(cutting, "LEAF_BYTES", 1024)
    monkeypatch.setattr(cutting, "LEAF_MAX_BYTES", 8 * 1024)
    monkeypatch.setattr(building, "_FRAGMENT_BYTES", 64 * 1024)
    monkeypatch.setattr(building, "_FRAGMENT_MAX_BYTES", 64 * 1024)


@pytest.mark.usefixtures("small_leaves")
def test_of_fragments_with_equal_rows_nothing_is_read(log: Log) -> None:
    cells = numbered(20_000)
    old = log(Table(data=cells))
    guess = cells["guess"].copy()
    guess[777] += 1
    new = log(Table(data={**cells, "guess": guess}))
    assert old.stored is not None
    assert len(old.stored.fragments) > 10
    diff = diff_tables(old, new, "id")
    assert counts(diff) == (0, 0, 1, 19_999)
    assert diff.read_fragments == 2
    assert diff.total_bytes is not None
    assert diff.read_bytes < diff.total_bytes * 0.1
    assert diff_tables(old, old, "id").read_bytes == 0


@pytest.mark.usefixtures("small_leaves")
def test_of_most_fragments_only_the_columns_that_differ_are_read(log: Log) -> None:
    cells = numbered(20_000)
    old = log(Table(data=cells))
    guess = cells["guess"].copy()
    guess[::1000] += 1
    new = log(Table(data={**cells, "guess": guess}))
    diff = diff_tables(old, new, "id")
    assert counts(diff) == (0, 0, 20, 19_980)
    assert diff.cells == {"guess": 20}
    assert diff.total_bytes is not None
    assert diff.read_bytes < diff.total_bytes * 0.25
    whole = diff_tables(Table(data=cells), Table(data={**cells, "guess": guess}), "id")
    assert whole.cells == diff.cells


@pytest.mark.usefixtures("small_leaves")
def test_rows_between_others_are_found_without_reading_what_stands_around_them(log: Log) -> None:
    cells = numbered(20_000)
    old = log(Table(data=cells))
    places = np.array([3000, 9000, 9001, 15_000])
    new = log(Table(data={name: np.insert(column, places, -1) for name, column in cells.items()}))
    diff = diff_tables(old, new, "id")
    assert diff.added == 4
    assert counts(diff)[1:] == (0, 0, 20_000)
    assert diff.total_bytes is not None
    assert diff.read_bytes < diff.total_bytes * 0.25
    assert counts(diff_tables(new, old, "id")) == (0, 4, 0, 20_000)


def test_a_table_that_grew_is_compared_by_the_rows_it_grew_by(log: Log, store: Store) -> None:
    old = log(Table(data=numbered(5000)))
    grown = store.artifact("t").get("rows")
    for at in range(5000, 5010):
        grown.add_data(at, 0, 0.0, 0.0, 0.0, 0.0)
    diff = diff_tables(old, grown, "id")
    assert counts(diff) == (10, 0, 0, 5000)
    assert diff.added_rows()["id"].to_pylist() == list(range(5000, 5010))


def test_partitioned_tables_are_compared_as_one(log: Log) -> None:
    cells = numbered(3000)
    parts = [{n: c[at : at + 1500] for n, c in cells.items()} for at in (0, 1500)]
    old = PartitionedTable("parts", [Table(data=part) for part in parts])
    assert diff_tables(old, log(Table(data=cells)), "id").is_empty
    diff = diff_tables(old, PartitionedTable("parts", [Table(data=parts[1])]), "id")
    assert counts(diff) == (0, 1500, 0, 1500)


def test_a_table_without_rows_or_changes_says_so_as_text() -> None:
    table = Table(["id"], data=[[1]])
    text = diff_tables(table, table, "id").to_markdown()
    assert "| unchanged | 1 |" in text
    assert "## Changed" not in text

"""
What storing a table again costs: what is new, and no more; and what readers then have to open.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from artstore.errors import DamagedDataError
from artstore.tables import building, storing
from artstore.tables.content import TableContent
from artstore.tables.table import Table
from artstore.tables.tablefile import TableFile
from tests.unit.tables.shelf import Shelf

COUNT = 100_000
DRAW = np.random.default_rng(7)
Columns = dict[str, np.ndarray]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture(scope="module")
def columns() -> Columns:
    """Numbers that no compression makes smaller, and texts."""
    return {
        "id": np.arange(COUNT),
        "x": DRAW.random(COUNT),
        "y": DRAW.random(COUNT),
        "label": DRAW.integers(0, 10, COUNT),
        "text": np.array([f"{n:x}" for n in DRAW.integers(0, 1 << 60, COUNT).tolist()]),
    }


def cut(columns: Columns, *parts: slice) -> Columns:
    return {name: np.concatenate([c[part] for part in parts]) for name, c in columns.items()}


def fresh_rows(columns: Columns, count: int) -> Columns:
    found = {name: values[:count].copy() for name, values in columns.items()}
    found["x"] = DRAW.random(count)
    return found


def joined(*parts: Columns) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


ONE_PERCENT = COUNT // 100
MIDDLE = COUNT // 2
EDITS: dict[str, Callable[[Columns], Columns]] = {
    "nothing": lambda c: c,
    "inserted in the middle": lambda c: joined(
        cut(c, slice(MIDDLE)), fresh_rows(c, ONE_PERCENT), cut(c, slice(MIDDLE, None))
    ),
    "inserted in front": lambda c: joined(fresh_rows(c, ONE_PERCENT), c),
    "appended": lambda c: joined(c, fresh_rows(c, ONE_PERCENT)),
    "deleted": lambda c: cut(c, slice(MIDDLE), slice(MIDDLE + ONE_PERCENT, None)),
    "deleted in front": lambda c: cut(c, slice(ONE_PERCENT, None)),
    "deleted at the end": lambda c: cut(c, slice(-ONE_PERCENT)),
    "changed in a run": lambda c: joined(
        cut(c, slice(MIDDLE)),
        fresh_rows(cut(c, slice(MIDDLE, MIDDLE + ONE_PERCENT)), ONE_PERCENT),
        cut(c, slice(MIDDLE + ONE_PERCENT, None)),
    ),
    "halves in another order": lambda c: cut(c, slice(MIDDLE, None), slice(MIDDLE)),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_is_stored_again_is_in_proportion_to_what_changed(
    shelf: Shelf, columns: Columns, edit: str
) -> None:
    first = shelf.put(Table(data=columns))
    whole = shelf.last_bytes
    edited = Table(data=EDITS[edit](columns))
    second = shelf.put(edited, first)
    # A leaf at each end of the change, and what a Parquet file costs.
    assert shelf.last_bytes < 0.02 * whole + 20_000
    assert second.to_arrow().equals(edited.to_arrow())
    assert second.stored.digest() == Shelf(shelf.directory / "other").put(edited).stored.digest()
    if edit == "nothing":
        assert shelf.last_bytes == 0
        assert second.stored == first.stored


def test_scattered_changes_cost_a_leaf_each(shelf: Shelf, columns: Columns) -> None:
    first = shelf.put(Table(data=columns))
    whole = shelf.last_bytes
    edited = {name: values.copy() for name, values in columns.items()}
    edited["label"][:: COUNT // 20] += 1
    shelf.put(Table(data=edited), first)
    leaf = whole / len(first.stored.leaves)
    assert shelf.last_bytes < 2 * 20 * leaf + 20_000


def test_an_append_to_a_table_of_a_store_is_what_a_fresh_build_is(
    shelf: Shelf, columns: Columns
) -> None:
    before = shelf.put(Table(data=columns))
    grown = shelf.get(before.stored)
    shelf.opened.clear()
    for at in range(1000):
        grown.add_data(COUNT + at, 0.5, at / 7, None, f"new {at}")
    after = shelf.put(grown, before)
    added = Table(
        columns=list(columns),
        data=[[COUNT + at, 0.5, at / 7, None, f"new {at}"] for at in range(1000)],
    )
    fresh = Table(data=joined_arrow(columns, added))
    assert after.stored.leaves == fresh.built().leaves()
    assert after.stored.digest() == Shelf(shelf.directory / "o").put(fresh).stored.digest()
    assert shelf.last_bytes < 0.02 * shelf.stored_bytes
    # Only the last leaf was read, to go on with it.
    assert len(shelf.opened) == 1
    assert [f.key for f in after.stored.fragments][:-1] == [f.key for f in before.stored.fragments]


def joined_arrow(columns: Columns, added: Table) -> object:
    import pyarrow as pa

    first = Table(data=columns).to_arrow()
    return pa.concat_tables([first, added.to_arrow().cast(first.schema)])


def test_a_column_that_widens_rewrites_no_row(shelf: Shelf, columns: Columns) -> None:
    first = shelf.put(Table(data=columns))
    grown = shelf.get(first.stored)
    grown.add_data(0.5, None, "text", [1], 5)
    second = shelf.put(grown, first)
    assert shelf.last_bytes < 30_000
    assert len(second.stored.stored_schemas) == 2
    assert second.data[-1] == [0.5, None, "text", [1], 5]
    assert second.data[5][0] == 5


def test_a_column_more_stores_the_table_again(shelf: Shelf) -> None:
    first = shelf.put(Table(data={"a": list(range(5000))}))
    wider = Table(data={"a": list(range(5000)), "b": list(range(5000))})
    second = shelf.put(wider, first)
    assert list(second.data) == list(wider.data)
    assert len(second.stored.stored_schemas) == 1


def test_equal_blocks_of_rows_are_one_file_and_no_row_is_lost(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_FRAGMENT_BYTES", 100_000)
    table = Table(data={"a": np.zeros(200_000)})
    stored = shelf.put(table)
    assert len(shelf_files(shelf)) < len(stored.stored.fragments)
    for _ in range(3):
        # Each names its fragments as often as it has them.
        stored = shelf.put(shelf.get(stored.stored), stored)
        assert shelf.last_bytes == 0
        assert stored.row_count == len(stored.get_column("a")) == 200_000
    stored.add_data(1.0)
    grown = shelf.put(stored)
    assert sum(grown.get_column("a")) == 1.0
    assert grown.row_count == 200_001
    again = shelf.put(table, grown)
    assert again.row_count == 200_000
    assert again.stored.digest() == shelf.put(table).stored.digest()


def shelf_files(shelf: Shelf) -> list[Path]:
    return [file for file in shelf.directory.rglob("*.parquet") if file.is_file()]


def test_a_fragment_of_which_little_is_left_is_left_behind(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers never pass over more rows than they take."""
    monkeypatch.setattr(building, "_FRAGMENT_BYTES", 40_000)
    texts = [f"{n:08}" * 30 for n in range(2000)]
    first = shelf.put(Table(data={"a": texts}))
    size = first.stored.fragments[0].row_count
    kept = texts[int(0.8 * size) :]
    second = shelf.put(Table(data={"a": kept}), first)
    assert first.stored.fragments[0].key not in {f.key for f in second.stored.fragments}
    assert second.get_column("a") == kept
    wasted = sum(f.row_count for f in second.stored.fragments) - second.row_count
    assert wasted < 0.1 * second.row_count


def test_rows_stored_anew_come_together_in_few_fragments(
    shelf: Shelf, columns: Columns, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shelf.put(Table(data=columns))
    edited = {name: values.copy() for name, values in columns.items()}
    edited["label"][:: COUNT // 20] += 1
    second = shelf.put(Table(data=edited), first)
    assert len(second.stored.fragments) == len(first.stored.fragments) + 1
    monkeypatch.setattr(storing, "_REWRITTEN_ROWS", 100)
    more = shelf.put(Table(data=edited), first)
    assert len(more.stored.fragments) > len(second.stored.fragments)
    assert more.to_arrow().equals(second.to_arrow())


def test_fragments_grow_with_the_table_and_wait_in_files(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_FRAGMENT_BYTES", 20_000)
    monkeypatch.setattr(building, "_FRAGMENTS", 8)
    monkeypatch.setattr(building, "_IN_MEMORY_BYTES", 50_000)
    numbers = DRAW.random(200_000)
    table = Table(data={"a": numbers})
    parts = table.built().parts
    assert len(parts) < 60
    assert parts[-2].size_bytes > 3 * parts[0].size_bytes
    held = [part.place for part in parts if isinstance(part.place, bytes)]
    files = [part.place.path for part in parts if not isinstance(part.place, bytes)]
    assert sum(map(len, held)) <= 50_000
    assert all(file.is_file() for file in files)
    stored = shelf.put(table)
    assert stored.to_arrow().column("a").to_numpy().tolist() == numbers.tolist()
    directory = files[0].parent
    del table, parts, held
    assert not directory.exists()


def test_rows_are_added_while_fragments_are_written_and_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(building, "_FRAGMENT_BYTES", 30_000)
    table = Table(["a", "b"])
    for at in range(30_000):
        table.add_data(at, str(at))
        if at % 9000 == 0:
            assert table.get_column("a")[-1] == at
    assert table.get_column("a") == list(range(30_000))
    assert table.data[25_000] == [25_000, "25000"]


# what readers open ----------------------------------------------------------------------


def test_a_few_rows_open_the_fragments_they_are_in(
    shelf: Shelf, columns: Columns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_FRAGMENT_BYTES", 300_000)
    stored = shelf.put(Table(data=columns))
    assert len(stored.stored.fragments) > 10
    shelf.opened.clear()
    assert stored.rows[COUNT - 1]["id"] == COUNT - 1
    assert len(shelf.opened) == 1
    assert shelf.get(stored.stored).columns == list(columns)
    assert len(shelf.opened) == 1


def content(stored: TableFile, shelf: Shelf) -> TableContent:
    return TableContent.stored(stored, shelf.fragment_paths)


def test_rows_are_taken_by_number_in_any_order(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa

    monkeypatch.setattr(building, "_FRAGMENT_BYTES", 60_000)
    stored = shelf.put(Table(data={"a": np.arange(50_000), "b": [str(n) for n in range(50_000)]}))
    found = content(stored.stored, shelf)
    numbers = [49_999, 0, None, 25_000, 0, 3, None]
    rows = found.take(pa.array(numbers, pa.int64()), ["b", "a"])
    assert rows.to_arrow().to_pylist() == [
        {"b": None if n is None else str(n), "a": n} for n in numbers
    ]
    assert found.take(pa.array([], pa.int64())).row_count == 0
    assert (
        found.take(pa.nulls(2, pa.int64())).to_arrow().to_pylist() == [{"a": None, "b": None}] * 2
    )
    parts = list(found.rows(10, 40_000, ["a"]))
    assert [n for part in parts for n in part.arrays[0].to_pylist()] == list(range(10, 40_000))
    assert found.all_rows(60_000).row_count == 0
    assert found.to_arrow(49_998).to_pylist()[0] == {"a": 49_998, "b": "49998"}


def test_a_fragment_with_fewer_rows_than_its_description_says_is_damage(shelf: Shelf) -> None:
    stored = shelf.put(Table(data={"a": [1, 2, 3]}))
    (file,) = shelf_files(shelf)
    shorter = Shelf(shelf.directory / "other")
    shorter.put(Table(data={"a": [1, 2]}))
    file.write_bytes(shelf_files(shorter)[0].read_bytes())
    with pytest.raises(DamagedDataError) as caught:
        stored.get_column("a")
    assert caught.value.code == "fragment-damaged"


@pytest.mark.parametrize("damage", [b"", b"no Parquet at all"])
def test_a_damaged_fragment_is_told_with_its_key(shelf: Shelf, damage: bytes) -> None:
    stored = shelf.put(Table(data={"a": [1, 2, 3]}))
    shelf_files(shelf)[0].write_bytes(damage)
    with pytest.raises(DamagedDataError, match=r"fragments/.*\.parquet"):
        stored.get_column("a")


PROGRAM = """
import os, sys
import numpy as np, pyarrow as pa
pa.set_cpu_count(int(sys.argv[1]))
from artstore.tables.table import Table
from artstore.tables.tablefile import table_digest
draw = np.random.default_rng(1)
table = Table(["a", "b", "c", "d"])
for n in range(3000):
    cell = {"x": n, "y": [str(n)], **({"z": {"only": n}} if n % 2 else {})}
    table.add_data(n, [n, n / 3, str(n), None, cell, b"x"][n % 6], cell, draw.random(2))
built = table.built()
print(table_digest(built.schema, {"b": 1, "a": {"z": 1, "y": 2}}, built.leaves()).hex())
"""


def test_a_digest_depends_on_no_process() -> None:
    found = set()
    for seed, threads in (("0", "1"), ("1", "8"), ("random", "2")):
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM, threads],
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(result.stdout)
    assert len(found) == 1
    assert len(found.pop().strip()) == 64

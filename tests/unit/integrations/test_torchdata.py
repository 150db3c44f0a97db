"""Tables as datasets of torch: keys, images, workers, pickles."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import artstore as art
from artstore.errors import InvalidInputError, StateError
from artstore.tables.joined import JoinedTable
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.table import Table
from tests.unit.integrations.formats.tabling import logged, picture, rich_image

ROWS = 600
"""More than two windows."""


def digits(rows: int = ROWS) -> Table:
    table = Table(["id", "image", "label", "vector"])
    for at in range(rows):
        vector = np.full(3, at, np.float32)
        table.add_data(f"k{at}", art.Image(picture(at, 4, 3)), at % 10, vector)
    return table


def halved(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "image": row["image"].float() / 2}


def test_a_row_has_the_columns_and_its_number_as_key() -> None:
    dataset = digits().to_torch(["image", "label", "vector"])
    assert isinstance(dataset, Dataset)
    assert len(dataset) == ROWS
    row = dataset[599]
    assert list(row) == ["__key__", "image", "label", "vector"]
    assert (row["__key__"], row["label"]) == (599, 9)
    assert row["image"].dtype == torch.uint8
    assert torch.equal(row["image"], torch.from_numpy(picture(599, 4, 3)).permute(2, 0, 1))
    assert torch.equal(row["vector"], torch.full((3,), 599.0))
    assert dataset[-1]["__key__"] == 599
    for index in (600, -601):
        with pytest.raises(IndexError):
            dataset[index]


def test_a_primary_key_is_the_key_also_when_it_is_no_column_of_the_rows() -> None:
    table = digits(5)
    table.set_pk("id")
    assert [row["__key__"] for row in table.to_torch(["label"])] == [f"k{at}" for at in range(5)]
    assert list(table.to_torch(["label"])[0]) == ["__key__", "label"]


def test_a_column_called_key_is_what_was_asked_for() -> None:
    table = Table(["__key__", "n"], data=[["a", 1]])
    assert table.to_torch()[0] == {"__key__": "a", "n": 1}
    assert table.to_torch(["n"])[0] == {"__key__": 0, "n": 1}


def test_images_are_tensors_pictures_or_values() -> None:
    table = Table(["image"])
    table.add_data(rich_image(1))
    table.add_data(art.Image(np.full((2, 3), 300, np.uint16), mode="I;16"))
    table.add_data(art.Image(np.zeros((2, 3, 4), np.uint8)))
    table.add_data(None)
    tensors = [row["image"] for row in table.to_torch()]
    assert [None if t is None else (tuple(t.shape), t.dtype) for t in tensors] == [
        ((3, 10, 12), torch.uint8),
        ((1, 2, 3), torch.int32),
        ((4, 2, 3), torch.uint8),
        None,
    ]
    assert table.to_torch(images="pil")[0]["image"].size == (12, 10)
    assert table.to_torch(images="image")[0]["image"] == rich_image(1)


def test_what_is_asked_for_wrongly_is_told() -> None:
    with pytest.raises(InvalidInputError) as caught:
        digits(1).to_torch(["labl"])
    assert caught.value.code == "column-unknown"
    with pytest.raises(InvalidInputError) as images:
        digits(1).to_torch(images="numpy")
    assert images.value.code == "value-invalid"


def test_without_torch_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "artstore.integrations.torchdata", None)
    with pytest.raises(StateError) as caught:
        digits(1).to_torch()
    assert caught.value.code == "library-missing"


def test_several_rows_at_once_come_in_the_order_asked() -> None:
    dataset = digits().to_torch(["label"], lambda row: row["__key__"])
    wanted = [599, 3, 300, 3, 0]
    assert dataset.__getitems__(wanted) == wanted


def loaded(dataset: Any, context: str | None) -> list[Any]:
    loader = DataLoader(
        dataset,
        batch_size=100,
        num_workers={None: 0, "fork": 2, "spawn": 1}[context],
        multiprocessing_context=context,
        shuffle=True,
        generator=torch.Generator().manual_seed(1),
    )
    found = []
    for batch in loader:
        keys = batch["__key__"].tolist() if torch.is_tensor(batch["__key__"]) else batch["__key__"]
        found += zip(keys, batch["image"].float().mean(dim=(1, 2, 3)).tolist(), strict=True)
    return sorted(found)


def expected(table: Table, keys: list[Any]) -> list[Any]:
    means = [float(row["image"].to_numpy().mean()) for row in table.rows]
    return sorted(zip(keys, [pytest.approx(mean, rel=1e-5) for mean in means], strict=True))


@pytest.mark.parametrize("context", [None, "fork", "spawn"])
def test_workers_read_a_table_of_a_store(context: str | None, tmp_path: Path) -> None:
    table = digits()
    table.set_pk("id")
    stored = logged(table, tmp_path / "store")
    dataset = stored.to_torch(["image", "label"])
    assert loaded(dataset, context) == expected(table, [f"k{at}" for at in range(ROWS)])


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_read_a_table_that_was_never_logged(context: str) -> None:
    table = digits(250)
    assert loaded(table.to_torch(["image"]), context) == expected(table, list(range(250)))


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_read_a_joined_table(context: str, tmp_path: Path) -> None:
    truth = logged(digits(), tmp_path / "store")
    guesses = Table(["id", "guess"], data=[[f"k{at}", at] for at in reversed(range(ROWS))])
    joined = JoinedTable(guesses, truth, "id")
    # What DuckDB joined here is not there in a worker.
    assert joined.row_count == ROWS
    dataset = joined.to_torch(["image", "guess"])
    assert dataset[0]["guess"] == 599
    means = [float(picture(at, 4, 3).mean()) for at in reversed(range(ROWS))]
    wanted = sorted(zip(range(ROWS), [pytest.approx(m, rel=1e-5) for m in means], strict=True))
    assert loaded(dataset, context) == wanted


def test_a_table_of_a_store_is_pickled_as_its_description(tmp_path: Path) -> None:
    stored = logged(digits(), tmp_path / "store")
    dataset = stored.to_torch(["image", "label"], halved)
    assert torch.equal(dataset[7]["image"], torch.from_numpy(picture(7, 4, 3)).permute(2, 0, 1) / 2)
    data = pickle.dumps(dataset)
    # Two windows of rows, which it keeps, would be more.
    assert len(data) < 20_000
    again = pickle.loads(data)
    assert torch.equal(again[7]["image"], dataset[7]["image"])
    assert again[7]["__key__"] == 7


def test_a_table_that_grew_and_a_partitioned_one_are_pickled_with_their_rows(
    tmp_path: Path,
) -> None:
    stored = logged(digits(20), tmp_path / "store")
    stored.add_data("new", art.Image(picture(99, 4, 3)), 5, np.zeros(3, np.float32))
    again = pickle.loads(pickle.dumps(stored.to_torch()))
    assert len(again) == 21
    assert again[20]["id"] == "new"
    assert torch.equal(again[3]["image"], stored.to_torch()[3]["image"])
    # Parts of one artifact: a name of a file means one file in all of them.
    parts = PartitionedTable("parts", [logged(digits(4), tmp_path / "parts")] * 2)
    there = pickle.loads(pickle.dumps(parts.to_torch(["id", "image"])))
    assert [row["id"] for row in there] == ["k0", "k1", "k2", "k3"] * 2


def test_images_that_wait_in_a_temporary_file_are_pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    from artstore.tables import intake

    monkeypatch.setattr(intake, "_SHELF_BYTES", 100)
    table = digits(10)
    again = pickle.loads(pickle.dumps(table.to_torch(["image"])))
    assert torch.equal(again[9]["image"], table.to_torch()[9]["image"])

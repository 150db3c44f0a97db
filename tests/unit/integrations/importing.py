"""Directories of W&B, imported: what the tests of it share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import artstore as art
from artstore.errors import ArtstoreError, NotFoundError
from artstore.integrations.wandb_import import ImportedVersion, import_wandb
from tests.unit.integrations.wandb_files.writing import NUMBER, Written

BOX = {
    "position": {"minX": 0.1, "maxX": 0.5, "minY": 0.25, "maxY": 0.75},
    "class_id": 1,
    "box_caption": "a car",
    "scores": {"p": 0.5},
}
WIDE_BOX = {"position": {"minX": -0.5, "maxX": 1.5, "minY": 0.25, "maxY": 0.75}, "class_id": 1}
IDS = np.eye(6, 8, dtype=np.uint8)
ROWS = [[0, 5], [1, 6]]


def beside(written: Written, name: str) -> Written:
    return Written(written.root.parent / name)


def imported(store: art.Store, written: Written | Path, **options) -> ImportedVersion:
    path = written.root if isinstance(written, Written) else written
    (one,) = import_wandb(path, store=store, **options)
    return one


def refused(store: art.Store, written: Written | Path, code: str, **options) -> ArtstoreError:
    """The error, after which nothing is in the store."""
    path = written.root if isinstance(written, Written) else written
    with pytest.raises(ArtstoreError) as caught:
        import_wandb(path, store=store, **options)
    assert caught.value.code == code
    try:
        assert store.collections() == []
    except NotFoundError as error:
        assert error.code == "store-not-found"
    return caught.value


def numbers(written: Written, path: str = "t.table.json", rows=ROWS) -> str:
    return written.table(path, {"id": NUMBER, "n": NUMBER}, rows)


def joined(written: Written, left: str, right: str, key="id", name: str = "both") -> None:
    record = {"_type": "joined-table", "table1": left, "table2": right, "join_key": key}
    written.json(f"{name}.joined-table.json", record)


def increments(written: Written, *parts: list, key: str = "log") -> None:
    names: list[str] = []
    for number, rows in enumerate(parts):
        name = f"{number or None}-179529263828{number}.{key}.table.json"
        written.table(
            name,
            {"id": NUMBER, "n": NUMBER},
            rows,
            increment_num=number,
            log_mode="INCREMENTAL",
            previous_increments_paths=[f"wandb-client-artifact://x/{one}" for one in names],
        )
        names.append(name)

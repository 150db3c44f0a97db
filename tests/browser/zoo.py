"""
A small store for tests in a browser: guesses about digits, and a table with cells of every kind.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import numpy as np
import pyarrow as pa

import artstore as art
from artstore.api import Store

PROJECT: Final = "demo"
SCRIPT: Final = "<script>alert(1)</script>"
ROWS: Final = 260
WRONG: Final = 26
"""Rows of `guesses/joined` in which the guess is not the label."""


def fill(store: Store) -> Store:
    """
    Log what the tests look at.

    demo/guesses   the tables `truth` (id, image, label), `pred` (id, guess, score), `joined`
    demo/zoo       the tables `everything`, `wide` with 2,000 columns, `long` with 600,000 rows
    """
    truth = art.Table(["id", "image", "label"])
    pred = art.Table(["id", "guess", "score"])
    for number in range(ROWS):
        label = number % 10
        truth.add_data(number, art.Image(_pixels(number), caption=f"digit {label}"), label)
        pred.add_data(number, label if number % 10 else 5, number / ROWS)
    draft = art.Artifact("guesses", "predictions")
    draft.add(truth, "truth")
    draft.add(pred, "pred")
    draft.add(art.JoinedTable(pred, truth, "id"), "joined")
    store.log_artifact(draft)
    zoo = art.Artifact("zoo", "dataset")
    zoo.add(_everything(), "everything")
    zoo.add(art.Table([f"column {at}" for at in range(2000)], data=[list(range(2000))] * 3), "wide")
    long = pa.table({"even": np.arange(0, 1_200_000, 2)})
    zoo.add(art.Table.from_arrow(long), "long")
    store.log_artifact(zoo)
    return store


def _pixels(number: int) -> Any:
    return (np.arange(64, dtype=np.uint8).reshape(8, 8) * (number % 7 + 1)) % 251


def _everything() -> art.Table:
    names = ["name", "picture", "when", "flag", "number", "line", "map", "tree", "long text"]
    table = art.Table([*names, SCRIPT])
    for at in range(40):
        table.add_data(
            f"{SCRIPT} {at % 3}",
            _picture(at),
            dt.datetime(2024, 1, 1) + dt.timedelta(hours=at),
            None if at % 5 == 0 else at % 2 == 0,
            float("nan") if at % 7 == 0 else at / 4,
            np.sin(np.arange(32, dtype=np.float32) + at),
            np.outer(np.arange(6), np.arange(8)).astype(np.float32) + at,
            {"a": at, "b": {"c": [1, 2, {"d": SCRIPT}]}},
            f"{SCRIPT} " * (at * 40),
            "=1+1",
        )
    return table


def _picture(at: int) -> art.Image:
    rows, columns = np.mgrid[0:60, 0:90]
    pixels = np.stack([columns * 2, rows * 4, np.full_like(rows, at * 6)], axis=-1)
    boxes = [
        _box((0.1, 0.5, 0.2, 0.6), 1, 0.2),
        _box((0.4, 0.9, 0.3, 0.9), 2, 0.9),
    ]
    mask = np.zeros((60, 90), np.uint8)
    mask[10:40, 20:50] = 3
    classes = art.Classes(
        [{"id": 1, "name": "cat"}, {"id": 2, "name": SCRIPT}, {"id": 3, "name": "road"}]
    )
    return art.Image(
        pixels.astype(np.uint8),
        boxes={"truth": {"box_data": boxes}},
        masks={"ground": {"mask_data": mask}},
        classes=classes,
        caption=f"picture {at}",
    )


def _box(corners: tuple[float, ...], class_id: int, score: float) -> dict[str, Any]:
    names = ("minX", "maxX", "minY", "maxY")
    return {
        "position": dict(zip(names, corners, strict=True)),
        "class_id": class_id,
        "scores": {"sure": score},
    }

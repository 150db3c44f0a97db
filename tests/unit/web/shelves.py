"""
A small store as the page meets it: digits and guesses, versions, and names that mean harm.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import artstore as art
from artstore.api import Store

PROJECT: Final = "demo"
SCRIPT: Final = "<script>alert(1)</script>"
FORMULA: Final = "=cmd('calc')!A1"
HOSTILE_FILE: Final = f'<script>alert(1)</{FORMULA} & "quotes" #1?x=%2e.txt'
"""A path: its directory and its name are hostile."""
HOSTILE_COLUMNS: Final = (SCRIPT, FORMULA, "a'b\"c`d", "__proto__", "x;drop table y--")
DIGIT_COUNT: Final = 20


def fill(store: Store) -> Store:
    """
    Log what the tests look at.

    demo/files    v0 (deleted), v1, v2: plain files; v2 has hostile words in all it tells
    demo/digits   v0, v1: the table `examples`: id, image with boxes, label; v1 has more rows
    demo/guesses  v0: the table `pred`, the joined table `joined`, the image `one`
    demo/hostile  v0: the table `rows` with hostile columns and cells
    other/model   v0: a link to demo/files:v1
    """
    _log_files(store)
    _log_digits(store)
    _log_guesses(store)
    _log_hostile(store)
    return store


def _log_files(store: Store) -> None:
    for number in range(3):
        draft = art.Artifact("files", "dataset", metadata={"step": number, "rate": 0.5})
        _put(draft, "readme.txt", f"version {number}\n" * (number + 1))
        _put(draft, "sub/data.csv", "a,b\n1,2\n")
        if number == 2:
            _make_hostile(draft)
        message = SCRIPT if number == 2 else f"push {number}"
        aliases = ["best"] if number == 1 else []
        store.log_artifact(draft, aliases=aliases, tags=["raw"], message=message)
    store.delete("files:v0", force=True)
    store.artifact("files:v1").link("other/model", ["linked"])


def _make_hostile(draft: art.Artifact) -> None:
    draft.description = (
        f"# About\n\n{SCRIPT}\n\n[good](https://example.org/) [bad](javascript:alert(1)) "
        "![far](https://example.org/x.png)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    draft.metadata = {SCRIPT: FORMULA, "nested": {"list": [1, [SCRIPT], None, True]}}
    _put(draft, HOSTILE_FILE, SCRIPT)


def _put(draft: art.Artifact, path: str, text: str) -> None:
    with draft.new_file(path) as file:
        file.write(text)


def picture(number: int) -> art.Image:
    """An image of 8 x 8 with a box of a hostile class; another one for each number."""
    pixels = (np.arange(64, dtype=np.uint8).reshape(8, 8) * (number + 1)) % 251
    box: dict[str, Any] = {
        "position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.6},
        "class_id": number % 2,
        "scores": {"sure": number / 100},
        "box_caption": SCRIPT,
    }
    layer = {"box_data": [box], "class_labels": {0: "ink", 1: SCRIPT}}
    return art.Image(pixels, caption=f"{SCRIPT} {number}", boxes={"ground truth": layer})


def _log_digits(store: Store) -> None:
    for count in (DIGIT_COUNT, DIGIT_COUNT + 5):
        table = art.Table(["id", "image", "label"])
        for number in range(count):
            table.add_data(number, picture(number), number % 10)
        table.set_pk("id")
        draft = art.Artifact("digits", "dataset")
        draft.add(table, "examples")
        store.log_artifact(draft)


def _log_guesses(store: Store) -> None:
    truth = store.artifact("digits:v0").get("examples")
    pred = art.Table(["id", "guess", "score"])
    for number in range(DIGIT_COUNT):
        pred.add_data(number, number % 10 if number % 3 else 7, number / DIGIT_COUNT)
    draft = art.Artifact("guesses", "predictions")
    draft.add(pred, "pred")
    draft.add(art.JoinedTable(pred, truth, "id"), "joined")
    draft.add(picture(3), "one")
    store.log_artifact(draft)


def _log_hostile(store: Store) -> None:
    table = art.Table(list(HOSTILE_COLUMNS))
    table.add_data(SCRIPT, FORMULA, "</script><b>", 1, {"<img src=x onerror=alert(1)>": [SCRIPT]})
    table.add_data("x" * 10_000, "@SUM(1)", "\u202eevil", 2, None)
    draft = art.Artifact("hostile", "dataset")
    draft.add(table, "rows")
    store.log_artifact(draft)

"""
What one small classifier made of the digits after one epoch, and after five.
"""

from __future__ import annotations

from typing import Any, Final

import artstore as art
from artstore.api import LoggedArtifact, Store

EARLY: Final = "demo/digits-pred:v0/joined"
PAGE: Final = "/p/demo/c/digits-pred/v1/tables/joined"


def fill_epochs(store: Store) -> Store:
    """
    Log the digits, and two versions of predictions.

    demo/digits-table  v0: the table `examples`: id, image, label
    demo/digits-pred   v0, v1: the table `pred`, and `joined`, with the digits that were guessed
    """
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    digits = load_digits()
    pixels = (digits.images.astype("int64") * 255 // 16).astype("uint8")
    truth = art.Table(["id", "image", "label"])
    for number, (image, label) in enumerate(zip(pixels, digits.target, strict=True)):
        truth.add_data(number, art.Image(image), int(label))
    truth.set_pk("id")
    draft = art.Artifact("digits-table", "dataset")
    draft.add(truth, "examples")
    stored = store.log_artifact(draft).get("examples")
    learnt, asked = slice(0, None, 2), slice(1, None, 2)
    flat = pixels.reshape(len(pixels), -1) / 255
    model = MLPClassifier(hidden_layer_sizes=(32,), batch_size=30, random_state=0)
    numbers = list(range(len(pixels)))[asked]
    for epoch in range(1, 6):
        model.partial_fit(flat[learnt], digits.target[learnt], classes=list(range(10)))
        if epoch in (1, 5):
            _log(store, stored, numbers, model.predict_proba(flat[asked]))
    return store


def _log(store: Store, truth: Any, numbers: list[int], scores: Any) -> LoggedArtifact:
    pred = art.Table(["id", "guess", "score_0", "score_1"])
    pred.set_pk("id")
    for number, row in zip(numbers, scores, strict=True):
        pred.add_data(number, int(row.argmax()), float(row[0]), float(row[1]))
    draft = art.Artifact("digits-pred", "predictions")
    draft.add(pred, "pred")
    draft.add(art.JoinedTable(pred, truth, "id"), "joined")
    return store.log_artifact(draft)

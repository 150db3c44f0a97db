"""
The runs of `art demo`: one classifier, three learning rates, and what it guesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore.cli.digits import Digit

if TYPE_CHECKING:
    from artstore.api import Store

__all__ = ["Guessed", "TrialReport", "digit_array", "run_trials"]

_RATES: Final = (0.0001, 0.01, 0.001)
"""Of the last one the predictions are logged."""
_EPOCHS: Final = 5
_SHOWN_EPOCHS: Final = {1: "after one epoch", 5: "after five"}


class Guessed(NamedTuple):
    """What a model made of n digits: [n, number of classes] scores; `learnt` says from how much."""

    model: str
    learnt: str
    ids: list[int]
    classes: list[int]
    scores: Any


@dataclass(frozen=True, slots=True)
class TrialReport:
    """
    Attributes:
        guessed: what one model made of the same digits early in its training, and at its end.
        versions: of each, the version that was logged.
        lines: what came of each run.
    """

    guessed: list[Guessed]
    versions: list[Any]
    lines: list[str]


class _Digits(NamedTuple):
    """[n, pixels] in 0 to 1 and their labels: those that are learnt, and those that are asked."""

    learnt: Any
    known: Any
    asked: Any
    truth: Any
    ids: list[int]
    classes: list[int]


def run_trials(store: Store, digits: Sequence[Digit]) -> TrialReport:
    """
    Train with each learning rate, each as a run that uses the table and logs what it measures.

    Cost: about two seconds.
    """
    found = _halves(digits)
    trials = TrialReport([], [], [])
    try:
        from sklearn.neural_network import MLPClassifier
    except ImportError:
        with _run(store, "nearest mean", {"model": "nearest mean"}) as run:
            for guessed in _nearest_means(found):
                _keep(run, guessed, trials)
            run.summary["accuracy"] = _accuracy(trials.guessed[-1], found)
        return trials
    for rate in _RATES:
        config = {"model": "neural network", "learning_rate": rate, "epochs": _EPOCHS, "hidden": 32}
        with _run(store, f"rate {rate:g}", config) as run:
            model = MLPClassifier(
                hidden_layer_sizes=(32,), batch_size=30, random_state=0, learning_rate_init=rate
            )
            run.define_metric("accuracy", summary="max")
            for epoch in range(1, _EPOCHS + 1):
                model.partial_fit(found.learnt, found.known, classes=found.classes)
                guessed = Guessed(
                    "a small neural network of scikit-learn",
                    _SHOWN_EPOCHS.get(epoch, f"after {epoch}"),
                    found.ids,
                    found.classes,
                    model.predict_proba(found.asked),
                )
                accuracy = _accuracy(guessed, found)
                run.log({"epoch": epoch, "train/loss": model.loss_, "accuracy": accuracy})
                if rate == _RATES[-1] and epoch in _SHOWN_EPOCHS:
                    _keep(run, guessed, trials)
        trials.lines.append(f"run {run.id}, learning rate {rate:g}: {accuracy:.1%} right")
    return trials


def digit_array(digit: Digit) -> Any:
    """Its pixels: uint8 [height, width]."""
    import numpy as np

    return np.array([list(row) for row in digit.pixels], np.uint8)


def _run(store: Store, name: str, config: dict[str, Any]) -> Any:
    from artstore.tracking.starting import init

    run = init(
        project=store.project,
        store=store.url,
        name=name,
        config=config,
        group="demo",
        job_type="train",
        tags=["digits"],
        settings={"silent": True, "save_git": False, "system_seconds": 0.5},
    )
    run.use_artifact("digits-table:latest")
    return run


def _halves(digits: Sequence[Digit]) -> _Digits:
    import numpy as np

    pixels = np.array([digit_array(digit).ravel() / 255 for digit in digits])
    labels = np.array([digit.label for digit in digits])
    learnt, asked = slice(0, None, 2), slice(1, None, 2)
    return _Digits(
        pixels[learnt],
        labels[learnt],
        pixels[asked],
        labels[asked],
        [digit.number for digit in digits[asked]],
        sorted(set(labels[learnt].tolist())),
    )


def _nearest_means(found: _Digits) -> Iterator[Guessed]:
    """What stands in for a model where scikit-learn is not installed."""
    name = "nearest mean (scikit-learn is not installed)"
    for told, count in (("of a few digits", 20), ("of all digits", None)):
        seen = _nearness(found.learnt[:count], found.known[:count], found.classes, found.asked)
        yield Guessed(name, told, found.ids, found.classes, seen)


def _nearness(pixels: Any, labels: Any, classes: Sequence[int], asked: Any) -> Any:
    import numpy as np

    means = np.stack(
        [
            pixels[labels == digit].mean(axis=0) if digit in labels else pixels[0]
            for digit in classes
        ]
    )
    distances = ((asked[:, None, :] - means[None]) ** 2).sum(axis=2)
    return np.exp(-distances) / np.exp(-distances).sum(axis=1, keepdims=True)


def _accuracy(guessed: Guessed, found: _Digits) -> float:
    import numpy as np

    return float((np.array(guessed.classes)[guessed.scores.argmax(axis=1)] == found.truth).mean())


def _keep(run: Any, guessed: Guessed, trials: TrialReport) -> None:
    """Log the predictions, with a table that joins them to the digits they were made of."""
    from artstore.artifact import Artifact
    from artstore.tables.joined import JoinedTable
    from artstore.tables.table import Table

    pred = Table(["id", "guess", *(f"score_{digit}" for digit in guessed.classes)])
    pred.set_pk("id")
    for number, row in zip(guessed.ids, guessed.scores, strict=True):
        pred.add_data(number, guessed.classes[row.argmax()], *row)
    truth = run.use_artifact("digits-table:latest").get("examples")
    draft = Artifact("digits-pred", "predictions")
    draft.add(pred, "pred")
    draft.add(JoinedTable(pred, truth, "id"), "joined")
    trials.guessed.append(guessed)
    trials.versions.append(run.log_artifact(draft))

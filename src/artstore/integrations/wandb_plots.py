"""
`wandb.plot`: each plot is the table of what it shows, for the page and for queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from artstore.errors import InvalidInputError
from artstore.tables.table import Table

__all__ = [
    "bar",
    "confusion_matrix",
    "histogram",
    "line",
    "line_series",
    "plot_table",
    "pr_curve",
    "roc_curve",
    "scatter",
]


def plot_table(
    vega_spec_name: str,  # noqa: ARG001 - W&B's: how it would be drawn there
    data_table: Table,
    fields: Any = None,  # noqa: ARG001 - as above
    string_fields: Any = None,  # noqa: ARG001 - as above
    split_table: bool = False,  # noqa: ARG001, FBT001, FBT002 - as above
) -> Table:
    """The table of a plot of one's own."""
    return data_table


def line(table: Table, x: str, y: str, stroke: str | None = None, **_: Any) -> Table:
    """The columns `x`, `y` and `stroke`."""
    return _columns(table, x, y, *([stroke] if stroke else []))


def scatter(table: Table, x: str, y: str, **_: Any) -> Table:
    """The columns `x` and `y`."""
    return _columns(table, x, y)


def bar(table: Table, label: str, value: str, **_: Any) -> Table:
    """The columns `label` and `value`."""
    return _columns(table, label, value)


def histogram(table: Table, value: str, **_: Any) -> Table:
    """The column `value`."""
    return _columns(table, value)


def line_series(
    xs: Sequence[Any], ys: Sequence[Sequence[Any]], keys: Sequence[str] | None = None, **_: Any
) -> Table:
    """A row for each point of each line: `step`, `lineKey`, `lineVal`."""
    many = list(xs) if len(xs) and isinstance(xs[0], (list, tuple, np.ndarray)) else [xs] * len(ys)
    names = list(keys) if keys else [f"key_{number}" for number in range(len(ys))]
    if not len(many) == len(ys) == len(names):
        raise InvalidInputError(
            f"{len(many)} xs, {len(ys)} ys and {len(names)} keys are not lines",
            code="value-invalid",
        )
    rows = [
        [x, name, y]
        for name, one_xs, one_ys in zip(names, many, ys, strict=True)
        for x, y in zip(one_xs, one_ys, strict=False)
    ]
    return Table(columns=["step", "lineKey", "lineVal"], data=rows)


def confusion_matrix(
    probs: Any = None,
    y_true: Any = None,
    preds: Any = None,
    class_names: Sequence[str] | None = None,
    **_: Any,
) -> Table:
    """
    How often each class was taken for each: `Actual`, `Predicted`, `nPredictions`.

    Raises:
        InvalidInputError: `value-invalid`.
    """
    if (probs is None) == (preds is None) or y_true is None:
        raise InvalidInputError(
            "confusion_matrix wants y_true and either probs or preds", code="value-invalid"
        )
    found = np.argmax(np.asarray(probs), axis=1) if preds is None else np.asarray(preds)
    truth = np.asarray(y_true)
    # Classes may be texts: they are counted by their places.
    known, places = np.unique(np.concatenate([truth, found]), return_inverse=True)
    are_numbers = np.issubdtype(known.dtype, np.integer)
    if are_numbers:
        count = max(int(known.max(initial=-1)) + 1, len(class_names or ()))
        places = np.concatenate([truth, found])
        names = [str(one) for one in class_names or [f"Class_{n + 1}" for n in range(count)]]
    else:
        count, names = len(known), [str(one) for one in known]
    if count > len(names):
        raise InvalidInputError(
            f"there are {count} classes and {len(names)} names", code="value-invalid"
        )
    matrix = np.zeros((count, count), np.int64)
    np.add.at(matrix, (places[: len(truth)], places[len(truth) :]), 1)
    rows = [[names[i], names[j], int(matrix[i, j])] for i in range(count) for j in range(count)]
    return Table(columns=["Actual", "Predicted", "nPredictions"], data=rows)


def roc_curve(
    y_true: Any,
    y_probas: Any,
    labels: Sequence[str] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    **_: Any,
) -> Table:
    """Points of a curve for each class: `class`, `fpr`, `tpr`."""
    rows = []
    for name, is_true, score in _one_against_rest(y_true, y_probas, labels, classes_to_plot):
        true, false, _ = _counts(is_true, score)
        tpr = np.concatenate([[0.0], true / max(true[-1], 1)])
        fpr = np.concatenate([[0.0], false / max(false[-1], 1)])
        rows += [[name, float(x), float(y)] for x, y in zip(fpr, tpr, strict=True)]
    return Table(columns=["class", "fpr", "tpr"], data=rows)


def pr_curve(
    y_true: Any,
    y_probas: Any,
    labels: Sequence[str] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    **_: Any,
) -> Table:
    """Points of a curve for each class: `class`, `recall`, `precision`."""
    rows = []
    for name, is_true, score in _one_against_rest(y_true, y_probas, labels, classes_to_plot):
        true, false, _ = _counts(is_true, score)
        recall, precision = true / max(true[-1], 1), true / np.maximum(true + false, 1)
        rows += [[name, float(x), float(y)] for x, y in zip(recall, precision, strict=True)]
    return Table(columns=["class", "recall", "precision"], data=rows)


def _columns(table: Table, *names: str) -> Table:
    """A table of these columns; rows as the table has them."""
    places = [list(table.columns).index(name) for name in names]
    return Table(columns=list(names), data=[[row[place] for place in places] for row in table.data])


def _one_against_rest(
    y_true: Any, y_probas: Any, labels: Sequence[str] | None, wanted: Sequence[Any] | None
) -> list[tuple[str, Any, Any]]:
    truth, scores = np.asarray(y_true), np.asarray(y_probas, dtype=float)
    if not len(truth):
        raise InvalidInputError("a curve of no rows", code="value-invalid")
    classes = np.unique(truth)
    if scores.ndim == 1:
        scores, classes = scores[:, None], classes[-1:]
    found = []
    for place, one in enumerate(classes):
        if wanted is not None and one not in wanted:
            continue
        column = int(one) if np.issubdtype(classes.dtype, np.integer) else place
        column = column if column < scores.shape[1] else place
        name = str(labels[column]) if labels is not None and column < len(labels) else str(one)
        found.append((name, truth == one, scores[:, column]))
    return found


def _counts(is_true: Any, score: Any) -> tuple[Any, Any, Any]:
    """Of each threshold, from the highest down, how many above it are true and false."""
    order = np.argsort(-score, kind="stable")
    score, is_true = score[order], is_true[order]
    last = np.array([*(before != after for before, after in pairwise(score)), True])
    true, false = np.cumsum(is_true), np.cumsum(~is_true)
    return true[last], false[last], score[last]

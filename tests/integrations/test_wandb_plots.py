"""`wandb.plot`: the tables of plots."""

from __future__ import annotations

from typing import Any

import pytest

import artstore as art
from artstore.integrations import wandb_plots as plot


def rows(table: Any) -> list[list[Any]]:
    return [list(row) for row in table.data]


def test_a_confusion_matrix_counts_classes_by_number_or_by_name() -> None:
    by_score = plot.confusion_matrix(probs=[[0.9, 0.1], [0.8, 0.2]], y_true=[0, 1])
    assert rows(by_score) == [
        ["Class_1", "Class_1", 1],
        ["Class_1", "Class_2", 0],
        ["Class_2", "Class_1", 1],
        ["Class_2", "Class_2", 0],
    ]
    by_name = plot.confusion_matrix(y_true=["cat", "dog"], preds=["dog", "dog"])
    assert [row for row in rows(by_name) if row[2]] == [["cat", "dog", 1], ["dog", "dog", 1]]
    with pytest.raises(art.InvalidInputError):
        plot.confusion_matrix(y_true=[0])
    with pytest.raises(art.InvalidInputError, match="3 classes and 1 names"):
        plot.confusion_matrix(y_true=[0, 2], preds=[0, 1], class_names=["a"])


def test_a_roc_curve_has_a_point_for_each_score_and_begins_at_zero() -> None:
    table = plot.roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    assert table.columns == ["class", "fpr", "tpr"]
    assert [row[1:] for row in rows(table)] == [[0, 0], [0, 0.5], [0.5, 0.5], [0.5, 1], [1, 1]]


def test_equal_scores_are_one_point_of_a_curve() -> None:
    table = plot.pr_curve([1, 0, 1], [0.5, 0.5, 0.9])
    assert rows(table) == [["1", 0.5, 1.0], ["1", 1.0, pytest.approx(2 / 3)]]


def test_lines_are_rows_of_step_name_and_value() -> None:
    table = plot.line_series([0, 1], [[1, 2], [3, 4]], keys=["a", "b"])
    assert rows(table) == [[0, "a", 1], [1, "a", 2], [0, "b", 3], [1, "b", 4]]
    with pytest.raises(art.InvalidInputError):
        plot.line_series([0, 1], [[1, 2]], keys=["a", "b"])

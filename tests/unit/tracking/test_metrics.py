"""What `define_metric` says, and which rule counts."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from artstore.errors import InvalidInputError
from artstore.tracking.metrics import Metric, MetricRules


@pytest.fixture
def changes() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def rules(changes) -> MetricRules:
    return MetricRules(changes.append)


def found(rules: MetricRules, key: str) -> str | None:
    metric = rules.of(key)
    return None if metric is None else metric.name


def test_a_definition_says_what_was_given_and_is_told(rules, changes):
    metric = rules.define("val/acc", "epoch", hidden=True, summary="max, MIN", goal="maximize")
    assert metric == Metric("val/acc", "epoch", True, True, ("min", "max"), "maximize")
    assert rules.of("val/acc") == metric
    assert changes == [
        {
            "metrics": {
                "val/acc": {
                    "step_metric": "epoch",
                    "step_sync": True,
                    "hidden": True,
                    "summary": ["min", "max"],
                    "goal": "maximize",
                }
            }
        }
    ]


def test_a_name_alone_is_a_definition(rules, changes):
    assert rules.define("epoch") == Metric("epoch")
    assert changes == [{"metrics": {"epoch": {}}}]


def test_a_step_metric_may_be_what_define_gave(rules):
    assert rules.define("loss", rules.define("epoch")).step_metric == "epoch"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("val/acc", "val/acc"),
        ("val/loss", "val/*"),
        ("val/per_class/cat", "val/per_class/*"),
        ("other", "*"),
        ("_step", None),
        ("_own", "_own"),
    ],
)
def test_the_exact_name_counts_then_the_longest_glob_in_whatever_order_they_came(key, expected):
    names = ["val/acc", "val/*", "val/per_class/*", "*", "_own"]
    for order in itertools.permutations(names):
        rules = MetricRules()
        for name in order:
            rules.define(name)
            rules.of(key)
        assert found(rules, key) == expected


def test_an_exact_definition_takes_nothing_of_globs(rules):
    rules.define("val/*", "epoch")
    rules.define("val/acc", summary="max")
    assert rules.of("val/acc") == Metric("val/acc", summary=("max",))


def test_names_with_escaped_dots_are_those_of_history(rules):
    rules.define(r"val\.acc", summary="max")
    rules.define(r"train\.*", summary="min")
    assert found(rules, "val.acc") == r"val\.acc"
    assert found(rules, "train.loss") == r"train\.*"
    assert rules.define("val.acc", hidden=True).summary == ("max",)


def test_several_calls_add_up(rules):
    rules.define("acc", "epoch", summary="max")
    metric = rules.define("acc", hidden=True, summary="min,mean")
    assert metric == Metric("acc", "epoch", True, True, ("min", "max", "mean"))
    assert rules.define("acc", step_sync=False).step_sync is False
    assert rules.define("acc", hidden=False).hidden is False


def test_none_takes_summaries_back_and_others_take_none_back(rules):
    rules.define("acc", summary="max")
    assert not rules.define("acc", summary="none").has_summary
    assert rules.define("acc", summary="mean").statistics == ("mean",)


def test_overwrite_forgets_what_was_said_before(rules):
    rules.define("acc", "epoch", summary="max")
    assert rules.define("acc", summary="min", overwrite=True) == Metric("acc", summary=("min",))


@pytest.mark.parametrize(
    ("summary", "statistics", "has_summary"),
    [
        (None, (), True),
        ("", (), True),
        ("copy", (), True),
        ("copy,max", ("max",), True),
        ("none", (), False),
        ("none,max", (), False),
        ("last", ("last",), True),
        ("best,first", ("first", "best"), True),
    ],
)
def test_summaries_say_what_is_kept(rules, summary, statistics, has_summary):
    metric = rules.define("acc", summary=summary)
    assert (metric.statistics, metric.has_summary) == (statistics, has_summary)


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": ""},
        {"name": None},
        {"name": 3},
        {"name": "a*b"},
        {"name": "*a*"},
        {"name": "a", "step_metric": 3},
        {"name": "a", "step_sync": 1},
        {"name": "a", "hidden": "yes"},
        {"name": "a", "summary": "median"},
        {"name": "a", "summary": ["max"]},
        {"name": "a", "goal": "up"},
        {"name": "a", "overwrite": 0},
    ],
)
def test_what_cannot_be_defined_is_refused_and_not_told(rules, changes, arguments):
    with pytest.raises(InvalidInputError) as caught:
        rules.define(**arguments)
    assert caught.value.code == "metric-invalid"
    assert not changes
    assert not rules.to_json()


def test_rules_are_restored_from_what_was_told(rules, changes):
    rules.define("loss", "epoch", summary="min")
    rules.define("val/*", summary="none")
    other = MetricRules(known=rules.to_json())
    assert other.to_json() == rules.to_json()
    assert other.is_completing
    third = MetricRules()
    for change in changes:
        third.restore(change["metrics"])
    assert third.of("val/acc") == rules.of("val/acc")


def test_without_step_metrics_no_row_is_to_be_completed(rules):
    rules.define("loss", summary="min")
    rules.define("acc", "epoch", step_sync=False)
    assert not rules.is_completing


def test_a_row_gets_the_last_value_of_its_step_metric(rules):
    rules.define("val/*", step_metric="epoch")
    assert rules.is_completing
    assert rules.complete({"val/acc": 0.5}) == {"val/acc": 0.5, "epoch": 0}
    row = {"epoch": 3, "loss": 1.0}
    assert rules.complete(row) is row
    assert rules.complete({"loss": 2.0}) == {"loss": 2.0}
    assert rules.complete({"val/acc": 0.6}) == {"val/acc": 0.6, "epoch": 3}
    assert rules.complete({"val/acc": 0.7, "epoch": 4}) == {"val/acc": 0.7, "epoch": 4}
    assert rules.complete({"val/acc": 0.8})["epoch"] == 4


def test_only_numbers_become_the_last_value_of_a_step_metric(rules):
    rules.define("acc", step_metric="epoch")
    rules.complete({"epoch": 2})
    for value in ("three", None, True):
        rules.complete({"epoch": value})
    assert rules.complete({"acc": 0.5}) == {"acc": 0.5, "epoch": 2}


def test_a_row_gets_several_step_metrics(rules):
    rules.define("acc", step_metric="epoch")
    rules.define("loss", step_metric="batch")
    rules.complete({"epoch": 1, "batch": 70})
    assert rules.complete({"acc": 1, "loss": 2}) == {"acc": 1, "loss": 2, "epoch": 1, "batch": 70}

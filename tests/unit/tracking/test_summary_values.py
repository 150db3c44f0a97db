"""What a summary holds: rows, statistics, values set by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.tracking.metrics import MetricRules
from artstore.tracking.summaryvalues import SummaryValues


@pytest.fixture
def rules() -> MetricRules:
    return MetricRules()


@pytest.fixture
def values(rules) -> SummaryValues:
    return SummaryValues(rules)


def feed(values: SummaryValues, first: int, **columns: list[Any]) -> None:
    rows = len(next(iter(columns.values())))
    names = [name.replace("__", ".") for name in columns]
    values.feed(names, list(columns.values()), range(first, first + rows))


def test_the_last_value_of_each_key_is_its_summary(values):
    feed(values, 0, loss=[3.0, 2.0], name=["a", "b"])
    feed(values, 2, loss=[1.0])
    assert values.to_dict() == {"loss": 1.0, "name": "b"}


def test_groups_may_come_in_any_order(values):
    feed(values, 5, loss=[1.0], acc=[0.9])
    feed(values, 0, loss=[9.0, 8.0])
    assert values.to_dict() == {"loss": 1.0, "acc": 0.9}


def test_a_value_that_is_missing_leaves_the_last_one(values):
    feed(values, 0, val_loss=[2.0], other=[None])
    feed(values, 1, val_loss=[None, None])
    feed(values, 3, val_loss=[1.0, None])
    assert values.to_dict() == {"val_loss": 1.0}
    values.put("val_loss", None)
    assert values.to_dict() == {"val_loss": None}


def test_statistics_are_dicts_as_in_wandb(rules, values):
    rules.define("acc", summary="min,max,mean")
    feed(values, 0, acc=[0.5, 0.25, 0.75], loss=[1, 2, 3])
    assert values.to_dict() == {"acc": {"min": 0.25, "max": 0.75, "mean": 0.5}, "loss": 3}
    assert values.find("acc.max") == values.find("acc")["max"] == 0.75


def test_what_is_defined_without_summary_has_none(rules, values):
    rules.define("debug/*", summary="none")
    feed(values, 0, **{"debug/x": [1], "loss": [2]})
    assert values.to_dict() == {"loss": 2}
    values.put("debug/x", 5)
    assert values.to_dict() == {"loss": 2, "debug/x": 5}


def test_copy_is_the_last_value_itself(rules, values):
    rules.define("acc", summary="copy")
    feed(values, 0, acc=[1, 2])
    assert values.to_dict() == {"acc": 2}


def test_statistics_of_texts_are_left_out(rules, values):
    rules.define("name", summary="max")
    feed(values, 0, name=["a"])
    assert values.to_dict() == {}


def test_a_value_set_by_hand_stays_until_it_is_logged_again(rules, values):
    rules.define("best", summary="max")
    feed(values, 0, acc=[0.5], best=[3])
    values.put("acc", 0.9)
    values.put("best", 7)
    feed(values, 1, loss=[1.0])
    assert values.to_dict() == {"acc": 0.9, "best": 7, "loss": 1.0}
    feed(values, 2, acc=[0.1], best=[2])
    assert values.to_dict() == {"acc": 0.1, "best": {"max": 3}, "loss": 1.0}


def test_keys_with_dots_are_dicts_in_dicts(values):
    feed(values, 0, val__acc=[0.5], val__loss__ce=[2.0], lr=[1])
    assert values.to_dict() == {"val": {"acc": 0.5, "loss": {"ce": 2.0}}, "lr": 1}
    assert values.find("val") == {"acc": 0.5, "loss": {"ce": 2.0}}
    assert values.find("val.loss") == {"ce": 2.0}
    assert values.top_keys() == ["val", "lr"]


@pytest.mark.parametrize("order", [("val", "val.acc"), ("val.acc", "val")])
def test_where_a_key_is_a_value_too_nothing_is_lost(values, order):
    for at, key in enumerate(order):
        values.feed([key], [[at]], [at])
    assert values.to_dict() == {"val": order.index("val"), "val.acc": order.index("val.acc")}
    assert values.find("val.acc") == order.index("val.acc")


@pytest.mark.parametrize("key", ["a.", ".a", "a..b", "."])
def test_dots_that_name_nothing_stay_in_the_key(values, key):
    values.feed([key], [[1]], [0])
    assert values.to_dict() == {key: 1}
    assert values.find(key) == 1


def test_what_is_not_there_is_missing(values):
    feed(values, 0, val__acc=[0.5])
    for key in ("x", "va", "val.x", "val.acc.x", "val.", ""):
        with pytest.raises(KeyError):
            values.find(key)


def test_a_dict_set_by_hand_replaces_all_below_its_key(values):
    feed(values, 0, val__acc=[0.5], val__loss=[1])
    values.put("val", {"f1": 0.7, "per": {"cat": 1}})
    assert values.to_dict() == {"val": {"f1": 0.7, "per": {"cat": 1}}}
    feed(values, 1, val__acc=[0.6])
    assert values.to_dict() == {"val": {"f1": 0.7, "per": {"cat": 1}, "acc": 0.6}}


def test_a_member_of_a_dict_that_came_whole_is_set_in_it(rules, values):
    rules.define("acc", summary="min,max")
    feed(values, 0, acc=[1, 2])
    values.put("acc.max", 5)
    values.put("acc.of.whom", "me")
    assert values.to_dict() == {"acc": {"min": 1, "max": 5, "of": {"whom": "me"}}}
    assert values.remove("acc.of.whom")
    assert not values.remove("acc.of.whom")
    assert values.to_dict() == {"acc": {"min": 1, "max": 5}}
    feed(values, 2, acc=[0])
    assert values.to_dict() == {"acc": {"min": 0, "max": 2}}


def test_keys_are_removed_with_all_below_them(values):
    feed(values, 0, val__acc=[0.5], val__loss=[1], lr=[1])
    assert values.remove("val.acc")
    assert values.to_dict() == {"val": {"loss": 1}, "lr": 1}
    assert values.remove("val")
    assert not values.remove("val")
    assert values.to_dict() == {"lr": 1}


def test_what_is_given_is_a_copy(values):
    values.put("a", [1])
    values.find("a").append(2)
    values.to_dict()["a"].append(2)
    assert values.find("a") == [1]


def test_columns_of_json_are_read(rules, values):
    rules.define("image", summary="first,last")
    texts = ['{"_type": "image-file", "n": 1}', '{"_type": "image-file", "n": 2}']
    values.feed(["image", "x"], [texts, ["[1]", "[2]"]], [0, 1], ["json", "json"])
    assert values.find("x") == [2]
    assert [values.find("image")[name]["n"] for name in ("first", "last")] == [1, 2]


def test_changes_are_whole_top_level_keys_and_told_once(values):
    feed(values, 0, val__acc=[0.5], lr=[1], loss=[math.nan])
    assert values.take_changes() == {
        "summary": {"val": {"acc": 0.5}, "lr": 1, "loss": {"$": "number", "v": "nan"}}
    }
    assert values.take_changes() == {}
    feed(values, 1, val__loss=[2], lr=[1], loss=[math.nan])
    assert values.take_changes() == {"summary": {"val": {"acc": 0.5, "loss": 2}}}
    values.remove("val.acc")
    values.remove("lr")
    assert values.take_changes() == {"summary": {"val": {"loss": 2}}, "summary_removed": ["lr"]}


def test_changes_of_one_key_leave_the_others_for_later(values):
    feed(values, 0, val__acc=[0.5], lr=[1])
    assert values.take_changes("val.x") == {"summary": {"val": {"acc": 0.5}}}
    assert values.take_changes() == {"summary": {"lr": 1}}


def test_a_key_that_becomes_a_value_takes_its_dict_back(values):
    feed(values, 0, val__acc=[0.5])
    values.take_changes()
    feed(values, 1, val=[3])
    assert values.take_changes() == {"summary": {"val": 3, "val.acc": 0.5}}
    values.remove("val.acc")
    assert values.take_changes() == {"summary_removed": ["val.acc"]}


def test_a_number_that_becomes_a_truth_value_is_a_change(values):
    values.put("a", 1)
    values.take_changes()
    values.put("a", True)
    assert values.take_changes() == {"summary": {"a": True}}


def test_an_earlier_session_is_gone_on_with(rules):
    rules.define("acc", summary="max,mean")
    earlier = {"acc": {"max": 9, "mean": 5}, "val": {"x": {"$": "number", "v": "inf"}}, "n": 3}
    values = SummaryValues(rules, earlier)
    assert values.take_changes() == {}
    feed(values, 0, acc=[1, 2])
    assert values.to_dict() == {"val": {"x": math.inf}, "n": 3, "acc": {"max": 9, "mean": 1.5}}
    assert values.take_changes() == {"summary": {"acc": {"max": 9, "mean": 1.5}}}


def test_statistics_go_on_after_a_change_beside_them(rules):
    rules.define("val.acc", summary="max")
    values, other = SummaryValues(rules), SummaryValues(rules)
    for each in (values, other):
        feed(each, 0, val__acc=[3])
    values.put("val.note", "x")
    other.apply(values.take_changes("val"))
    for each in (values, other):
        feed(each, 1, val__acc=[2])
        assert each.to_dict() == {"val": {"acc": {"max": 3}, "note": "x"}}


def test_a_change_leaves_alone_what_has_dots_at_the_top(values):
    values.apply({"summary": {"a.b.c": 1, "a": {"b": 2}}})
    assert values.to_dict() == {"a": {"b": 2}, "a.b.c": 1}
    values.apply({"summary": {"a": {"b": 3}}})
    assert values.to_dict() == {"a": {"b": 3}, "a.b.c": 1}
    values.apply({"summary": {"a": {"b": {"d": 1}}}, "summary_removed": ["a.b.c"]})
    assert values.to_dict() == {"a": {"b": {"d": 1}}}


NAMES = st.sampled_from(["a", "b", "a.b", "a.c", "a.b.c", "a.b.c.d", "b.c"])
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["feed", "put", "remove", "take"]),
        NAMES,
        st.sampled_from([1, 2, {"c": 3}, {"b": {"c": 4}}, {}]),
    )
)


@given(ACTS)
def test_changes_put_together_are_the_summary(acts):
    values, kept = SummaryValues(MetricRules()), {}
    other = SummaryValues(MetricRules())

    def apply(changes: dict[str, Any]) -> None:
        other.apply(changes)
        kept.update(changes.get("summary", {}))
        for key in changes.get("summary_removed", []):
            del kept[key]

    for at, (act, key, value) in enumerate(acts):
        if act == "feed":
            values.feed([key], [[at]], [at])
        elif act == "put":
            values.put(key, value)
        elif act == "remove":
            values.remove(key)
        else:
            apply(values.take_changes(key))
    apply(values.take_changes())
    assert kept == values.to_dict() == other.to_dict()
    assert SummaryValues(MetricRules(), kept).to_dict() == kept
    assert json.loads(json.dumps(kept)) == kept
    assert values.top_keys() == list(values.to_dict())

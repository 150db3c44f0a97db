"""The summary of a run, as a program sees it."""

from __future__ import annotations

import copy
import json
import math
import pickle
import threading
from collections.abc import MutableMapping
from typing import Any

import numpy as np
import pytest
import torch

from artstore import Image
from artstore.errors import InvalidInputError, NotFoundError
from artstore.tracking.metrics import MetricRules
from artstore.tracking.rowgroups import LoggedRows
from artstore.tracking.summary import Summary


class Recorder:
    """Rows that were logged and not handed on yet, as a recorder has them."""

    def __init__(self) -> None:
        self.rules = MetricRules()
        self.changes: list[dict[str, Any]] = []
        self.waiting: list[LoggedRows] = []
        self.calls = 0
        self.summary = Summary(
            self.rules,
            pull=self.flush,
            on_change=self.changes.append,
            store=lambda key, found: {"_type": "kept", "key": key, "kind": found.kind},
        )

    def log(self, **row: Any) -> None:
        columns = [[value] for value in row.values()]
        seqs, keys = [self.calls], tuple(name.replace("__", ".") for name in row)
        types = ("f8",) * len(keys)
        self.waiting.append(LoggedRows(keys, types, seqs, [self.calls], [50.0], columns))
        self.calls += 1

    def flush(self) -> None:
        while self.waiting:
            self.summary.feed_rows(self.waiting.pop(0))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def summary(recorder) -> Summary:
    return recorder.summary


def test_what_was_just_logged_is_there(recorder, summary):
    recorder.log(loss=0.5)
    assert (summary["loss"], summary.loss, summary.get("loss"), "loss" in summary) == (0.5,) * 3 + (
        True,
    )
    recorder.log(loss=0.25)
    assert dict(summary) == {"loss": 0.25, "_step": 1, "_timestamp": 50.0}


def test_it_is_a_mutable_mapping(summary):
    summary.update({"a": 1}, b=2)
    assert isinstance(summary, MutableMapping)
    assert summary == {"a": 1, "b": 2}
    assert (list(summary.keys()), len(summary), list(summary)) == (["a", "b"], 2, ["a", "b"])
    assert summary.pop("a") == 1
    assert summary.setdefault("c", 3) == 3
    summary.clear()
    assert summary == {}


def test_inner_dicts_are_reached_by_items_attributes_and_dots(recorder, summary):
    recorder.log(val__acc=0.5)
    recorder.log(val__loss=2.0)
    assert summary["val"]["acc"] == summary["val.acc"] == summary.val.acc == 0.5
    assert summary.val == {"acc": 0.5, "loss": 2.0}
    assert repr(summary["val"]) == "{'acc': 0.5, 'loss': 2.0}"


def test_what_is_set_in_an_inner_dict_is_set_in_the_run(recorder, summary):
    recorder.log(val__acc=0.5)
    part = summary["val"]
    part["best"] = 0.9
    part.top5 = 0.95
    del part["acc"]
    part.update(a=1, b=2)
    assert summary.as_dict()["val"] == {"best": 0.9, "top5": 0.95, "a": 1, "b": 2}
    assert recorder.changes[-1] == {"summary": {"val": {"best": 0.9, "top5": 0.95, "a": 1, "b": 2}}}


def test_a_value_set_by_hand_wins_until_it_is_logged_again(recorder, summary):
    recorder.log(acc=0.5)
    summary["acc"] = 0.9
    recorder.log(loss=1.0)
    assert summary["acc"] == 0.9
    recorder.log(acc=0.6)
    assert summary["acc"] == 0.6


def test_what_was_logged_before_does_not_win_because_it_is_written_later(recorder, summary):
    recorder.log(acc=0.5)
    # Nobody has read the summary in between.
    summary.acc = 0.9
    assert summary.acc == 0.9


def test_setting_and_removing_are_told_rows_are_not(recorder, summary):
    recorder.log(loss=1.0)
    summary["acc"] = np.float32(0.5)
    summary.update({"a": math.nan, "net": {"n": torch.tensor(3)}})
    del summary.acc
    assert recorder.changes == [
        {"summary": {"acc": 0.5}},
        {"summary": {"a": {"$": "number", "v": "nan"}, "net": {"n": 3}}},
        {"summary_removed": ["acc"]},
    ]
    assert math.isnan(summary.a)
    assert summary.take_changes() == {"summary": {"loss": 1.0, "_step": 0, "_timestamp": 50.0}}
    assert summary.take_changes() == {}


def test_statistics_are_inner_dicts(recorder, summary):
    recorder.rules.define("acc", summary="max,min")
    for acc in (0.5, 0.25, 0.75):
        recorder.log(acc=acc)
    assert summary["acc"] == {"max": 0.75, "min": 0.25}
    assert summary["acc.max"] == summary.acc.max == 0.75


def test_what_is_not_there_is_missing_as_in_dicts_and_objects(summary):
    for kind in (KeyError, NotFoundError):
        with pytest.raises(kind) as caught:
            summary["val"]
        assert caught.value.code == "summary-key-unknown"
    assert not hasattr(summary, "val")
    assert summary.get("val", 5) == 5
    for key in ("val", "val.acc"):
        with pytest.raises(KeyError):
            del summary[key]


def test_arrays_lists_and_media_are_stored(summary):
    summary["weights"] = np.arange(100)
    summary["list"] = list(range(5_000))
    summary["image"] = Image(np.zeros((2, 2), np.uint8))
    summary["images"] = [Image(np.zeros((2, 2), np.uint8))]
    assert summary["weights"]["_type"] == "histogram"
    assert len(summary["list"]) == 5_000
    assert summary["image"] == {"_type": "kept", "key": "image", "kind": "media"}
    assert summary["images"]["kind"] == "media-list"
    json.dumps(dict(summary), allow_nan=False)


def test_media_without_a_place_to_store_them_are_refused():
    summary = Summary(MetricRules())
    with pytest.raises(InvalidInputError) as caught:
        summary.update({"a": 1, "image": Image(np.zeros((2, 2), np.uint8))})
    assert caught.value.code == "value-unknown"
    assert summary == {}


def test_a_part_may_be_set_elsewhere(summary):
    summary["val"] = {"acc": 0.5}
    summary["test"] = summary["val"]
    summary["val"]["acc"] = 1
    assert summary["test"] == {"acc": 0.5}


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda summary: pickle.loads(pickle.dumps(summary))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_is_a_plain_dict(summary, copied):
    summary["val"] = {"acc": 0.5}
    other = copied(summary)
    assert type(other) is dict
    assert other == {"val": {"acc": 0.5}}


def test_its_representation_is_short(summary):
    summary.update({f"key{number}": "x" * 100 for number in range(1_000)})
    assert len(repr(summary)) < 500


def test_an_earlier_session_is_there_and_not_told():
    changes: list[dict[str, Any]] = []
    summary = Summary(MetricRules(), on_change=changes.append, earlier={"val": {"acc": 0.5}})
    assert summary["val.acc"] == 0.5
    assert summary.take_changes() == {}
    assert not changes


def test_rows_are_fed_while_others_read_and_set():
    rules = MetricRules()
    rules.define("acc", summary="max")
    told: list[dict[str, Any]] = []
    summary = Summary(rules, on_change=told.append)

    def write() -> None:
        for at in range(2_000):
            summary.feed_rows(LoggedRows(("acc",), ("i8",), [at], [at], [0.0], [[at]]))

    def use() -> None:
        for at in range(300):
            summary[f"mine.{at}"] = at
            summary.as_dict()

    threads = [threading.Thread(target=write), *(threading.Thread(target=use) for _ in range(3))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert summary["acc.max"] == 1_999
    assert len(summary["mine"]) == 300
    assert told[-1]["summary"]["mine"] == summary["mine"].as_dict()

"""The config of a run."""

from __future__ import annotations

import argparse
import copy
import json
import math
import pickle
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from artstore import Artifact, Image
from artstore.errors import InvalidInputError, NotFoundError, StateError
from artstore.tracking.config import Config


@pytest.fixture
def changes() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def config(changes) -> Config:
    return Config(on_change=changes.append)


def test_values_are_read_and_set_as_items_and_attributes(config, changes):
    config["lr"] = 0.1
    config.epochs = 3
    assert (config.lr, config["epochs"], config.get("lr"), config.get("x", 5)) == (0.1, 3, 0.1, 5)
    assert changes == [{"config": {"lr": 0.1}}, {"config": {"epochs": 3}}]


def test_it_is_a_mapping(config):
    config.update({"a": 1, "b": 2})
    assert isinstance(config, Mapping)
    assert dict(config) == {**config} == config.as_dict() == {"a": 1, "b": 2}
    assert (list(config.keys()), list(config.items())) == (["a", "b"], [("a", 1), ("b", 2)])
    assert ("a" in config, "x" in config, len(config)) == (True, False, 2)
    assert config == {"a": 1, "b": 2}


def test_what_is_not_there_is_missing_as_in_dicts_and_objects(config):
    for kind in (KeyError, NotFoundError):
        with pytest.raises(kind) as caught:
            config["lr"]
        assert caught.value.code == "config-key-unknown"
    assert not hasattr(config, "lr")
    assert getattr(config, "lr", 5) == 5
    with pytest.raises(KeyError):
        del config["lr"]


def test_one_update_is_one_change(config, changes):
    config.update(argparse.Namespace(lr=0.1, net={"width": 3}))
    assert changes == [{"config": {"lr": 0.1, "net": {"width": 3}}}]
    assert config["net"]["width"] == config.net["width"] == 3


def test_another_value_is_refused_unless_allowed(config, changes):
    config.update({"lr": 0.1, "n": 1})
    with pytest.raises(StateError) as caught:
        config.update({"n": 2, "new": 3})
    assert caught.value.code == "config-value-changed"
    assert "allow_val_change" in str(caught.value.hint)
    # All or nothing.
    assert config.as_dict() == {"lr": 0.1, "n": 1}
    with pytest.raises(StateError):
        config.lr = 0.2
    config.update({"lr": 0.2}, allow_val_change=True)
    assert config.lr == 0.2
    assert changes[1:] == [{"config": {"lr": 0.2}}]


def test_the_same_value_again_is_no_change(config, changes):
    values = {"lr": math.nan, "net": {"widths": [1, math.inf]}, "n": np.int64(3)}
    for _ in range(2):
        config.update(values)
    assert len(changes) == 1


def test_a_notebook_may_change_values_unless_told_not_to(changes):
    config = Config(may_change=True, on_change=changes.append)
    config.lr = 0.1
    config.lr = 0.2
    assert config.lr == 0.2
    with pytest.raises(StateError):
        config.update({"lr": 0.3}, allow_val_change=False)


def test_an_update_replaces_all_below_a_top_level_name(config):
    config.update({"optim": {"lr": 0.1, "name": "sgd"}})
    config.update({"optim": {"lr": 0.2}}, allow_val_change=True)
    assert config["optim"] == {"lr": 0.2}


def test_defaults_are_set_where_nothing_is(config, changes):
    config.lr = 0.1
    config.setdefaults({"lr": 5, "--n": 2})
    config.setdefaults({"n": 7})
    assert config.as_dict() == {"lr": 0.1, "n": 2}
    assert changes == [{"config": {"lr": 0.1}}, {"config": {"n": 2}}]


def test_dashes_around_names_are_left_out_as_in_wandb(config):
    config.update({"--batch-size": 3})
    assert config["batch-size"] == 3


def test_values_are_told_as_strict_json(config, changes):
    config.update({"a": math.nan, "b": {1: (np.float32(0.5), -math.inf)}, "c": np.arange(3)})
    assert json.loads(json.dumps(changes[0], allow_nan=False)) == {
        "config": {
            "a": {"$": "number", "v": "nan"},
            "b": {"1": [0.5, {"$": "number", "v": "-inf"}]},
            "c": [0, 1, 2],
        }
    }
    assert math.isnan(config.a)
    assert config.b == {"1": [0.5, -math.inf]}


def test_what_was_left_by_earlier_sessions_is_there_and_not_told(changes):
    config = Config({"a": {"$": "number", "v": "inf"}}, on_change=changes.append)
    assert config.a == math.inf
    config.a = math.inf
    with pytest.raises(StateError):
        config.a = 1
    assert not changes


def test_what_was_given_may_change_later(config):
    given = {"widths": [1]}
    config.update(given)
    given["widths"].append(2)
    assert config.widths == [1]


def test_changes_inside_of_dicts_are_told_by_persist(config, changes):
    config.update({"net": {"lr": 0.1}, "n": 1})
    config["net"]["lr"] = 0.5
    config["net"]["obj"] = np.float32(1)
    assert len(changes) == 1
    config.persist()
    config.persist()
    assert changes[1:] == [{"config": {"net": {"lr": 0.5, "obj": 1.0}}}]


def test_a_value_is_removed(config, changes):
    config.update({"a": 1, "b": 2})
    del config["a"]
    del config.b
    assert config.as_dict() == {}
    assert changes[1:] == [{"config_removed": ["a"]}, {"config_removed": ["b"]}]


def use(value: Any) -> tuple[Any, Any] | None:
    if value == "art://unknown":
        return None
    return {"_type": "artifactVersion", "id": "demo/digits:v3"}, ("used", value)


@pytest.mark.parametrize(
    "value",
    [
        Artifact("digits", type="dataset"),
        "wandb-artifact://demo/digits:v3",
        "art://demo/digits:v3",
        {"_type": "artifactVersion", "id": "x"},
    ],
    ids=["artifact", "wandb", "art", "record"],
)
def test_an_artifact_is_used_and_told_by_its_record(changes, value):
    config = Config(on_change=changes.append, use=use)
    config.data = value
    assert config.data == config.as_dict()["data"] == ("used", value)
    record = {"_type": "artifactVersion", "id": "demo/digits:v3"}
    assert changes == [{"config": {"data": record}}]
    assert config.to_json() == {"data": record}
    config.data = value
    config.persist()
    assert len(changes) == 1


@pytest.mark.parametrize("value", ["bert:v2", "localhost:8080", "art://unknown"])
def test_other_texts_stay_texts(value):
    config = Config(use=use)
    config.model = value
    assert config.model == value


def test_an_artifact_inside_of_a_dict_is_refused(config):
    with pytest.raises(InvalidInputError) as caught:
        config.update({"data": {"train": Artifact("digits")}})
    assert caught.value.code == "config-invalid"


def test_media_are_refused(config):
    for value in (Image(np.zeros((2, 2))), {"a": Image(np.zeros((2, 2)))}):
        with pytest.raises(InvalidInputError) as caught:
            config.image = value
        assert caught.value.code == "config-invalid"


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda config: pickle.loads(pickle.dumps(config))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_is_a_config_that_nobody_hears_of(config, changes, copied):
    config.update({"net": {"lr": math.nan}})
    other = copied(config)
    other["net"]["lr"] = 1
    other.new = 2
    assert isinstance(other, Config)
    assert "new" not in config
    assert math.isnan(config.net["lr"])
    assert len(changes) == 1


def test_its_representation_is_short(config):
    config.a = 1
    assert repr(config) == "{'a': 1}"
    config.update({f"key{number}": "x" * 100 for number in range(1_000)})
    assert len(repr(config)) < 500


def test_what_becomes_text_is_told():
    said: list[str] = []
    Config(tell=said.append).model = object()
    assert len(said) == 1


def test_threads_may_set_values_at_once(config, changes):
    def work(number: int) -> None:
        for step in range(200):
            config.update({f"{number}.{step}": step})
            assert len(list(config)) >= 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(config) == len(changes) == 800

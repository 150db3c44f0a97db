"""What may be given as a config."""

from __future__ import annotations

import argparse
import builtins
import dataclasses
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from artstore.errors import InvalidInputError
from artstore.tracking.configsource import parsed_config


@dataclasses.dataclass
class Settings:
    lr: float = 0.1


@dataclasses.dataclass(slots=True)
class Slotted:
    lr: float = 0.1


class Args(NamedTuple):
    lr: float


class Plain:
    def __init__(self) -> None:
        self.lr = 0.1


class DictConfig(Mapping[str, Any]):
    """As a DictConfig of OmegaConf: values come out of `items`."""

    def __getitem__(self, key: str) -> Any:
        return {"lr": 0.1}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["lr"])

    def __len__(self) -> int:
        return 1


class HasKeys:
    def keys(self) -> list[str]:
        return ["lr"]

    def __getitem__(self, key: str) -> float:
        return 0.1


def flags() -> Any:
    """As FLAGS of absl."""

    class FlagValues:
        def __dir__(self) -> list[str]:
            return ["lr"]

        def __getitem__(self, name: str) -> Any:
            return types.SimpleNamespace(value=0.1)

    FlagValues.__module__ = "absl.flags._flagvalues"
    return FlagValues()


def flags_module() -> types.ModuleType:
    module = types.ModuleType("absl.flags")
    module.FLAGS = flags()
    return module


@pytest.mark.parametrize(
    "given",
    [
        {"lr": 0.1},
        argparse.Namespace(lr=0.1),
        Settings(),
        Slotted(),
        Plain(),
        DictConfig(),
        HasKeys(),
        Args(0.1),
        flags(),
        flags_module(),
    ],
    ids=lambda given: type(given).__name__,
)
def test_many_forms_of_names_and_values_are_taken(given):
    assert parsed_config(given) == {"lr": 0.1}


def test_nothing_is_an_empty_config():
    assert parsed_config(None) == {}


@pytest.mark.parametrize("given", [3, [1, 2], Settings, types.ModuleType("mine")])
def test_what_has_no_names_is_refused(given):
    with pytest.raises(InvalidInputError) as caught:
        parsed_config(given)
    assert caught.value.code == "config-invalid"


def test_keys_are_taken_or_left_out():
    given = {"a": 1, "b": 2, "c": 3}
    assert parsed_config(given, include=["a", "x"]) == {"a": 1}
    assert parsed_config(given, exclude=["a"]) == {"b": 2, "c": 3}
    with pytest.raises(InvalidInputError, match="which"):
        parsed_config(given, include=["a"], exclude=["b"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr: 0.1\nnet:\n  width: 3\n", {"lr": 0.1, "net": {"width": 3}}),
        ("lr:\n  value: 0.1\n  desc: rate\nn:\n  value: 3\n", {"lr": 0.1, "n": 3}),
        ("wandb_version: 1\nlr:\n  value: 0.1\n", {"lr": 0.1}),
        ("a:\n  value: 1\nb: 2\n", {"a": {"value": 1}, "b": 2}),
        ("", {}),
    ],
    ids=["plain", "described", "of W&B", "mixed", "empty"],
)
def test_yaml_is_read_plain_and_as_wandb_writes_it(tmp_path, text, expected):
    pytest.importorskip("yaml")
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert parsed_config(str(path)) == expected
    assert parsed_config(path) == expected


def test_json_needs_no_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    path = tmp_path / "config.json"
    path.write_text('{"lr": 0.1}')
    assert parsed_config(path) == {"lr": 0.1}


def test_yaml_without_pyyaml_says_what_to_install(tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name: str, *args: Any) -> Any:
        if name == "yaml":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", refuse)
    path = tmp_path / "config.yaml"
    path.write_text("lr: 0.1")
    with pytest.raises(InvalidInputError) as caught:
        parsed_config(path)
    assert caught.value.code == "library-missing"
    assert "pip install pyyaml" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "a: [1"),
        ("a.yaml", "- 1\n- 2"),
        ("a.yaml", "wandb_version: 2\na:\n  value: 1\n"),
        ("a.json", "{"),
        ("a.json", "[]"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path, name, text):
    pytest.importorskip("yaml")
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InvalidInputError) as caught:
        parsed_config(path)
    assert caught.value.code == "config-invalid"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    for path in (tmp_path / "none.yaml", tmp_path, "a\0b"):
        with pytest.raises(InvalidInputError) as caught:
            parsed_config(path)
        assert caught.value.code == "config-invalid"

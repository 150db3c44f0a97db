"""docs/reference/media.md tells how each kind is made, and all that its values offer."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

import artstore
from artstore.errors import CODES
from artstore.media.kinds import KINDS
from tests.docs.pages import DOCS

PAGE = (DOCS / "reference" / "media.md").read_text("utf-8")
CLASSES = [
    name
    for name in artstore.__all__
    if getattr(getattr(artstore, name), "__module__", "").startswith("artstore.media.")
]
SHARED = PAGE.partition("\n## What all have in common\n")[2].partition("\n## ")[0]


def section(name: str) -> str:
    return PAGE.partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]


def test_every_kind_is_public_and_told() -> None:
    assert len(CLASSES) >= 12
    classes = {getattr(artstore, name) for name in CLASSES}
    assert not {kind.load() for kind in KINDS} - classes
    for kind in KINDS:
        assert f"| `{kind.type_name}` |" in PAGE


@pytest.mark.parametrize("name", CLASSES)
def test_it_is_made_as_the_page_says(name: str) -> None:
    block = re.match(r"\n    (\w+\(.*?\))\n\n", section(name), re.DOTALL)
    assert block is not None
    assert re.sub(r"\s+", " ", block[1]) == f"{name}({written(getattr(artstore, name))})"


def written(cls: type) -> str:
    """`a, *, b=None`: what stands between the brackets."""
    words = []
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in words:
            words.append("*")
        default = parameter.default
        shown = "" if default is parameter.empty else f"={default!r}".replace("'", '"')
        words.append(f"{parameter.name}{shown}")
    return ", ".join(words)


@pytest.mark.parametrize("name", CLASSES)
def test_what_its_values_offer_is_told(name: str) -> None:
    told = set(re.findall(r"`(?:\w+\.)?(\w+)(?:\([^`]*\))?`", SHARED + section(name)))
    there = {word for word, _ in inspect.getmembers(getattr(artstore, name)) if word[0] != "_"}
    assert there - told == set()


@pytest.mark.parametrize("name", CLASSES)
def test_its_methods_take_what_the_page_says(name: str) -> None:
    cls: Any = getattr(artstore, name)
    for method, arguments in re.findall(rf"^### `{name}\.(\w+)\((.*)\)`$", PAGE, re.MULTILINE):
        parameters = inspect.signature(getattr(cls, method)).parameters
        told = [word for word in arguments.split(", ") if word not in ("", "*")]
        assert told == [word for word in parameters if word != "self"]


def test_every_code_on_the_page_is_one() -> None:
    kinds = {kind.type_name for kind in KINDS}
    told = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", PAGE)) - kinds
    assert len(told) > 20
    assert not told - set(CODES)

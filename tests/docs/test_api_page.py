"""docs/reference/api.md tells every method and attribute of the public classes, as they are."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

import artstore
from artstore.errors import CODES
from tests.docs.pages import DOCS

PAGE = (DOCS / "reference" / "api.md").read_text("utf-8")
METHOD = re.compile(r"^### `(\w+)\.(\w+)\((.*)\)`$", re.MULTILINE)
ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)
# A draft becomes a version, so both have all members; each is told where it belongs.
ARTIFACTS = ("Artifact", "LoggedArtifact")
CLASSES = {
    "Artifact": ARTIFACTS,
    "LoggedArtifact": ARTIFACTS,
    **{name: (name,) for name in ("ArtifactEntry", "Progress", "PullResult", "PushSummary")},
    "Store": ("Store",),
}


def section(name: str) -> str:
    return PAGE.partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]


def public(cls: type) -> dict[str, Any]:
    # What a NamedTuple brings along (`count`, `index`) is not ours.
    return {
        name: value
        for name, value in inspect.getmembers(cls)
        if not name.startswith("_") and not hasattr(tuple, name)
    }


@pytest.mark.parametrize("name", CLASSES)
def test_methods_and_their_parameters_are_told(name: str) -> None:
    owners = CLASSES[name]
    found = [(method, words) for owner, method, words in METHOD.findall(PAGE) if owner in owners]
    told = dict(found)
    assert len(told) == len(found)
    there = {}
    for method, value in public(getattr(artstore, name)).items():
        if inspect.isfunction(value):
            there[method] = written(inspect.signature(value))
    assert told == there


def written(signature: inspect.Signature) -> str:
    """`a, *, b`: names, and where keyword-only ones begin."""
    words = []
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in words:
            words.append("*")
        words.append(parameter.name)
    return ", ".join(words)


@pytest.mark.parametrize("name", CLASSES)
def test_attributes_are_told(name: str) -> None:
    rows = [row for owner in CLASSES[name] for row in ROW.findall(section(owner))]
    told = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    there = {
        attribute
        for attribute, value in public(getattr(artstore, name)).items()
        if not inspect.isfunction(value)
    }
    assert told == there


def test_every_code_on_the_page_is_one() -> None:
    told = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", PAGE))
    assert told
    assert not told - set(CODES)

"""ARCHITECTURE.md and the pages on rules name what is there, and all of it."""

from __future__ import annotations

import re

from tests.docs.pages import DOCS, ROOT

SOURCE = ROOT / "src" / "artstore"
PAGE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
FORMAT = (DOCS / "format" / "README.md").read_text("utf-8")
CONSISTENCY = (DOCS / "explanation" / "consistency.md").read_text("utf-8")
RULE = re.compile(r"^\| (?:\*\*)?([A-Z]\d+)(?:\*\*)? \|", re.MULTILINE)


def rules_named_in_the_source() -> set[str]:
    named: set[str] = set()
    for file in SOURCE.rglob("*.py"):
        text = file.read_text("utf-8")
        named |= set(re.findall(r"\b([CGIPX]\d{1,2})\b", text))
        # L0 to L9 are layers too; errors.py sorts its codes by them.
        if file.name != "errors.py":
            named |= set(re.findall(r"\b([LO]\d{1,2})\b", text))
    return named


def test_every_room_is_in_the_layers() -> None:
    layers = PAGE.partition("```text\n")[2].partition("```")[0]
    rooms = {
        path.stem
        for path in SOURCE.iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.name.startswith(("_", "."))
    }
    assert not {room for room in rooms if not re.search(rf"\b{room}\b", layers)}


def test_every_file_that_is_named_is_there() -> None:
    modules = {path.name for path in SOURCE.rglob("*.py")}
    paths = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py")}
    for name in re.findall(r"`([\w/]+\.py)`", PAGE):
        assert name in modules | paths or (ROOT / name).exists(), name
    for folder in re.findall(r"`((?:src|tests|docs)/[\w/]*/)`", PAGE):
        assert (ROOT / folder).is_dir(), folder


def test_ordering_invariants_are_the_same_on_both_pages() -> None:
    expected = [f"O{number}" for number in range(1, 11)]
    assert RULE.findall(PAGE) == expected
    assert [rule for rule in RULE.findall(FORMAT) if rule[0] == "O"] == expected


def test_every_rule_that_the_source_names_is_told() -> None:
    told = set(RULE.findall(CONSISTENCY)) | set(RULE.findall(FORMAT))
    assert not rules_named_in_the_source() - told

"""The limits that docs/format/README.md tells are those of limits.py, all of them."""

from __future__ import annotations

import re
from pathlib import Path

import artstore.limits as module
from tests.docs.pages import DOCS

PAGE = (DOCS / "format" / "README.md").read_text("utf-8")
SOURCE = Path(module.__file__).read_text("utf-8")
ROW = re.compile(r"^\| `([A-Z_]+)` \| ([\d,]+) \|", re.MULTILINE)
NAME = re.compile(r"^([A-Z_]+): Final", re.MULTILINE)
UNITS = {"KIB", "MIB"}


def test_every_limit_is_told_with_its_value() -> None:
    told = {name: int(value.replace(",", "")) for name, value in ROW.findall(PAGE)}
    names = set(NAME.findall(SOURCE)) - UNITS
    assert told == {name: getattr(module, name) for name in names}


def test_limits_of_the_format_stand_apart_from_choices() -> None:
    format_part, choices_part = SOURCE.split("# --- CHOICES", 1)
    format_rows, choice_rows = PAGE.split("These are choices of this release", 1)
    assert {name for name, _ in ROW.findall(format_rows)} == set(NAME.findall(format_part)) - UNITS
    assert {name for name, _ in ROW.findall(choice_rows)} == set(NAME.findall(choices_part))

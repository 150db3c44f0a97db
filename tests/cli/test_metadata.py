from __future__ import annotations

from pathlib import Path

import pytest

from artstore.cli.metadata import parse_metadata
from artstore.errors import InvalidInputError


def test_no_items_are_no_metadata() -> None:
    assert parse_metadata([]) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.97", 0.97),
        ("1e-3", 0.001),
        ("12", 12),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ('"1.10"', "1.10"),
        ("007", "007"),
        ("resnet 50", "resnet 50"),
        ("", ""),
        ("a=b", "a=b"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_what_is_json_is_read_as_json_and_all_else_is_text(text: str, value: object) -> None:
    found = parse_metadata([f"k={text}"])
    assert found == {"k": value}
    assert type(found["k"]) is type(value)


def test_files_and_pairs_make_one_object(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_text('{"a": {"b": [1]}, "ü": "ß"}', "utf-8")
    assert parse_metadata(["k=1", f"@{file}"]) == {"k": 1, "a": {"b": [1]}, "ü": "ß"}


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"k": 1}')
    with pytest.raises(InvalidInputError, match="'k' is given twice"):
        parse_metadata(["k=1", f"@{tmp_path / 'm.json'}"])


@pytest.mark.parametrize("text", ["[1]", "{", '{"a": NaN}', "\xff"])
def test_a_file_without_a_json_object_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidInputError, match=r"m\.json"):
        parse_metadata([f"@{tmp_path / 'm.json'}"])

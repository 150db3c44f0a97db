"""Selections: prefixes and globs, as a shell reads them at the root of a version."""

from __future__ import annotations

import pytest

from artstore.errors import InvalidInputError
from artstore.transfer.selection import EVERYTHING, Selection


def test_everything_covers_every_path() -> None:
    assert EVERYTHING.is_everything
    assert EVERYTHING.covers("any/path")
    assert not Selection("a").is_everything
    assert not Selection(globs=("a",)).is_everything


@pytest.mark.parametrize(
    ("glob", "path", "is_covered"),
    [
        ("*.png", "a.png", True),
        ("*.png", "d/a.png", False),
        ("**/*.png", "d/e/a.png", True),
        ("**/*.png", "a.png", True),
        ("d", "d/e/a.png", True),
        ("d/", "d/a", True),
        ("d/*", "d/e/a", True),
        ("d/*.png", "d/e/a.png", False),
        ("/d/a", "d/a", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("train-*", "train-1/x", True),
        ("A", "a", False),
        ("é", "é", True),
    ],
)
def test_globs_stand_for_files_and_for_all_below_a_directory(
    glob: str, path: str, is_covered: bool
) -> None:
    assert Selection(globs=(glob,)).covers(path) == is_covered


def test_one_of_several_globs_is_enough_and_the_prefix_counts_too() -> None:
    selection = Selection("d/", ("*.txt", "d/*.png"))
    assert selection.covers("d/a.png")
    assert not selection.covers("a.txt")
    assert not selection.covers("d/a.txt")


def test_a_prefix_is_text_not_a_directory() -> None:
    assert Selection("tr").covers("train/a")
    assert not Selection("tr").covers("t/r")


def test_a_pattern_that_cannot_be_understood_is_refused() -> None:
    with pytest.raises(InvalidInputError) as raised:
        Selection(globs=("[[:none:]]",)).covers("a")
    assert raised.value.code == "ignore-invalid"

"""Classes are named with the words of docs/glossary.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
WORDS = re.findall(r"\*\*([a-z ]+)\*\*", GLOSSARY)
BANNED = set(re.findall(r"~~([a-z]+)~~", GLOSSARY))


def words_of(name: str) -> list[str]:
    """`PackBuilder` -> pack, builder; `HTTPError` -> http, error."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*", name)]


def class_names() -> list[tuple[str, str]]:
    """Where each class stands, and its name. What starts with _ is its file's own business."""
    found = []
    for file in sorted((ROOT / "src" / "artstore").rglob("*.py")):
        found += [
            (f"{file.relative_to(ROOT)}:{node.lineno}", node.name)
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        ]
    return found


def test_a_word_has_one_meaning() -> None:
    assert WORDS
    assert sorted(WORDS) == sorted(set(WORDS))
    assert not BANNED & set(WORDS)


def is_known(word: str) -> bool:
    """In the glossary, a plural of what is, or a participle: what came of something."""
    return (
        word in WORDS or word.removesuffix("s") in WORDS or word.endswith("ed") or word == "found"
    )


def test_class_names_end_in_a_word_of_the_glossary() -> None:
    wrong = [f"{place} {name}" for place, name in class_names() if not is_known(words_of(name)[-1])]
    assert not wrong, "\n".join(["a word that docs/glossary.md does not tell:", *wrong])


def test_banned_words_name_nothing() -> None:
    assert BANNED
    wrong = [f"{place} {name}" for place, name in class_names() if BANNED & set(words_of(name))]
    assert not wrong, "\n".join(wrong)

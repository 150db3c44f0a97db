"""
`*` for every table: a condition that names `$*.score` is meant of each table in turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from artstore.tables.expressions import mongo
from artstore.tables.expressions.refusal import Refusal
from artstore.tables.expressions.tree import Call, Field, Loop, Node, Path

__all__ = ["expanded", "original_place"]

_SQL: Final = re.compile(
    r"""
    '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | (?<![\w)\]"'.])(?P<every>\*)(?=\.(?:[^\W\d]|"))
    """,
    re.VERBOSE,
)
_MONGO: Final = re.compile(
    r"""
    '(?:[^'\\]|\\.)*'
    | "(?:[^"\\]|\\.)*"
    | (?<![$\w])\$(?P<every>\*)(?=\.)
    """,
    re.VERBOSE | re.DOTALL,
)
"""Texts, and outside of them paths that begin with `*`."""


def expanded(text: str, side_count: int) -> tuple[str, ...]:
    """
    The conditions that one is short for: itself, or one for each table; all must hold.

    In SQL `*.score` stands for `t0.score`, `t1.score` and so on; in Mongo `$*.score` for
    `$0.score`, `$1.score`. What stands in a text of SQL, or is no path in Mongo, stays.
    """
    if "*" not in text:
        return (text,)
    is_mongo = text.lstrip().startswith("{")
    places = _in_mongo(text) if is_mongo else _in_sql(text)
    if not places:
        return (text,)
    mark = "" if is_mongo else "t"
    return tuple(_replaced(text, places, f"{mark}{at}") for at in range(side_count))


def original_place(text: str, place: int) -> int:
    """
    The place in a condition that one of those that it is short for has at `place`.

    Of the tenth and later tables it is one character off for each `*` before it.
    """
    if text.lstrip().startswith("{"):
        # A digit is as long as a star.
        return place
    shift = 0
    for at in _in_sql(text):
        if at + shift < place:
            shift += 1
    return place - shift


def _replaced(text: str, places: list[int], side: str) -> str:
    parts: list[str] = []
    at = 0
    for place in places:
        parts += (text[at:place], side)
        at = place + 1
    return "".join((*parts, text[at:]))


def _in_sql(text: str) -> list[int]:
    return [found.start("every") for found in _SQL.finditer(text) if found["every"]]


def _in_mongo(text: str) -> list[int]:
    bare = [found.start("every") for found in _MONGO.finditer(text) if found["every"]]
    # As paths of a table that can be read; each as long as it was.
    readable = _replaced(text, bare, "0")
    try:
        tree = mongo.read(readable)
    except Refusal:
        # It is told when the condition is used.
        return bare
    places = {path.positions[0] for path in _paths(tree) if path.parts[0] == "*"}
    quoted = {place for place in places if text[place] == "*"}
    return sorted({*bare, *quoted})


def _paths(node: Node) -> Iterator[Path]:
    waiting = [node]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Path):
            if len(found.parts) > 1:
                yield found
        elif isinstance(found, Call):
            waiting += found.arguments
        elif isinstance(found, Field):
            waiting.append(found.of)
        elif isinstance(found, Loop):
            waiting += (found.over, found.body)

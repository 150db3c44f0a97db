"""
The order of runs: by values of any kind, up or down; what is missing is last both ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from artstore.runs.names import read_path
from artstore.runs.operations import BOOLEAN, NUMBER, TEXT, TIME, kind_of
from artstore.tables.expressions.refusal import told
from artstore.tables.expressions.tree import Path

__all__ = ["SortKey", "ordered", "sort_keys", "split_names"]

_RANKS: Final = {BOOLEAN: 0, NUMBER: 1, TEXT: 2, TIME: 3}
_KEY: Final = re.compile(r'((?:"(?:[^"]|"")*"|[^",])*)(,|$)')


class SortKey(NamedTuple):
    """One name to sort by."""

    path: Path
    is_down: bool
    text: str


def sort_keys(texts: str | Sequence[str] | None) -> list[SortKey]:
    """
    `-summary.acc` (the largest first), `created` or `+created`; several, with commas or as a list.

    Raises:
        InvalidInputError: `expression-invalid`.
    """
    found: list[SortKey] = []
    for text in [texts] if isinstance(texts, str) else texts or ():
        with told(text):
            found += [_sort_key(text, start, end) for start, end in _parts(text)]
    return found


def split_names(text: str) -> list[str]:
    """The names between commas: `id,config.lr`; a comma in quotation marks is part of a name."""
    return [text[start:end].strip() for start, end in _parts(text)]


def _parts(text: str) -> Iterator[tuple[int, int]]:
    for match in _KEY.finditer(text):
        if match.start() < len(text) or not text:
            yield match.start(1), match.end(1)


def _sort_key(text: str, start: int, end: int) -> SortKey:
    while start < end and text[start] == " ":
        start += 1
    sign = text[start : start + 1]
    start += sign in ("-", "+") and bool(sign)
    return SortKey(read_path(text, start, end), sign == "-", text)


def ordered(rows: Sequence[Any], keys: Sequence[tuple[Sequence[Any], bool]]) -> list[int]:
    """
    The numbers of rows in order.

    Args:
        keys: of each, the values of all rows, and whether the largest are first.
    Returns:
        NaN comes after all other values and null after NaN, whichever is first; rows that
        no key tells apart stay as they are.
    """
    order = list(range(len(rows)))
    for values, is_down in reversed(keys):
        plain: list[int] = []
        odd: list[int] = []
        missing: list[int] = []
        for number in order:
            value = values[number]
            kind = kind_of(value)
            if kind not in _RANKS:
                missing.append(number)
            elif value != value:  # noqa: PLR0124 - NaN
                odd.append(number)
            else:
                plain.append(number)
        pairs = {number: (_RANKS[kind_of(values[number])], values[number]) for number in plain}
        plain.sort(key=pairs.__getitem__, reverse=is_down)
        order = [*plain, *odd, *missing]
    return order

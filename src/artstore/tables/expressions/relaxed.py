"""
JSON as people type it, with the place of everything in it.

Beyond JSON: keys and paths without quotes (`$gt`, `score`, `$0.road`), text in single
quotes, a comma behind the last element, `NaN` and `Infinity`.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from artstore.errors import InvalidInputError, LimitExceededError
from artstore.tables.expressions.literals import number
from artstore.tables.expressions.refusal import (
    TEXT_CHARS,
    LimitRefusal,
    Refusal,
    check_character,
)

__all__ = [
    "BRACKET_COUNT",
    "JsonList",
    "JsonMapping",
    "JsonScalar",
    "JsonValue",
    "read",
    "rendered",
]

BRACKET_COUNT: Final = 50
"""Of lists and objects inside one another: 20 operations or so."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WORD: Final = re.compile(r"[+-]?[$\w]+(?:\.[$\w]+)*")
_WORDS: Final[dict[str, bool | float | None]] = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": math.nan,
    "Infinity": math.inf,
    "+Infinity": math.inf,
    "-Infinity": -math.inf,
}
_ESCAPES: Final = {
    '"': '"',
    "'": "'",
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_HEX: Final = re.compile(r"[0-9a-fA-F]{4}")
_BITS: Final = 1_024
"""Of a whole number; no float is as large."""


@dataclass(frozen=True, slots=True)
class JsonScalar:
    """
    Null, true, false, a number or text.

    `start` is where the characters of a text begin; None if there are escapes among them.
    """

    value: bool | float | str | None
    position: int
    start: int | None = None


@dataclass(frozen=True, slots=True)
class JsonList:
    """Values in brackets."""

    values: tuple[JsonValue, ...]
    position: int


@dataclass(frozen=True, slots=True)
class JsonMapping:
    """Values by key; a key is a text with its place."""

    members: tuple[tuple[JsonScalar, JsonValue], ...]
    position: int


JsonValue = JsonScalar | JsonList | JsonMapping


def read(text: str) -> JsonValue:
    """
    The one value that `text` holds.

    Raises:
        Refusal: it is no JSON, not even of the relaxed form.
        LimitRefusal: more brackets inside one another than `BRACKET_COUNT`.
    """
    reader = _Reader(text)
    value = reader.value(0)
    reader.skip()
    if reader.at < len(text):
        raise Refusal(reader.at, f"{text[reader.at]!r} stands behind the end")
    return value


class _Reader:
    """Reads values one after the other; `at` is the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def skip(self) -> None:
        """Go to what is no space."""
        found = _SPACE.match(self._text, self.at)
        assert found is not None
        self.at = found.end()

    def value(self, depth: int) -> JsonValue:
        """The value that begins here."""
        self.skip()
        if depth > BRACKET_COUNT:
            raise LimitRefusal(
                self.at, f"more than {BRACKET_COUNT} brackets in one another", limit=BRACKET_COUNT
            )
        character = self._next("a value")
        if character == "{":
            return self._object(depth)
        if character == "[":
            return self._list(depth)
        if character in "'\"":
            return self._quoted()
        return self._bare()

    def _next(self, wanted: str) -> str:
        """The next character that is no space."""
        self.skip()
        if self.at == len(self._text):
            raise Refusal(self.at, f"{wanted} is missing at the end")
        return self._text[self.at]

    def _list(self, depth: int) -> JsonList:
        position, values = self.at, []
        self.at += 1
        while self._next("]") != "]":
            values.append(self.value(depth + 1))
            self._separator("]")
        self.at += 1
        return JsonList(tuple(values), position)

    def _object(self, depth: int) -> JsonMapping:
        position, members = self.at, {}
        self.at += 1
        while self._next("}") != "}":
            key = self._key()
            if key.value in members:
                raise Refusal(key.position, f"the key {key.value!r} stands here twice")
            if self._next(":") != ":":
                raise Refusal(self.at, f"':' is missing behind the key {key.value!r}")
            self.at += 1
            members[key.value] = (key, self.value(depth + 1))
            self._separator("}")
        self.at += 1
        return JsonMapping(tuple(members.values()), position)

    def _separator(self, end: str) -> None:
        following = self._next(end)
        if following == ",":
            self.at += 1
        elif following != end:
            raise Refusal(self.at, f"',' or {end!r} is wanted here, not {following!r}")

    def _key(self) -> JsonScalar:
        if self._text[self.at] in "'\"":
            return self._quoted()
        word = _WORD.match(self._text, self.at)
        if word is None or word[0][0] in "+-":
            raise Refusal(self.at, f"a key is wanted here, not {self._text[self.at]!r}")
        self.at = word.end()
        return JsonScalar(word[0], word.start(), word.start())

    def _bare(self) -> JsonScalar:
        position = self.at
        word = _WORD.match(self._text, position)
        if word is not None and word[0] in _WORDS:
            self.at = word.end()
            return JsonScalar(_WORDS[word[0]], position)
        found = _NUMBER.match(self._text, position)
        if found is not None:
            self.at = found.end()
            if _WORD.match(self._text, self.at):
                raise Refusal(position, "a number ends in letters")
            return JsonScalar(number(found[0], position), position)
        if word is not None and word[0].startswith("$"):
            self.at = word.end()
            return JsonScalar(word[0], position, position)
        if word is not None:
            raise Refusal(
                position, f"{word[0]!r} is not a value", hint="put text into quotes: 'cat'"
            )
        raise Refusal(position, f"a value is wanted here, not {self._text[position]!r}")

    def _quoted(self) -> JsonScalar:
        position, quote = self.at, self._text[self.at]
        self.at += 1
        parts: list[str] = []
        straight = True
        while True:
            if self.at >= len(self._text):
                raise Refusal(position, f"text that begins with {quote} does not end")
            character = self._text[self.at]
            self.at += 1
            if character == quote:
                break
            if character == "\\":
                straight = False
                character = self._escaped()
            parts.append(character)
        return JsonScalar("".join(parts), position, position + 1 if straight else None)

    def _escaped(self) -> str:
        position = self.at - 1
        letter = self._text[self.at : self.at + 1]
        self.at += 1
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter != "u":
            raise Refusal(position, f"there is no escape \\{letter}", hint="a backslash is \\\\")
        code = self._four_digits(position)
        if 0xD800 <= code < 0xDC00 and self._text.startswith("\\u", self.at):
            self.at += 2
            low = self._four_digits(position)
            if 0xDC00 <= low < 0xE000:
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        check_character(chr(code), position)
        return chr(code)

    def _four_digits(self, position: int) -> int:
        digits = _HEX.match(self._text, self.at)
        if digits is None:
            raise Refusal(position, "four hex digits are wanted behind \\u")
        self.at = digits.end()
        return int(digits[0], 16)


def rendered(value: Mapping[str, Any]) -> str:
    """
    The text of a mapping, so that its errors have a place too.

    Raises:
        InvalidInputError: `expression-invalid`; something in it is not of JSON.
        LimitExceededError: `limit-exceeded`.
    """
    parts: list[str] = []
    _render(value, parts, 0)
    return "".join(parts)


def _render(value: Any, parts: list[str], depth: int) -> None:
    if depth > BRACKET_COUNT or len(parts) > TEXT_CHARS:
        raise LimitExceededError(
            f"an expression is larger than {BRACKET_COUNT} brackets in one another or "
            f"{TEXT_CHARS:,} characters",
            code="limit-exceeded",
            limit=BRACKET_COUNT,
        )
    if isinstance(value, Mapping):
        parts.append("{")
        for key, inside in value.items():
            if not isinstance(key, str):
                raise _not_json(key, "a key")
            parts += (json.dumps(key), ": ")
            _render(inside, parts, depth + 1)
            parts.append(", ")
        _close(parts, "{", "}")
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
        parts.append("[")
        for inside in value:
            _render(inside, parts, depth + 1)
            parts.append(", ")
        _close(parts, "[", "]")
    elif isinstance(value, dt.date):
        parts.append(f'{{"$date": "{value.isoformat()}"}}')
    elif isinstance(value, int) and value.bit_length() > _BITS:
        raise _not_json(value, "a number larger than any that is stored")
    elif value is None or isinstance(value, (bool, int, float, str)):
        parts.append(json.dumps(value, ensure_ascii=False))
    else:
        raise _not_json(value, "a value")


def _close(parts: list[str], opening: str, closing: str) -> None:
    if parts[-1] != opening:
        parts.pop()
    parts.append(closing)


def _not_json(value: Any, what: str) -> InvalidInputError:
    return InvalidInputError(
        f"an expression holds {what} of type {type(value).__name__}",
        code="expression-invalid",
        hint="give numbers, text, booleans, None, dates, lists and dicts",
    )

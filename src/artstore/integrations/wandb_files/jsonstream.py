"""
JSON that is read piece by piece: a table of 200,000 rows is never in memory whole.

Each value is decoded by the parser of the standard library, as soon as all of it is
there. NaN and infinities are taken, as Python writes them.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from artstore.errors import LimitExceededError
from artstore.integrations.wandb_files.failures import damaged_file

__all__ = ["VALUE_MAX_CHARS", "JsonStream", "decode_json"]

VALUE_MAX_CHARS: Final = 64 * 1024 * 1024
"""Of one row, or of what stands before and behind the rows: decoded it takes some times that."""

_BLOCK_BYTES: Final = 256 * 1024
_AHEAD_CHARS: Final = 64 * 1024
"""With this much in the buffer a row of usual length is decoded at the first try."""
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_DECODER: Final = json.JSONDecoder()


class JsonStream:
    """
    One JSON text of a file, from its beginning to its end.

    `members` and `items` give the parts of the object or list that stands at the
    place reached; who asks for the next part has read the one before with `value`,
    `members` or `items`.

    Args:
        file: of which all is read.
        path: names the file in errors.
    Raises:
        DamagedDataError: `wandb-file-damaged`, all methods: what stands there is not JSON.
        LimitExceededError: `limit-exceeded` for a value longer than 64 Mi characters.
    Cost: memory for one value and 256 KiB.
    """

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text = ""
        self._at = 0
        self._is_all = False

    def members(self) -> Iterator[str]:
        """The names of the object that stands here; the value of each is read before the next."""
        seen: set[str] = set()
        self._take("{")
        if self._next() == "}":
            self._at += 1
            return
        while True:
            if self._next() != '"':
                raise self._damaged("a name has to stand here")
            name = self.value()
            if name in seen:
                raise self._damaged(f"{name!r} stands there twice")
            seen.add(name)
            self._take(":")
            yield name
            if self._next() != ",":
                self._take("}")
                return
            self._at += 1

    def items(self) -> Iterator[Any]:
        """The values of the list that stands here."""
        self._take("[")
        if self._next() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self._next() != ",":
                self._take("]")
                return
            self._at += 1

    def value(self) -> Any:
        """The value that stands here, whole."""
        if len(self._text) - self._at < _AHEAD_CHARS:
            self._fill(_BLOCK_BYTES)
        self._next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise self._damaged("it is nested too deeply") from error
            except ValueError as error:
                if self._is_all or not _is_cut(error, len(self._text)):
                    raise self._damaged(str(error)) from error
            else:
                # A number may go on behind what is there.
                if end < len(self._text) or self._is_all:
                    self._check_text(value, end)
                    self._at = end
                    return value
            self._grow()

    def end(self) -> None:
        """Nothing may follow."""
        if self._next():
            raise self._damaged("something stands behind its end")

    def _next(self) -> str:
        """The character at which the next value or sign begins; none at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._is_all:
                return ""
            self._fill(_BLOCK_BYTES)

    def _take(self, sign: str) -> None:
        found = self._next()
        if found != sign:
            raise self._damaged(
                f"{sign!r} has to stand where it has {found!r}" if found else "it ends too early"
            )
        self._at += 1

    def _grow(self) -> None:
        there = len(self._text) - self._at
        if there > VALUE_MAX_CHARS:
            raise LimitExceededError(
                f"{self._path} has a row or value of more than {VALUE_MAX_CHARS:,} characters",
                code="limit-exceeded",
                hint="keep large arrays in files of their own",
                limit=VALUE_MAX_CHARS,
            )
        # Twice as much each time: a long value is not decoded again and again.
        self._fill(max(_BLOCK_BYTES, there))

    def _fill(self, size_bytes: int) -> None:
        if self._is_all:
            return
        try:
            data = self._file.read(size_bytes)
            more = self._decode(data, not data)
        except UnicodeDecodeError as error:
            raise damaged_file(self._path, "it is not UTF-8") from error
        except OSError as error:
            raise damaged_file(self._path, error.strerror or str(error)) from error
        self._is_all = not data
        self._text = self._text[self._at :] + more
        self._at = 0

    def _check_text(self, value: Any, end: int) -> None:
        if _SURROGATE.search(self._text, self._at, end):
            try:
                json.dumps(value, ensure_ascii=False).encode("utf-8")
            except UnicodeEncodeError as error:
                raise self._damaged("a text in it is not Unicode") from error

    def _damaged(self, why: str) -> Exception:
        return damaged_file(self._path, f"it is not the JSON that W&B writes: {why}")


def _is_cut(error: ValueError, end: int) -> bool:
    """Whether the parser may only have come to the end of what is there."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    # A text is told by its beginning, all else where it stops: `-Infinit`, `\\ud83`.
    return error.msg.startswith("Unterminated") or error.pos > end - 16


def decode_json(data: bytes, path: str) -> Any:
    """
    A small file of JSON.

    Raises:
        DamagedDataError: `wandb-file-damaged`.
    """
    stream = JsonStream(io.BytesIO(data), path)
    value = stream.value()
    stream.end()
    return value

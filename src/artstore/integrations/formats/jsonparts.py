"""JSON of files of any length, read piece by piece, and rows of it, one a line."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from artstore.errors import ArtstoreError, LimitExceededError
from artstore.integrations.formats.failures import damaged, reading
from artstore.integrations.wandb_files.jsonstream import VALUE_MAX_CHARS, JsonStream

__all__ = ["JsonParts", "json_lines"]

_MARK: Final = codecs.BOM_UTF8


class JsonParts(JsonStream):
    """As `JsonStream`; what is wrong is told as of a file to import."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        if file.read(3) != _MARK:
            file.seek(0)
        super().__init__(file, path)
        self._place = path

    def _fill(self, size_bytes: int) -> None:
        try:
            super()._fill(size_bytes)
        except ArtstoreError as error:
            why = "it is not UTF-8" if isinstance(error.__cause__, UnicodeError) else error.message
            raise damaged(self._place, why) from error

    def _damaged(self, why: str) -> Exception:
        return damaged(self._place, f"it is not the JSON that is expected: {why}")


def json_lines(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """
    Yield the number of each line, from 1, and the object on it; empty lines are passed over.

    Raises:
        DamagedDataError: `exchange-file-damaged`.
        LimitExceededError: `limit-exceeded`.
    """
    with reading(path), open(path, "rb") as file:
        if file.read(3) != _MARK:
            file.seek(0)
        number = 0
        while line := file.readline(VALUE_MAX_CHARS + 1):
            number += 1
            if len(line) > VALUE_MAX_CHARS:
                raise LimitExceededError(
                    f"line {number} of {path} has more than {VALUE_MAX_CHARS:,} bytes",
                    code="limit-exceeded",
                    limit=VALUE_MAX_CHARS,
                )
            if line.strip():
                yield number, _object(line, f"{path}, line {number}")


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except RecursionError as error:
        raise damaged(where, "it is nested too deeply") from error
    except ValueError as error:
        raise damaged(where, f"it is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise damaged(where, "it is no object with names and values")
    return value

"""
Setting one key in the user's `config.toml`, all else in it left as it is.

The standard library reads TOML and does not write it; one line is changed, and
the result is read back before it replaces the file.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from artstore.errors import InvalidInputError
from artstore.storage.notes import replace_file

__all__ = ["change"]

_TABLE = re.compile(r"\s*\[")


def change(file: Path, key: str, value: str | None) -> None:
    """
    Set `key` of `file` to `value`, or remove it if None; comments and order stay.

    Raises:
        InvalidInputError: `settings-invalid`, if the file cannot be changed so, or written.
    """
    try:
        text = file.read_text("utf-8") if file.exists() else ""
        before = tomllib.loads(text)
        wanted = {name: item for name, item in before.items() if name != key}
        if value is not None:
            wanted[key] = value
        changed = _with_line(text, key, value)
        if _read(changed) != wanted:
            raise InvalidInputError(
                f"{file} sets {key} in a way that only its author can change",
                code="settings-invalid",
                hint=f"edit {file}",
            )
        _replace(file, changed)
    except OSError as error:
        raise InvalidInputError(
            f"{file} cannot be written: {error.strerror}", code="settings-invalid"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(
            f"{file} is not valid TOML: {error}", code="settings-invalid"
        ) from error


def _with_line(text: str, key: str, value: str | None) -> str:
    lines = text.splitlines(keepends=True)
    end = next((at for at, line in enumerate(lines) if _TABLE.match(line)), len(lines))
    setting = re.compile(rf"\s*(?:{key}|\"{key}\"|'{key}')\s*=")
    at = next((at for at in range(end) if setting.match(lines[at])), None)
    new = [] if value is None else [f"{key} = {json.dumps(value, ensure_ascii=False)}\n"]
    if at is not None:
        lines[at : at + 1] = new
    else:
        if end and not lines[end - 1].endswith("\n"):
            lines[end - 1] += "\n"
        lines[end:end] = new
    return "".join(lines)


def _read(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _replace(file: Path, text: str) -> None:
    # It will hold credentials one day: for its owner's eyes from the first day.
    replace_file(file, text.encode(), mode=0o600)

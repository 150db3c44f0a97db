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

    Args:
        key: of the file, or `table.key`.
    Raises:
        InvalidInputError: `settings-invalid`, if the file cannot be changed so, or written.
    """
    try:
        text = file.read_text("utf-8") if file.exists() else ""
        before = tomllib.loads(text)
        changed = _with_line(text, key, value)
        if _read(changed) != _wanted(before, key, value):
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


def _wanted(before: dict[str, Any], key: str, value: str | None) -> dict[str, Any] | None:
    """What the file is to say; None: there is no saying it."""
    table, _, name = key.rpartition(".")
    wanted = {**before}
    inner = wanted
    if table:
        inner = before.get(table, {})
        if not isinstance(inner, dict):
            return None
        inner = {**inner}
        if table in before or value is not None:
            wanted[table] = inner
    inner.pop(name, None)
    if value is not None:
        inner[name] = value
    return wanted


def _with_line(text: str, key: str, value: str | None) -> str:
    table, _, name = key.rpartition(".")
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    begin = 0
    if table:
        head = re.compile(rf"\s*\[\s*{table}\s*\]")
        begin = next((at + 1 for at, line in enumerate(lines) if head.match(line)), 0)
        if not begin:
            if value is None:
                return text
            lines.append(f"[{table}]\n")
            begin = len(lines)
    end = next((at for at in range(begin, len(lines)) if _TABLE.match(lines[at])), len(lines))
    setting = re.compile(rf"\s*(?:{name}|\"{name}\"|'{name}')\s*=")
    at = next((at for at in range(begin, end) if setting.match(lines[at])), None)
    new = [] if value is None else [f"{name} = {json.dumps(value, ensure_ascii=False)}\n"]
    if at is not None:
        lines[at : at + 1] = new
    else:
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

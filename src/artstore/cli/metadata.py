"""`--metadata k=v` and `--metadata @file.json`, `--config` likewise, read into one JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from artstore.errors import InvalidInputError

__all__ = ["parse_metadata"]


def parse_metadata(items: Iterable[str], *, what: str = "metadata") -> dict[str, Any] | None:
    """
    Read the items in order; None if there are none.

    `k=0.5`, `k=true`, `k=[1,2]` and `k="1.10"` are JSON; what is not JSON is text.

    Args:
        what: the name of the option.
    Raises:
        InvalidInputError: `usage-invalid`, naming the item.
    """
    result: dict[str, Any] = {}
    for item in items:
        if item.startswith("@"):
            pairs = list(_read_file(Path(item[1:]), what).items())
        else:
            key, equals, text = item.partition("=")
            if not equals or not key:
                raise InvalidInputError(
                    f"{what} {item!r} is neither key=value nor @file.json",
                    code="usage-invalid",
                    hint=f"write: --{what} key=value",
                )
            pairs = [(key, _value(text))]
        for key, value in pairs:
            if key in result:
                raise InvalidInputError(f"{what} {key!r} is given twice", code="usage-invalid")
            result[key] = value
    return result or None


def _read_file(path: Path, what: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes().decode("utf-8"), parse_constant=_no_constant)
    except OSError as error:
        raise InvalidInputError(
            f"{what} file {str(path)!r} cannot be read: {error.strerror}", code="source-missing"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"{what} file {str(path)!r} is not JSON: {error}", code="usage-invalid"
        ) from error
    if not isinstance(value, dict):
        raise InvalidInputError(
            f"{what} file {str(path)!r} holds no JSON object", code="usage-invalid"
        )
    return value


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(name: str) -> NoReturn:
    # NaN and Infinity are no JSON: as words they are text.
    raise ValueError(f"{name} is not JSON")

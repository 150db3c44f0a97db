"""
Any value as plain Python: null, truth values, numbers, texts, lists and dicts with texts as keys.

What config, summary and history hold is made here. No library is imported to find
out what a value is: numpy, torch, jax and tensorflow are known by their methods.

NaN and infinities, which JSON has not, stay here: `artstore.runs.nonfinite` writes them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, Final

from artstore.media.values import as_array

__all__ = [
    "LIST_MAX_COUNT",
    "SCALARS",
    "TEXT_MAX_CHARS",
    "clean_text",
    "element_count",
    "is_array",
    "is_kind",
    "key_text",
    "plain",
    "told",
]

SCALARS: Final = frozenset((bool, int, float, str, type(None)))
"""The types of what a history row holds as it is."""
LIST_MAX_COUNT: Final = 1_000
"""Numbers of an array, or of a list in a history row, that are kept one by one."""
TEXT_MAX_CHARS: Final = 1_000
"""Of a value that has no other form than `str`: representations of models run to megabytes."""

_MAX_LEVELS: Final = 32
"""A third of what a log entry may have: the value stands inside others there."""

Tell = Callable[[str], None]
"""Takes a sentence for the user."""


def plain(value: Any, tell: Tell | None = None, *, levels: int = _MAX_LEVELS) -> Any:
    """
    `value` as plain Python; a copy, whatever is done to `value` later.

    Numbers of any library become numbers, arrays lists, times ISO text, enumerations
    their values, sets sorted lists, dataclasses dicts, functions and classes their names.
    NaN and infinities stay. All else becomes its `str`, cut off.

    Args:
        tell: told of what became mere text.
        levels: lists and dicts inside one another; what is deeper becomes text.
    """
    if type(value) in SCALARS:
        return clean_text(value) if type(value) is str else value
    if levels == 0:
        return _as_text(value, tell, "is nested too deep")
    for kind, convert in _WAYS:
        if isinstance(value, kind):
            return convert(value, tell, levels)
    if is_array(value):
        return _array(value, tell, levels)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _mapping(fields, tell, levels)
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{getattr(value, '__module__', '')}.{value.__qualname__}".lstrip(".")
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    return _as_text(value, tell, "has no form in JSON")


def is_array(value: object) -> bool:
    """Whether this is an array or number of numpy, torch, jax, tensorflow or the like."""
    kind = type(value)
    return (
        hasattr(kind, "__array__")
        or hasattr(kind, "__array_interface__")
        or (hasattr(kind, "detach") and hasattr(kind, "cpu"))
    )


def is_kind(kind: type, module: str, name: str) -> bool:
    """Whether `kind` is a class or a child of it; of a module not loaded nobody has values."""
    loaded = sys.modules.get(module)
    return loaded is not None and issubclass(kind, getattr(loaded, name))


def key_text(key: object) -> str:
    """The key of a dict as JSON would have it."""
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return str(clean_text(str(key)))
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(clean_text(str(key)))


def clean_text(text: str) -> str:
    """`text`, with a question mark for each half surrogate, which no file can hold."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def told(value: object) -> str:
    """What a value says of itself, cut off; never fails."""
    text = f"<{type(value).__module__}.{type(value).__qualname__}>"
    # Whatever its author forgot must not end a run.
    with suppress(Exception):
        text = clean_text(str(value))
    return text if len(text) <= TEXT_MAX_CHARS else text[: TEXT_MAX_CHARS - 1] + "…"


def element_count(value: Any, stop_at: int) -> int:
    """How many elements that are no lists a list has, at any depth; at most `stop_at`."""
    if not isinstance(value, (list, tuple)):
        return 1
    if len(value) >= stop_at:
        return stop_at
    count = 0
    for element in value:
        count += element_count(element, stop_at - count)
        if count >= stop_at:
            return stop_at
    return count


def _as_text(value: object, tell: Tell | None, why: str) -> str:
    if tell is not None:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        tell(f"a value of type {kind} {why}: it is kept as text of at most {TEXT_MAX_CHARS:,}")
    return told(value)


def _enum(value: enum.Enum, tell: Tell | None, levels: int) -> Any:
    inner = value.value
    # What is no scalar says less than the name.
    return (
        plain(inner, tell, levels=levels - 1)
        if isinstance(inner, (str, int, float))
        else value.name
    )


def _float(value: Any, tell: Tell | None, levels: int) -> Any:
    del levels
    try:
        return float(value)
    except (ArithmeticError, ValueError):
        # Beyond all floats, or a signalling NaN.
        return _as_text(value, tell, "is no float")


def _moment(value: Any, tell: Tell | None, levels: int) -> Any:
    del tell, levels
    text = str(value.isoformat())
    # pandas has a moment that is none.
    return None if text == "NaT" else text


def _bytes(value: Any, tell: Tell | None, levels: int) -> str:
    del levels
    text = bytes(value).decode("utf-8", "replace")
    return text if len(text) <= TEXT_MAX_CHARS else _as_text(text, tell, "is bytes")


def _slice(value: slice, tell: Tell | None, levels: int) -> Any:
    parts = {"start": value.start, "step": value.step, "stop": value.stop}
    named = {f"slice_{name}": part for name, part in parts.items()}
    return _mapping(named, tell, levels)


def _mapping(value: Mapping[Any, Any], tell: Tell | None, levels: int) -> dict[str, Any]:
    # Another thread may add to it meanwhile.
    return {
        key_text(key): plain(member, tell, levels=levels - 1) for key, member in list(value.items())
    }


def _sequence(value: Collection[Any], tell: Tell | None, levels: int) -> list[Any]:
    return [plain(element, tell, levels=levels - 1) for element in value]


def _set(value: AbstractSet[Any], tell: Tell | None, levels: int) -> list[Any]:
    elements = _sequence(value, tell, levels)
    try:
        return sorted(elements)
    except TypeError:
        return sorted(elements, key=lambda element: (type(element).__name__, str(element)))


def _array(value: Any, tell: Tell | None, levels: int) -> Any:
    try:
        is_time = getattr(getattr(value, "dtype", None), "kind", "") == "M"
        if not is_time and getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
            return _element(value.item(), tell, levels)
        array = as_array(value)
        if array is None:
            return _as_text(value, tell, "cannot be read")
        if is_time:
            # Of nanoseconds Python has no times, and would get numbers.
            array = array.astype("datetime64[us]")
        if array.size == 1:
            # As W&B does: losses and learning rates come in shape [1] too.
            return _element(array.reshape(-1).tolist()[0], tell, levels)
        if array.size > LIST_MAX_COUNT:
            return _as_text(value, tell, f"has more than {LIST_MAX_COUNT:,} elements")
        return plain(array.tolist(), tell, levels=levels)
    except Exception:  # noqa: BLE001 - of any library: a tensor without data, a lost device
        return _as_text(value, tell, "cannot be read")


def _element(value: Any, tell: Tell | None, levels: int) -> Any:
    # numpy has numbers that Python has not, and gives them as they are.
    return float(value) if is_array(value) else plain(value, tell, levels=levels - 1)


_WAYS: Final[tuple[tuple[Any, Callable[[Any, Tell | None, int], Any]], ...]] = (
    (enum.Enum, _enum),
    (str, lambda value, _tell, _levels: clean_text(str.__str__(value))),
    (int, lambda value, _tell, _levels: int(value)),
    (float, lambda value, _tell, _levels: float(value)),
    (Mapping, _mapping),
    ((bytes, bytearray, memoryview), _bytes),
    # Named tuples too: what they name is in their program.
    (Sequence, _sequence),
    (AbstractSet, _set),
    ((dt.date, dt.time), _moment),
    ((decimal.Decimal, fractions.Fraction), _float),
    (os.PathLike, lambda value, _tell, _levels: clean_text(os.fsdecode(value))),
    (slice, _slice),
)

"""
Cells as W&B writes them into JSON, made into what they were.

What a cell is, its column's type says; where that says nothing (`any`, objects of
Python, types of a later release), a record with a known `_type` is media, and all
else stays as JSON has it. An empty cell is None, but in a column of numbers that
may not be empty it is NaN: W&B writes both alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from artstore import forks, limits
from artstore.integrations.wandb_files.failures import Misfit
from artstore.integrations.wandb_files.media import MEDIA_TYPES, MediaReader, is_media
from artstore.integrations.wandb_files.types import WandbType

__all__ = ["Decoder", "decoder_of"]

Decoder = Callable[[Any], Any]
"""Takes what JSON had; raises Misfit for what its type does not allow."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS: Final = frozenset((int, float))
_NOT_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NONE_TYPE: Final = type(None)


def decoder_of(kind: WandbType, media: MediaReader) -> Decoder:
    """What makes the cells of a column of type `kind`."""
    name = kind.name
    if name in MEDIA_TYPES:
        return _media_decoder(kind, media)
    if name == "union":
        return _union_decoder(kind, media)
    if name == "list":
        return _list_decoder(kind, media)
    if name == "typedDict":
        return _record_decoder(kind, media)
    if name == "ndarray":
        return _array_decoder(kind)
    plain = _PLAIN.get(name)
    return plain if plain is not None else _any_decoder(media)


def _number(value: Any) -> Any:
    if type(value) in _NUMBERS:
        return value
    if value is None:
        return math.nan
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    raise _misfit(value, "a number")


def _string(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    raise _misfit(value, "text")


def _boolean(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    raise _misfit(value, "true or false")


def _timestamp(value: Any) -> Any:
    if value is None:
        return None
    if type(value) not in _NUMBERS:
        raise _misfit(value, "a time in milliseconds")
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except (OverflowError, ValueError) as error:
        raise Misfit(f"{value!r} milliseconds are no time from year 1 to 9999") from error


def _none(value: Any) -> Any:
    if value is not None:
        raise _misfit(value, "empty")
    return value


_PLAIN: Final[Mapping[str, Decoder]] = {
    "boolean": _boolean,
    "none": _none,
    "number": _number,
    "string": _string,
    "timestamp": _timestamp,
}
_SHAPES: Final[Mapping[str, frozenset[type]]] = {
    "boolean": frozenset((bool,)),
    "list": frozenset((list,)),
    "ndarray": frozenset((list,)),
    "none": frozenset((_NONE_TYPE,)),
    "number": _NUMBERS,
    "string": frozenset((str,)),
    "timestamp": _NUMBERS,
    "typedDict": frozenset((dict,)),
}
"""What JSON has for a type; for those that are not here it says nothing."""


def _media_decoder(kind: WandbType, media: MediaReader) -> Decoder:
    def decode(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict) or value.get("_type") != kind.name:
            raise _misfit(value, f"a record of type {kind.name}")
        return media.value(value, kind.params)

    return decode


def _union_decoder(kind: WandbType, media: MediaReader) -> Decoder:
    decoders = [(member, decoder_of(member, media)) for member in kind.members]
    # A number is a time only if it cannot be a number.
    decoders.sort(key=lambda pair: pair[0].name == "timestamp")
    may_be_empty = kind.is_optional

    def decode(value: Any) -> Any:
        if value is None and may_be_empty:
            return None
        last: Misfit | None = None
        for member, decoder in decoders:
            if not _may_be(member, value):
                continue
            try:
                return decoder(value)
            except Misfit as error:
                last = error
        if value is None:
            return math.nan if any(m.name == "number" for m in kind.members) else None
        raise last or _misfit(value, str(kind))

    return decode


def _may_be(kind: WandbType, value: Any) -> bool:
    if kind.name in MEDIA_TYPES:
        return isinstance(value, dict) and value.get("_type") == kind.name
    known = _SHAPES.get(kind.name)
    return known is None or type(value) in known


def _list_decoder(kind: WandbType, media: MediaReader) -> Decoder:
    assert kind.element is not None
    element = decoder_of(kind.element, media)
    are_numbers = kind.element.name == "number"

    def decode(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            raise _misfit(value, "a list")
        # Embeddings: most lists are long, and of numbers.
        if are_numbers and _NUMBERS.issuperset(map(type, value)):
            return value
        return [element(item) for item in value]

    return decode


def _record_decoder(kind: WandbType, media: MediaReader) -> Decoder:
    decoders = {name: decoder_of(one, media) for name, one in kind.fields.items()}
    other = _any_decoder(media)

    def decode(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _misfit(value, "a record")
        return {name: decoders.get(name, other)(item) for name, item in value.items()}

    return decode


def _array_decoder(kind: WandbType) -> Decoder:
    def decode(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            raise _misfit(value, "an array")
        forks.import_late(("numpy",))
        import numpy as np

        try:
            array = np.array(value)
        except (TypeError, ValueError) as error:
            raise Misfit(f"it is not an array: {error}") from error
        if array.dtype.hasobject or (kind.shape is not None and array.shape != kind.shape):
            raise Misfit(f"it is not an array of shape {kind.shape}, but of {array.shape}")
        return array

    return decode


def _any_decoder(media: MediaReader) -> Decoder:
    def decode(value: Any, levels: int = limits.JSON_MAX_LEVELS) -> Any:
        if isinstance(value, (dict, list)) and levels == 0:
            raise Misfit(f"it is nested more than {limits.JSON_MAX_LEVELS} levels deep")
        if isinstance(value, dict):
            # A type that says nothing allows a dict of the user that has a `_type`.
            if is_media(value) and ("path" in value or "bins" in value):
                return media.value(value, {})
            return {name: decode(item, levels - 1) for name, item in value.items()}
        if isinstance(value, list):
            return [decode(item, levels - 1) for item in value]
        return value

    return decode


def _misfit(value: Any, wanted: str) -> Misfit:
    text = repr(value)
    return Misfit(f"{text if len(text) <= 60 else text[:60] + '...'} is not {wanted}")

"""
ONNX: who made a model, what goes in and comes out, its operators and weights by name and shape.

An ONNX file is one message of Protocol Buffers: fields with a number and a length. They are walked
from head to head; of weights only name, type and shape are read, never a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, cast

from artstore import limits
from artstore.errors import DamagedDataError, LimitExceededError
from artstore.web.previews.bounded import BudgetFile
from artstore.web.previews.preview import Grid, Preview, PreviewKind, PreviewSource
from artstore.web.visible import visible

__all__ = ["PREVIEW"]

_READ_BYTES: Final = limits.MIB
"""At least 1 kB of it is counted for each place that is looked at: a thousand places at most."""
_FIELDS_MAX: Final = 100_000
_ROWS_MAX: Final = 500
_DIMENSIONS_MAX: Final = 16
_OPERATORS_SHOWN: Final = 12
_TEXT_BYTES: Final = 1_000
_TEXT_CHARS: Final = 200

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_TYPES: Final = (
    *("undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string"),
    *("bool", "float16", "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16"),
    *("float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4"),
    "float4e2m1",
)
_ELSEWHERE: Final = 1

_Row = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a message: a number, or a range of bytes."""

    number: int
    value: int = 0
    span: tuple[int, int] | None = None


@dataclass(slots=True)
class _Model:
    """What was found so far."""

    facts: dict[str, str] = field(default_factory=dict)
    opsets: list[str] = field(default_factory=list)
    operators: Counter[str] = field(default_factory=Counter)
    inputs: list[_Row] = field(default_factory=list)
    outputs: list[_Row] = field(default_factory=list)
    weights: list[_Row] = field(default_factory=list)
    weight_count: int = 0
    has_files: bool = False


class _Walk:
    """Goes through the fields of a file, and no further than a preview may."""

    def __init__(self, source: PreviewSource) -> None:
        self._path = source.path
        self._file = cast("BinaryIO", BudgetFile(source, _READ_BYTES))
        self._left = _FIELDS_MAX

    def fields(self, span: tuple[int, int]) -> Iterator[_Field]:
        """
        The fields of the message in a range.

        Raises:
            DamagedDataError: `preview-damaged`.
            LimitExceededError: `preview-too-large`.
        """
        at, stop = span
        while at < stop:
            self._left -= 1
            if self._left < 0:
                raise LimitExceededError("too many fields", code="preview-too-large")
            head, at = self._varint(at, stop)
            wire = head & 7
            if wire == _VARINT:
                value, at = self._varint(at, stop)
                yield _Field(head >> 3, value)
                continue
            size = {_FIXED_64: 8, _FIXED_32: 4}.get(wire)
            if wire == _BYTES:
                size, at = self._varint(at, stop)
            if size is None or size > stop - at or not head >> 3:
                raise self._damaged()
            yield _Field(head >> 3, span=(at, at + size))
            at += size

    def text(self, one: _Field) -> str:
        """The first letters of a text."""
        if one.span is None:
            raise self._damaged()
        start, stop = one.span
        self._file.seek(start)
        data = self._file.read(min(stop - start, _TEXT_BYTES))
        return visible(data.decode("utf-8", "replace"), _TEXT_CHARS, lines=False)

    def inner(self, one: _Field) -> Iterator[_Field]:
        """The fields of the message that a field holds."""
        if one.span is None:
            raise self._damaged()
        return self.fields(one.span)

    def packed(self, one: _Field) -> list[int]:
        """The first numbers of a field that holds several."""
        assert one.span is not None, "a range"
        at, stop = one.span
        found: list[int] = []
        while at < stop and len(found) < _DIMENSIONS_MAX:
            value, at = self._varint(at, stop)
            found.append(value)
        return found

    def _varint(self, at: int, stop: int) -> tuple[int, int]:
        self._file.seek(at)
        value = 0
        for place, byte in enumerate(self._file.read(min(10, stop - at))):
            value |= (byte & 127) << 7 * place
            if byte < 128:
                return value, at + place + 1
        raise self._damaged()

    def _damaged(self) -> DamagedDataError:
        return DamagedDataError(
            f"{self._path!r} is not an ONNX model that can be read",
            code="preview-damaged",
            path=self._path,
        )


def _onnx(source: PreviewSource) -> Preview:
    walk, model = _Walk(source), _Model()
    is_cut = False
    try:
        _read_model(walk, model, source.size_bytes)
    except LimitExceededError:
        is_cut = True
    if not model.opsets and not is_cut:
        raise DamagedDataError(
            f"{source.path!r} is not an ONNX model: it names no set of operators",
            code="preview-damaged",
        )
    told = "at least " if is_cut else ""
    nodes = sum(model.operators.values())
    most = model.operators.most_common(_OPERATORS_SHOWN)
    facts = [
        *model.facts.items(),
        ("operator sets", ", ".join(model.opsets)),
        ("nodes", f"{told}{nodes:,}"),
        ("operators", ", ".join(f"{name} {count:,}" for name, count in most)),
        ("weights", f"{told}{model.weight_count:,}"),
    ]
    rows = (*model.inputs, *model.outputs, *model.weights)[:_ROWS_MAX]
    total = len(model.inputs) + len(model.outputs) + model.weight_count
    notes = []
    if is_cut:
        notes.append("The model is large: only its beginning was looked at.")
    elif total > len(rows):
        notes.append(f"The first {len(rows)} of {total:,} are shown.")
    if model.has_files:
        notes.append("Values of weights lie in other files.")
    grid = Grid(("what", "name", "type", "shape"), rows, None if is_cut else total)
    shown = tuple((name, text) for name, text in facts if text)
    return Preview("onnx", shown, grid=grid, note=" ".join(notes), is_cut=bool(notes))


def _read_model(walk: _Walk, model: _Model, size_bytes: int) -> None:
    for one in walk.fields((0, size_bytes)):
        if one.number == 1:
            model.facts["IR version"] = str(one.value)
        elif one.number == 2:
            model.facts["producer"] = walk.text(one)
        elif one.number == 3 and walk.text(one):
            model.facts["producer"] = f"{model.facts.get('producer', '')} {walk.text(one)}".strip()
        elif one.number == 7:
            _read_graph(walk, model, one)
        elif one.number == 8 and len(model.opsets) < _OPERATORS_SHOWN:
            domain, version = "", 0
            for part in walk.inner(one):
                if part.number == 1:
                    domain = walk.text(part)
                elif part.number == 2:
                    version = part.value
            model.opsets.append(f"{domain or 'ai.onnx'} {version}")


def _read_graph(walk: _Walk, model: _Model, graph: _Field) -> None:
    for one in walk.inner(graph):
        if one.number == 1:
            names = [walk.text(part) for part in walk.inner(one) if part.number == 4]
            # Of hostile names no more are kept than a model has operators.
            is_known = not names or names[0] in model.operators or len(model.operators) < _ROWS_MAX
            model.operators[names[0] if names and is_known else "other"] += 1
        elif one.number == 2:
            model.facts["graph"] = walk.text(one)
        elif one.number == 5:
            model.weight_count += 1
            if len(model.weights) < _ROWS_MAX:
                model.weights.append(_weight(walk, model, one))
        elif one.number in (11, 12):
            found, what = (model.inputs, "input") if one.number == 11 else (model.outputs, "output")
            if len(found) < _ROWS_MAX:
                found.append(_value(walk, what, one))


def _weight(walk: _Walk, model: _Model, tensor: _Field) -> _Row:
    name, kind, shape = "", 0, list[str]()
    for one in walk.inner(tensor):
        if one.number == 1 and len(shape) < _DIMENSIONS_MAX:
            # Packed into one field, or one field each.
            sizes = [one.value] if one.span is None else walk.packed(one)
            shape += map(_size, sizes[: _DIMENSIONS_MAX - len(shape)])
        elif one.number == 2:
            kind = one.value
        elif one.number == 8:
            name = walk.text(one)
        elif one.number == 14:
            model.has_files = model.has_files or one.value == _ELSEWHERE
    return "weight", name, _type(kind), " x ".join(shape) or "one number"


def _value(walk: _Walk, what: str, value: _Field) -> _Row:
    name, kind, shape = "", "", ""
    for one in walk.inner(value):
        if one.number == 1:
            name = walk.text(one)
        elif one.number == 2:
            for tensor in walk.inner(one):
                if tensor.number != 1:
                    kind = "no tensor"
                    continue
                for part in walk.inner(tensor):
                    if part.number == 1:
                        kind = _type(part.value)
                    elif part.number == 2:
                        shape = " x ".join(_dimensions(walk, part)) or "one number"
    return what, name, kind, shape


def _dimensions(walk: _Walk, shape: _Field) -> list[str]:
    found: list[str] = []
    for one in walk.inner(shape):
        if one.number == 1 and len(found) < _DIMENSIONS_MAX:
            told = [_size(at.value) if at.number == 1 else walk.text(at) for at in walk.inner(one)]
            found.append((told or ["?"])[0])
    return found


def _size(value: int) -> str:
    # Negative numbers are written as large ones.
    return f"{value}" if value < 1 << 63 else "?"


def _type(kind: int) -> str:
    return _TYPES[kind] if kind < len(_TYPES) else f"type {kind}"


PREVIEW = PreviewKind("onnx", _onnx, (".onnx",))

"""Rows of every kind, and what DuckDB makes of an expression over them."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from functools import cache
from typing import Any

import ibis
import pyarrow as pa

from artstore.media.boxes import Box
from artstore.media.cells import BoxLayer, ClassesCell, ImageCell, MaskLayer
from artstore.tables.expressions import Scope, parse_condition, parse_value

NAN = float("nan")
DIGEST = "0" * 64


def box(class_id: int, min_x: float = 0.0, **scores: float) -> Box:
    corners = (min_x, 0.5, 0.0, 0.5)
    pairs = tuple(sorted(scores.items()))
    return Box("fraction", corners, None, class_id, f"class_{class_id}", None, pairs)


def image(width: int, masks: tuple[str, ...] = (), **layers: list[Box]) -> dict[str, Any]:
    """The cell of an image as a table holds it."""
    classes = ClassesCell("classes.json", DIGEST)
    return ImageCell(
        path=f"images/{width}.png",
        digest=DIGEST,
        encoded_digest=DIGEST,
        format="png",
        mode="RGB",
        width=width,
        height=10,
        caption=None,
        grouping=None,
        scaling=None,
        classes=classes,
        boxes=tuple(BoxLayer(name, classes, tuple(boxes)) for name, boxes in layers.items()),
        masks=tuple(MaskLayer(name, f"{name}.png", DIGEST, DIGEST, classes) for name in masks),
    ).to_dict()


IMAGES = [
    image(28, ("road",), ground_truth=[box(13, score=0.9), box(2)], predictions=[box(2)]),
    image(32, (), predictions=[box(13, min_x=0.25)]),
    image(64),
    None,
]

ROWS: list[dict[str, Any]] = [
    {
        "id": 1,
        "guess": 3,
        "truth": 3,
        "score": 0.5,
        "name": "cat",
        "seen": True,
        "tags": ["a", "b"],
        "numbers": [3, 1, 2],
        "day": dt.date(2024, 1, 31),
        "at": dt.datetime.fromisoformat("2024-01-31T12:30:05"),
        "image": IMAGES[0],
        "a b": 10,
        "dotted.name": 1,
    },
    {
        "id": 2,
        "guess": 5,
        "truth": 4,
        "score": -1.25,
        "name": "Dog's",
        "seen": False,
        "tags": [],
        "numbers": [],
        "day": dt.date(2023, 12, 1),
        "at": dt.datetime.fromisoformat("2023-12-01T00:00:00"),
        "image": IMAGES[1],
        "a b": 20,
        "dotted.name": 2,
    },
    {
        "id": 3,
        "guess": None,
        "truth": 1,
        "score": NAN,
        "name": "",
        "seen": None,
        "tags": ["b", None],
        "numbers": [0, None, -7],
        "day": None,
        "at": dt.datetime.fromisoformat("1999-12-31T23:59:59"),
        "image": IMAGES[2],
        "a b": 30,
        "dotted.name": 3,
    },
    {
        "id": 4,
        "guess": 0,
        "truth": None,
        "score": None,
        "name": None,
        "seen": True,
        "tags": None,
        "numbers": None,
        "day": dt.date(2024, 2, 1),
        "at": None,
        "image": IMAGES[3],
        "a b": 40,
        "dotted.name": 4,
    },
]

_CLASSES = pa.struct([("path", pa.string()), ("digest", pa.string())])
_CORNERS = [(name, pa.float64()) for name in ("min_x", "max_x", "min_y", "max_y")]
_BOX = pa.struct(
    [
        *_CORNERS,
        ("domain", pa.string()),
        ("pixels", pa.struct(_CORNERS)),
        ("class_id", pa.int64()),
        ("class_label", pa.string()),
        ("caption", pa.string()),
        ("scores", pa.list_(pa.struct([("name", pa.string()), ("value", pa.float64())]))),
    ]
)
IMAGE = pa.struct(
    [
        *((name, pa.string()) for name in ("path", "digest", "encoded_digest", "format", "mode")),
        ("width", pa.int64()),
        ("height", pa.int64()),
        *((name, pa.string()) for name in ("caption", "grouping", "scaling")),
        ("classes", _CLASSES),
        (
            "boxes",
            pa.list_(
                pa.struct(
                    [("layer", pa.string()), ("classes", _CLASSES), ("boxes", pa.list_(_BOX))]
                )
            ),
        ),
        (
            "masks",
            pa.list_(
                pa.struct(
                    [
                        *(
                            (name, pa.string())
                            for name in ("layer", "path", "digest", "encoded_digest")
                        ),
                        ("classes", _CLASSES),
                    ]
                )
            ),
        ),
    ]
)
_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("guess", pa.int64()),
        ("truth", pa.int64()),
        ("score", pa.float64()),
        ("name", pa.string()),
        ("seen", pa.bool_()),
        ("tags", pa.list_(pa.string())),
        ("numbers", pa.list_(pa.int64())),
        ("day", pa.date32()),
        ("at", pa.timestamp("us")),
        ("image", IMAGE),
        ("a b", pa.int64()),
        ("dotted.name", pa.int64()),
    ]
)
_OTHERS = pa.table(
    {
        "f32": pa.array([0.1, 0.2, NAN, None], pa.float32()),
        "u64": pa.array([1, 2, 2**64 - 1, None], pa.uint64()),
        "i8": pa.array([100, -100, 7, None], pa.int8()),
        "price": pa.array(
            [
                None if text is None else decimal.Decimal(text)
                for text in ("0.10", "5.25", "7", None)
            ],
            pa.decimal128(10, 2),
        ),
        "zoned": pa.array([row["at"] for row in ROWS], pa.timestamp("us", "UTC")),
        "mixed": pa.array(
            [{"text": "x"}, {"number": 3.0}, None, {"text": "y"}],
            pa.struct([("text", pa.string()), ("number", pa.float64())]),
        ),
    }
)


@cache
def connection() -> Any:
    return ibis.duckdb.connect()


def arrow_table() -> pa.Table:
    """`ROWS`, and beside them columns of types that Python does not tell apart."""
    made = pa.Table.from_pylist(ROWS, _SCHEMA)
    for name in _OTHERS.column_names:
        made = made.append_column(name, _OTHERS[name])
    return made


@cache
def table() -> Any:
    """The same in DuckDB."""
    # No memtable: filters on these are done by pyarrow, which orders NaN in another way.
    connection().con.register("given", arrow_table())
    connection().con.execute("CREATE TABLE sample AS FROM given")
    return connection().table("sample")


def scope() -> Scope:
    return Scope.of(table())


def fetched(value: Any) -> list[Any]:
    """The value in each row; a constant is the same in all of them."""
    result = connection().to_pyarrow(value)
    found = result.to_pylist() if hasattr(result, "to_pylist") else [result.as_py()] * len(ROWS)
    assert len(found) == len(ROWS)
    return found


def values(text: Any) -> list[Any]:
    return fetched(parse_value(text, scope()))


def kept(text: Any) -> list[int]:
    """The ids of the rows that a filter keeps."""
    filtered = table().filter(parse_condition(text, scope())).id
    return sorted(connection().to_pyarrow(filtered).to_pylist())


def alike(left: Any, right: Any) -> bool:
    """Equal, where NaN equals itself and true is not 1."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(alike, left, right))
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)

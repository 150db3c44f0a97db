from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from artstore import canonical, limits
from artstore.errors import DamagedDataError, InvalidInputError


def nested(levels: int) -> object:
    value: object = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, None, 0.5]}, b'{"a":[true,null,0.5],"b":1}'),
        ((1, 2), b"[1,2]"),
        ('\u00e9\n"\x7f', b'"\xc3\xa9\\n\\"\x7f"'),
        # By code point, which is the order of the UTF-8 bytes.
        (
            {"\U0001f600": 1, "\ufffd": 2, "Z": 3, "a": 4},
            '{"Z":3,"a":4,"\ufffd":2,"\U0001f600":1}'.encode(),
        ),
        (2**70, b"1180591620717411303424"),
        (-0.0, b"-0.0"),
        (1e300, b"1e+300"),
        ({}, b"{}"),
    ],
)
def test_a_value_is_written_in_one_way(value, expected) -> None:
    assert canonical.encode(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        {1: "a"},
        {True: "a"},
        {None: "a"},
        {"a": {2: 1}},
        [{("a",): 1}],
        "\ud800",
        {"\udfff": 1},
        b"bytes",
        {1, 2},
        object(),
        nested(limits.JSON_MAX_LEVELS + 1),
        nested(5_000),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_one_way_is_refused_by_the_name_of_its_place(value) -> None:
    with pytest.raises(InvalidInputError, match=r"^metadata cannot be written") as caught:
        canonical.encode(value, what="metadata")
    assert caught.value.code == "value-invalid"


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(InvalidInputError, match="levels"):
        canonical.encode(value)


def test_what_is_nested_as_deep_as_allowed_is_read_again() -> None:
    value = nested(limits.JSON_MAX_LEVELS)
    assert canonical.decode(canonical.encode(value), what="it") == value


def test_reading_does_not_depend_on_the_depth_of_the_call() -> None:
    value = nested(limits.JSON_MAX_LEVELS)
    data = canonical.encode(value)

    def deep(frames: int) -> object:
        return deep(frames - 1) if frames else canonical.decode(data, what="it")

    assert deep(600) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nul",
        b'{"a":1}x',
        b"\xff",
        b"\xef\xbb\xbf1",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b'{"a":-1e999}',
        b'{"a":1,"a":1}',
        b'[{"b":{"a":1,"a":2}}]',
        b'"\\ud800"',
        b'{"\\uDFFF":1}',
        b'"\n"',
        b"9" * 5_000,
        b"[" * (limits.JSON_MAX_LEVELS + 1) + b"]" * (limits.JSON_MAX_LEVELS + 1),
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b"[" * 100_000,
        b'"' + b'\\"' * 100_000,
    ],
    ids=lambda data: repr(data[:16]),
)
def test_what_encode_never_writes_is_damage(data) -> None:
    with pytest.raises(DamagedDataError, match=r"^entry 12 is not valid JSON") as caught:
        canonical.decode(data, what="entry 12")
    assert caught.value.code == "value-invalid"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'"a\\\\ud800"', "a\\ud800"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b' { "b" : 1 , "a" : 2 } ', {"b": 1, "a": 2}),
        # Brackets in text are not levels.
        (b'["' + b"[" * 500 + b'","\\"{{"]', ["[" * 500, '"{{']),
        (b"[" + b"[]," * 500 + b"[]]", [[]] * 501),
    ],
    ids=lambda value: repr(value)[:16],
)
def test_what_only_looks_like_damage_is_read(data, value) -> None:
    assert canonical.decode(data, what="it") == value


def test_hash_seeds_do_not_change_the_bytes() -> None:
    program = (
        "from artstore import canonical;"
        "print(canonical.encode({k: 1 for k in {'b', 'a', 'd', 'c'}}).decode())"
    )
    source = str(Path(canonical.__file__).parent.parent)
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": source},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {b'{"a":1,"b":1,"c":1,"d":1}\n'}

"""Blocks of rows: what is encoded comes back, and nothing else is taken for one."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import DamagedDataError
from artstore.runs.rowblocks import (
    BOOL,
    FLOAT,
    INT,
    JSON,
    NONE,
    TEXT,
    decode_rows,
    encode_rows,
    encode_schema,
    values_of,
)

_VALUES: dict[str, st.SearchStrategy[Any]] = {
    FLOAT: st.floats(),
    INT: st.integers(-(2**63), 2**63 - 1),
    BOOL: st.booleans(),
    TEXT: st.text(),
    JSON: st.sampled_from(['{"a":1}', "[]", '"ü"']),
    NONE: st.none(),
}
_TEXT_KEYS = st.text(st.characters(exclude_categories=["Cs"]))


@st.composite
def blocks(draw: st.DrawFn) -> tuple[list[str], list[str], list[list[Any]]]:
    keys = draw(st.lists(_TEXT_KEYS, unique=True, max_size=6))
    types = [draw(st.sampled_from(sorted(_VALUES))) for _ in keys]
    count = draw(st.integers(0, 5))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=count, max_size=count))

    leading = [column(st.integers(0, 2**64 - 1)), column(_VALUES[INT]), column(st.floats())]
    return keys, types, [*leading, *(column(_VALUES[kind]) for kind in types)]


def payload_of(keys: list[str], types: list[str], columns: list[list[Any]]) -> bytes:
    return encode_rows(keys, types, encode_schema(keys, types), columns)


def bits(values: list[Any]) -> list[Any]:
    return [struct.pack("<d", one) if isinstance(one, float) else one for one in values]


@given(blocks())
def test_what_is_encoded_is_decoded_bit_by_bit(
    block: tuple[list[str], list[str], list[list[Any]]],
) -> None:
    keys, types, columns = block
    decoded = decode_rows(payload_of(keys, types, columns))
    assert (list(decoded.keys), list(decoded.types)) == (keys, types)
    assert decoded.count == len(columns[0])
    expected = [[_sound(one) for one in column] for column in columns[3:]]
    assert [bits(column) for column in values_of(decoded)] == [bits(one) for one in expected]
    assert decoded.step.cast("q").tolist() == columns[1]
    assert bits(decoded.time.cast("d").tolist()) == bits(columns[2])


def _sound(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_decoded(data: bytes) -> None:
    try:
        decoded = decode_rows(data)
        values_of(decoded)
    except DamagedDataError as error:
        assert error.code == "journal-damaged"


@given(blocks(), st.data())
def test_a_payload_cut_or_changed_is_refused_or_decoded(
    block: tuple[list[str], list[str], list[list[Any]]], data: st.DataObject
) -> None:
    payload = bytearray(payload_of(*block))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(payload)))
    for changed in (bytes(payload), bytes(payload[:cut])):
        try:
            values_of(decode_rows(changed))
        except DamagedDataError as error:
            assert error.code == "journal-damaged"


def test_a_count_of_four_billion_rows_allocates_nothing() -> None:
    schema = encode_schema(["a"], [TEXT])
    with pytest.raises(DamagedDataError):
        decode_rows(struct.pack("<II", len(schema), 2**32 - 1) + schema)


def test_whole_numbers_beyond_64_bits_become_json_and_lose_nothing() -> None:
    columns: list[list[Any]] = [[0, 1], [0, 1], [0.0, 0.0], [2**70, 1], [0.5, math.nan]]
    decoded = decode_rows(payload_of(["big", "loss"], [INT, FLOAT], columns))
    assert decoded.types == (JSON, FLOAT)
    assert values_of(decoded)[0] == [str(2**70), "1"]


def test_a_whole_number_of_ten_thousand_digits_is_kept_as_text() -> None:
    number = 10**10_000
    decoded = decode_rows(payload_of(["n"], [INT], [[0], [0], [0.0], [number]]))
    (text,) = values_of(decoded)[0]
    assert int(text.strip('"'), 16) == number

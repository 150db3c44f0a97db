"""History out of blocks and segments: one row a step, what was logged last counts."""

from __future__ import annotations

import itertools
import json
import math
import struct
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import DamagedDataError
from artstore.runs import history
from artstore.runs.rowblocks import (
    BOOL,
    FLOAT,
    INT,
    JSON,
    NONE,
    TEXT,
    encode_rows,
    encode_schema,
)
from artstore.tracking.rowgroups import JsonEncoded, RowGroup

_TYPE_OF = {float: FLOAT, int: INT, bool: BOOL, str: TEXT, type(None): NONE, JsonEncoded: JSON}

Row = tuple[int, dict[str, Any]]
"""Step and values."""


def payload(*rows: tuple[int, int, dict[str, Any]]) -> bytes:
    """A block of rows (seq, step, values) of one schema."""
    group = RowGroup(list(rows[0][2]), [type(one) for one in rows[0][2].values()])
    flat: list[Any] = []
    for seq, step, values in rows:
        flat += [seq, step, 1000.0 + seq, *values.values()]
    return group.encode(group.logged(flat))


def payloads(rows: list[Row], shuffled: list[int] | None = None) -> list[bytes]:
    """Blocks of one row each, or in another order."""
    made = [payload((seq, step, values)) for seq, (step, values) in enumerate(rows)]
    return made if shuffled is None else [made[at] for at in shuffled]


def rows_of(table: Any) -> list[dict[str, Any]]:
    return list(history.rows_of(table))


def bits(value: Any) -> Any:
    return struct.pack("<d", value) if isinstance(value, float) else value


_KEYS = ["a", "b", "train/loss", "", "x\n\0"]
_SCALARS = {
    "numbers": st.one_of(st.floats(), st.integers(-(2**53), 2**53)),
    "floats": st.floats(),
    "ints": st.integers(-(2**63), 2**63 - 1),
    "bools": st.booleans(),
    "texts": st.text(st.characters(exclude_categories=["Cs"])),
    "anything": st.one_of(st.floats(), st.integers(-(2**80), 2**80), st.booleans(), st.text()),
}


@st.composite
def logged(draw: st.DrawFn) -> list[Row]:
    kinds = {key: draw(st.sampled_from(sorted(_SCALARS))) for key in _KEYS}
    count = draw(st.integers(1, 12))
    rows = []
    for _ in range(count):
        keys = draw(st.permutations(_KEYS))[: draw(st.integers(0, len(_KEYS)))]
        values = {
            key: draw(st.one_of(st.none(), _SCALARS[kinds[key]]))
            if draw(st.booleans())
            else draw(_SCALARS[kinds[key]])
            for key in keys
        }
        rows.append((draw(st.integers(0, 6)), values))
    return rows


def model(rows: list[Row]) -> dict[int, dict[str, Any]]:
    """What a dict of dicts would hold."""
    table: dict[int, dict[str, Any]] = {}
    for seq, (step, values) in enumerate(rows):
        row = table.setdefault(step, {})
        row["_timestamp"] = 1000.0 + seq
        row |= {key: value for key, value in values.items() if value is not None}
    return dict(sorted(table.items()))


def check(table: Any, rows: list[Row]) -> None:
    expected = model(rows)
    assert table["_step"].to_pylist() == list(expected)
    appeared = dict.fromkeys(key for _, values in rows for key in values)
    assert table.column_names == ["_step", "_timestamp", *appeared]
    for key in table.column_names[1:]:
        field, column = table.schema.field(key), table[key].to_pylist()
        for found, row in zip(column, expected.values(), strict=True):
            wanted = row.get(key)
            if wanted is None:
                assert found is None
            elif field.metadata:
                assert field.metadata == {b"artstore.kind": b"json"}
                assert _json_of(wanted) == json.loads(found)
            elif field.type == pa.float64():
                assert bits(found) == bits(float(wanted))
            else:
                assert type(found) is type(wanted)
                assert found == wanted


def _json_of(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$": "number", "v": str(value)}
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


@given(logged(), st.data())
def test_blocks_in_any_order_give_what_a_dict_of_dicts_holds(
    rows: list[Row], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(rows))))
    twice = [*order, *data.draw(st.lists(st.sampled_from(order), max_size=3))]
    rows = [(step, _sound(values)) for step, values in rows]
    check(history.build(payloads(rows, twice)), rows)


@given(logged(), st.data())
def test_segments_put_together_are_what_one_journal_gives(
    rows: list[Row], data: st.DataObject
) -> None:
    rows = [(step, _sound(values)) for step, values in rows]
    blocks = payloads(rows)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(rows)))) | {0, len(rows)})
    parts = [blocks[a:b] for a, b in itertools.pairwise(cuts)]
    segments = [history.write_segment(history.build(part)) for part in parts]
    check(history.read_segments(segments), rows)
    again = history.write_segment(history.read_segments(segments))
    check(history.read_segments([again]), rows)


def _sound(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _sound_text(value) for key, value in values.items()}


def _sound_text(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def test_alternating_keys_stand_beside_each_other() -> None:
    rows: list[Row] = [(at, {"a": 1.0 * at} if at % 2 else {"b": at}) for at in range(6)]
    table = history.build(payloads(rows))
    assert table["b"].to_pylist() == [0, None, 2, None, 4, None]
    assert table["a"].to_pylist() == [None, 1.0, None, 3.0, None, 5.0]
    assert table.schema.field("b").type == pa.int64()


def test_none_overwrites_nothing_and_still_makes_a_column() -> None:
    table = history.build(payloads([(0, {"a": 1}), (0, {"a": None}), (1, {"never": None})]))
    assert table["a"].to_pylist() == [1, None]
    assert table.schema.field("never").type == pa.null()
    assert rows_of(table) == [
        {"_step": 0, "_timestamp": 1001.0, "a": 1},
        {"_step": 1, "_timestamp": 1002.0},
    ]


def test_nan_and_infinities_within_json_are_read_as_numbers() -> None:
    table = history.build(payloads([(0, {"a": math.inf}), (1, {"a": "text"}), (2, {"a": True})]))
    assert [row["a"] for row in rows_of(table)] == [math.inf, "text", True]


def test_a_not_a_number_keeps_its_bits() -> None:
    strange = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_DEAD_BEEF))[0]
    segment = history.write_segment(history.build(payloads([(0, {"a": strange})])))
    found = history.read_segments([segment])["a"].combine_chunks().buffers()[1]
    assert found.to_pybytes()[:8] == struct.pack("<Q", 0x7FF8_0000_DEAD_BEEF)


def test_two_thousand_keys_in_one_row() -> None:
    values = {f"key {at}": float(at) for at in range(2_000)}
    segment = history.write_segment(history.build([payload((0, 0, values), (1, 1, values))]))
    table = history.read_segments([segment])
    assert table.shape == (2, 2_002)
    assert table["key 1999"].to_pylist() == [1999.0, 1999.0]


def test_system_metrics_have_no_step() -> None:
    blocks = payloads([(0, {"cpu": 1.0}), (1, {"cpu": 2.0, "gpu": 3})])
    table = history.build_system(blocks)
    assert table.column_names == ["_timestamp", "cpu", "gpu"]
    segment = history.write_segment(table)
    both = history.read_samples([segment, segment])
    assert both["gpu"].to_pylist() == [None, 3, None, 3]


def test_nothing_is_an_empty_history() -> None:
    for table in (history.build([]), history.read_segments([])):
        assert table.column_names == ["_step", "_timestamp"]
        assert table.num_rows == 0
    assert history.read_segments([history.write_segment(history.build([]))]).num_rows == 0


def test_only_keys_and_steps_that_are_asked_for() -> None:
    rows: list[Row] = [(at, {"a": at, "b": at}) for at in range(10)]
    segment = history.write_segment(history.build(payloads(rows)))
    table = history.read_segments([segment], keys=["b", "none"], min_step=3, max_step=5)
    assert table.column_names == ["_step", "_timestamp", "b"]
    assert table["_step"].to_pylist() == [3, 4]


def test_row_groups_of_other_steps_are_not_read() -> None:
    columns = [list(range(300_000)), list(range(300_000)), [0.0] * 300_000, [0.5] * 300_000]
    block = encode_rows(["a"], [FLOAT], encode_schema(["a"], [FLOAT]), columns)
    segment = bytearray(history.write_segment(history.build([block])))
    # The pages of the first row group are gone, its statistics are not.
    segment[4:100] = bytes(96)
    table = history.read_segments([bytes(segment)], min_step=299_990)
    assert table.num_rows == 10
    with pytest.raises(DamagedDataError):
        history.read_segments([bytes(segment)])


def test_text_that_is_not_unicode_is_damage() -> None:
    good = payload((0, 0, {"a": "abcd"}))
    with pytest.raises(DamagedDataError, match="Unicode"):
        history.build([good.replace(b"abcd", b"ab\xff\xfe")])

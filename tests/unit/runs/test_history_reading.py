"""Single columns of many parts of histories, and what is kept of them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import DamagedDataError, NotFoundError
from artstore.runs import history, historyreading
from artstore.runs.columncache import ColumnCache
from artstore.runs.histograms import logged_histograms
from artstore.runs.historyreading import HistoryReader, StoredSource, joined
from artstore.runs.lines import run_lines
from artstore.runs.rowblocks import BOOL, FLOAT, INT, JSON, NONE, TEXT, encode_rows, encode_schema
from artstore.runs.seriesjson import json_numbers
from artstore.storage.memory import MemoryStorage
from artstore.storage.meter import MeteredStorage

SAMPLES = {INT: 3, FLOAT: 0.5, BOOL: True, TEXT: "text", JSON: "[1]", NONE: None}


def segment(rows: dict[str, tuple[str, Sequence[Any]]], steps: Sequence[int]) -> bytes:
    keys, types = list(rows), [kind for kind, _ in rows.values()]
    columns = [list(values) for _, values in rows.values()]
    leading = [list(range(len(steps))), list(steps), [100.0 + step for step in steps]]
    payload = encode_rows(keys, types, encode_schema(keys, types), [*leading, *columns])
    return history.write_segment(history.build([payload]))


class Shelf:
    """Segments in a storage that counts."""

    def __init__(self, *segments: bytes, max_bytes: int = 2**30) -> None:
        self.storage = MeteredStorage(MemoryStorage("memory://x"))
        self.cache = ColumnCache(max_bytes)
        self.reader = HistoryReader(self.storage, self.cache)
        self.sources = [StoredSource(f"s/{at}", len(one)) for at, one in enumerate(segments)]
        for source, data in zip(self.sources, segments, strict=True):
            self.storage.create(source.key, data)
        self.segments = segments

    def column(self, key: str) -> tuple[list[int], list[float]]:
        parts = self.reader.columns([(source, [key]) for source in self.sources])
        found = joined([part[key] for part in parts if key in part])
        return found.step.tolist(), found.values.tolist()


def loss(values: Sequence[float], start: int = 0) -> bytes:
    return segment({"loss": (FLOAT, values)}, range(start, start + len(values)))


@st.composite
def histories(draw: Any) -> list[bytes]:
    segments = []
    for _ in range(draw(st.integers(1, 4))):
        steps = sorted(draw(st.sets(st.integers(0, 20), min_size=1, max_size=8)))
        number = st.floats(allow_nan=False)
        kind = draw(st.sampled_from([FLOAT, INT]))
        values = number if kind == FLOAT else st.integers(-1000, 1000)
        found = draw(st.lists(values, min_size=len(steps), max_size=len(steps)))
        segments.append(segment({"loss": (kind, found)}, steps))
    return segments


@given(histories())
def test_a_column_of_several_segments_is_that_of_the_whole_history(segments: list[bytes]) -> None:
    expected = history.read_segments(segments)
    steps, values = Shelf(*segments).column("loss")
    assert steps == expected["_step"].to_pylist()
    assert values == [float(value) for value in expected["loss"].to_pylist()]


def test_what_was_read_once_is_not_read_again() -> None:
    shelf = Shelf(loss([1.0, 2.0]), loss([3.0], 2))
    assert shelf.column("loss") == ([0, 1, 2], [1.0, 2.0, 3.0])
    before = shelf.storage.snapshot()
    assert shelf.column("loss") == ([0, 1, 2], [1.0, 2.0, 3.0])
    # That there is no such column is known as well.
    assert shelf.reader.columns([(shelf.sources[0], ["none"])]) == [{}]
    assert shelf.storage.snapshot() == before


def test_what_is_kept_stays_below_its_bound() -> None:
    shelf = Shelf(*(loss([float(at)] * 1000, at * 1000) for at in range(20)), max_bytes=100_000)
    steps, _ = shelf.column("loss")
    assert len(steps) == 20_000
    assert 0 < shelf.cache.size_bytes <= 100_000
    assert shelf.column("loss")[0] == steps


def test_of_a_large_segment_only_what_is_wanted_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(historyreading, "_WHOLE_BYTES", 10_000)
    monkeypatch.setattr(historyreading, "_BUFFER_BYTES", 1024)
    noise = np.random.default_rng(1).random((40, 4_000))
    data = segment({f"k{at}": (FLOAT, row.tolist()) for at, row in enumerate(noise)}, range(4_000))
    shelf = Shelf(data)
    assert shelf.column("k7")[1] == noise[7].tolist()
    assert shelf.storage.snapshot()["read"].size_bytes < len(data) / 4


def test_keys_are_told_with_what_their_values_are() -> None:
    first = segment({name: (name, [SAMPLES[name]]) for name in SAMPLES}, [0])
    second = segment({TEXT: (FLOAT, [1.0]), NONE: (INT, [1]), "new": (INT, [1])}, [1])
    shelf = Shelf(first, second)
    assert shelf.reader.kinds(shelf.sources) == {
        INT: "number",
        FLOAT: "number",
        BOOL: "bool",
        TEXT: "json",
        JSON: "json",
        NONE: "number",
        "new": "number",
    }


def test_numbers_among_other_values_are_drawn() -> None:
    texts = ["1.5", '"no"', '{"$":"number","v":"nan"}', "[1]", "-2", "true", '{"a":1}', "1e999"]
    shelf = Shelf(segment({"mixed": (JSON, texts)}, range(len(texts))))
    steps, values = shelf.column("mixed")
    assert steps == [0, 2, 4, 7]
    assert values[0] == 1.5
    assert math.isnan(values[1])
    assert values[2:] == [-2.0, math.inf]


def test_a_segment_that_is_damaged_or_gone_is_told() -> None:
    shelf = Shelf(loss([1.0])[:-3])
    with pytest.raises(DamagedDataError):
        shelf.column("loss")
    with pytest.raises(DamagedDataError):
        shelf.reader.kinds(shelf.sources)
    with pytest.raises(NotFoundError):
        shelf.reader.columns([(StoredSource("s/none", 3), ["loss"])])


def test_lines_go_over_steps_times_and_other_keys() -> None:
    rows = {"loss": (FLOAT, [3.0, 2.0, 1.0]), "epoch": (FLOAT, [0.5, 0.1, 0.3])}
    shelf = Shelf(segment(rows, [10, 20, 30]))
    expected = {
        "_step": [10, 20, 30],
        "_timestamp": [110.0, 120.0, 130.0],
        "_relative": [0.0, 10.0, 20.0],
        "epoch": [0.1, 0.3, 0.5],
    }
    for axis, places in expected.items():
        (line, none) = run_lines(shelf.reader, [shelf.sources], ["loss", "none"], axis)
        assert none is None
        assert line is not None
        assert line.x.tolist() == places
        assert line.y.tolist() == ([2.0, 1.0, 3.0] if axis == "epoch" else [3.0, 2.0, 1.0])
        assert line.last == ((0.3 if axis == "epoch" else places[-1]), 1.0)


def test_a_run_without_anything_has_no_lines() -> None:
    shelf = Shelf()
    assert run_lines(shelf.reader, [[]], ["loss"], "_relative") == [None]


@given(st.lists(st.floats()), st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_numbers_are_written_so_that_they_are_read_as_themselves(
    floats: list[float], numbers: list[int]
) -> None:
    words = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    read = [words.get(one, one) for one in json.loads(json_numbers(np.array(floats, np.float64)))]
    assert np.array_equal(np.array(read, np.float64), np.array(floats), equal_nan=True)
    assert json.loads(json_numbers(np.array(numbers, np.int64))) == numbers


def test_histograms_are_given_evenly_over_steps_and_damaged_ones_left_out() -> None:
    def text(at: int) -> str:
        return json.dumps({"_type": "histogram", "values": [at, 1], "bins": [0.0, 1.0, 2.0]})

    texts = [text(at) for at in range(10)]
    texts[4] = '{"_type": "histogram", "values": [1], "bins": [0]}'
    shelf = Shelf(
        segment({"h": (JSON, texts[:5])}, range(5)), segment({"h": (JSON, texts[5:])}, range(5, 10))
    )
    found = logged_histograms(shelf.reader, shelf.sources, "h", 100)
    assert found.steps == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert found.counts[0] == [0.0, 1.0]
    assert found.edges[0] == [0.0, 1.0, 2.0]
    few = logged_histograms(shelf.reader, shelf.sources, "h", 3)
    assert (few.steps[0], few.steps[-1], few.count) == (0, 9, 10)
    assert logged_histograms(shelf.reader, shelf.sources, "none", 3).steps == []

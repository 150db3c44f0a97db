"""Figures of Plotly: points, lines and bars are drawn, everything else is left to be saved."""

from __future__ import annotations

import base64
import json
import math
import struct
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.web.runs.figures import drawn_figure, figure_svg

go = pytest.importorskip("plotly.graph_objects", reason="plotly is not installed")


def drawn(*traces: dict[str, Any], **layout: Any) -> dict[str, Any] | None:
    return drawn_figure(json.dumps({"data": list(traces), "layout": layout}).encode())


def test_what_plotly_writes_is_drawn() -> None:
    figure = go.Figure(
        [
            go.Scatter(x=[1, 2, 3], y=[4, 5, 6], name="a", mode="lines+markers"),
            go.Scatter(x=[1, 2, 3], y=[1.5, None, 2], name="b", mode="markers"),
            go.Bar(x=[1, 2, 3], y=[1, 2, 3]),
        ],
        layout={"title": {"text": "t"}, "xaxis": {"title": {"text": "epoch"}}},
    )
    found = drawn_figure(figure.to_json().encode())
    assert found is not None
    assert [trace["kind"] for trace in found["traces"]] == ["line", "points", "bar"]
    assert found["traces"][1]["y"] == [1.5, None, 2.0]
    assert (found["title"], found["x_name"], found["y_name"]) == ("t", "epoch", None)


def test_arrays_as_bytes_are_read() -> None:
    data = base64.b64encode(struct.pack("<3d", 1, math.nan, 3)).decode()
    found = drawn({"type": "scatter", "y": {"dtype": "f8", "bdata": data}})
    assert found is not None
    assert found["traces"][0]["y"] == [1.0, None, 3.0]
    assert found["traces"][0]["x"] == [0.0, 1.0, 2.0]
    assert drawn({"y": {"dtype": "f8", "bdata": "!"}}) is None
    assert drawn({"y": {"dtype": "f8", "bdata": "AAAA"}}) is None


@pytest.mark.parametrize(
    "trace",
    [
        {"type": "heatmap", "z": [[1]]},
        {"type": "bar", "orientation": "h", "x": [1], "y": ["a"]},
        {"type": "scatter", "mode": "text", "y": [1]},
        {"type": "scatter"},
        {"type": "scatter", "x": "abc", "y": [1]},
        {"y": {"dtype": "c16", "bdata": ""}},
    ],
)
def test_other_traces_are_not_drawn(trace: dict[str, Any]) -> None:
    assert drawn({"y": [1]}, trace) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_figure_or_none(data: bytes) -> None:
    assert drawn_figure(data) is None


_VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["scatter", "bar", 1]),
                "mode": st.sampled_from(["lines", "markers", None]),
                "x": st.lists(_VALUES, max_size=5),
                "y": st.lists(_VALUES, max_size=5),
                "name": _VALUES,
            }
        ),
        max_size=4,
    )
)
def test_what_is_drawn_is_harmless_markup(traces: list[dict[str, Any]]) -> None:
    found = drawn_figure(json.dumps({"data": traces}).encode("utf-8", "replace"))
    if found is not None:
        json.dumps(found, allow_nan=False)
        text = str(figure_svg(found))
        assert "nan" not in text
        if text:
            ET.fromstring(text)


@pytest.mark.parametrize(
    ("low", "high"), [(1e17, 1e17), (-1e99, -1e99), (-1e99, 1e99), (0.0, 5e-324)]
)
@pytest.mark.parametrize("kind", ["scatter", "bar"])
def test_equal_large_numbers_and_tiny_differences_are_drawn(
    low: float, high: float, kind: str
) -> None:
    found = drawn({"type": kind, "x": [low, high], "y": [high, low]})
    assert found is not None
    text = str(figure_svg(found))
    assert "nan" not in text
    assert "inf" not in text
    ET.fromstring(text)


def test_words_in_a_figure_stay_words() -> None:
    evil = "<script>alert(1)</script>\"'"
    found = drawn({"y": [1, 2], "name": evil, "x": [evil, "b"]}, title=evil)
    assert found is not None
    assert "<script" not in str(figure_svg(found))


def test_very_many_points_are_thinned() -> None:
    found = drawn({"y": list(range(100_000))})
    assert found is not None
    assert len(found["traces"][0]["y"]) == 5_000

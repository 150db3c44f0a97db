"""Any value as plain Python, and as JSON that holds NaN."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import json
import math
import subprocess
import sys
import uuid
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from artstore.runs.nonfinite import encoded, restored
from artstore.tracking.plainvalues import TEXT_MAX_CHARS, element_count, plain


class Color(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Net:
    width: int
    betas: tuple[float, float] = (0.9, 0.999)


@dataclasses.dataclass(slots=True)
class Slotted:
    net: Net


class Pair(NamedTuple):
    left: int
    right: int


class Angry:
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.5, 0.5),
        ("a", "a"),
        (math.inf, math.inf),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.longdouble(0.5), 0.5),
        (np.datetime64("2026-01-31T12:00:00", "ns"), "2026-01-31T12:00:00"),
        (np.array(2.0), 2.0),
        (np.array([2.0]), 2.0),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(["a", None], dtype=object), ["a", None]),
        (np.array([]), []),
        (torch.tensor(2), 2),
        (torch.tensor(0.5, requires_grad=True), 0.5),
        (torch.tensor(0.5, dtype=torch.bfloat16), 0.5),
        (torch.tensor([1, 2]), [1, 2]),
        (pd.Series([1, 2]), [1, 2]),
        (pd.Timestamp("2026-01-31"), "2026-01-31T00:00:00"),
        (pd.NaT, None),
        (pd.NA, None),
        (Color.RED, "red"),
        (Color.PAIR, "PAIR"),
        (Level.HIGH, 3),
        (decimal.Decimal("0.5"), 0.5),
        (fractions.Fraction(1, 2), 0.5),
        (dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC), "2026-01-31T12:00:00+00:00"),
        (dt.date(2026, 1, 31), "2026-01-31"),
        (Path("a") / "b", "a/b"),
        (b"abc", "abc"),
        (slice(1, 5), {"slice_start": 1, "slice_step": None, "slice_stop": 5}),
        ({"b", "a"}, ["a", "b"]),
        ({1, "a"}, [1, "a"]),
        (range(3), [0, 1, 2]),
        (Pair(1, 2), [1, 2]),
        ([1, (2, [3])], [1, [2, [3]]]),
        # 1 and True are one key of a dict.
        ({1: "a", None: 2, 2.5: 3, Color.RED: 4}, {"1": "a", "null": 2, "2.5": 3, "red": 4}),
        (Net(3), {"width": 3, "betas": [0.9, 0.999]}),
        (Slotted(Net(3)), {"net": {"width": 3, "betas": [0.9, 0.999]}}),
        (math.sqrt, "math.sqrt"),
        (torch.nn.ReLU, "torch.nn.modules.activation.ReLU"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        ("half \ud800", "half ?"),
    ],
)
def test_values_of_any_library_become_plain_python(value, expected):
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)
    json.dumps(encoded(found), allow_nan=False)


def test_nan_stays_nan():
    assert math.isnan(plain(math.nan))
    assert math.isnan(plain(np.float32("nan")))


def test_what_has_no_form_becomes_text_that_is_cut_off_and_told():
    said: list[str] = []
    found = plain(
        {"model": torch.nn.Sequential(*[torch.nn.Linear(2, 2) for _ in range(99)])}, said.append
    )
    assert len(found["model"]) == TEXT_MAX_CHARS
    assert found["model"].endswith("…")
    assert "Sequential" in said[0]


def test_an_object_that_cannot_say_what_it_is_is_named_by_its_type():
    assert plain(Angry()) == f"<{Angry.__module__}.Angry>"


def test_an_array_of_many_elements_becomes_text():
    assert isinstance(plain(np.zeros(1_001)), str)
    assert plain(np.zeros(1_000)) == [0.0] * 1_000


def test_a_list_that_contains_itself_ends():
    endless: list[object] = [1]
    endless.append(endless)
    json.dumps(plain(endless))


def test_a_tensor_without_data_is_text():
    assert "meta" in plain(torch.empty(3, device="meta"))


def test_numbers_beyond_floats_are_text():
    assert plain(fractions.Fraction(10**400)) == str(10**400)
    assert plain(decimal.Decimal("sNaN")) == "sNaN"


def test_what_is_done_to_a_value_later_is_not_seen():
    given = {"a": [1]}
    found = plain(given)
    given["a"].append(2)
    assert found == {"a": [1]}


def test_elements_are_counted_at_any_depth_and_not_further_than_asked():
    assert element_count([[1, 2], [3, [4]]], 100) == 4
    assert element_count([[0] * 60, [0] * 60], 100) == 100
    assert element_count([], 100) == 0


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON_VALUES)
def test_encoded_values_are_strict_json_and_come_back(value):
    text = json.dumps(encoded(value), allow_nan=False)
    found = restored(json.loads(text))
    assert repr(found) == repr(value)
    assert encoded(encoded(value)) == encoded(value)


def test_nothing_heavy_is_imported_for_plain_values():
    program = (
        "import sys, artstore.tracking.values as v, artstore.tracking.config as c,"
        " artstore.tracking.summary, artstore.tracking.mediajson;"
        "v.convert('a', 1); v.convert('b', [1, 2]); v.convert('c', {1}); c.Config({'a': [1]}).a;"
        "print({'numpy', 'torch', 'PIL', 'pyarrow', 'pandas', 'yaml'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"

"""Seals: whatever is written is whole, and whatever is changed is not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from artstore import canonical, sealed
from artstore.errors import DamagedDataError
from tests.unit.catalog.logs import flipped

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
objects = st.dictionaries(
    st.text().filter(lambda key: key != "check") | st.sampled_from(["chec", "checks", "a", "z"]),
    json_values | st.fixed_dictionaries({"check": st.text("0123456789abcdef", max_size=16)}),
    max_size=5,
).map(lambda value: {**value, "format": 1})


def is_whole(data: bytes) -> bool:
    try:
        return sealed.is_sealed(data, canonical.decode(data, what="it"))
    except DamagedDataError:
        return False


@given(value=objects)
def test_what_is_written_is_whole(value: dict[str, Any]) -> None:
    data = sealed.encode_sealed(value, what="it")
    assert is_whole(data)
    assert sealed.has_seal(data)
    read = canonical.decode(data, what="it")
    del read["check"]
    assert read == value


@given(value=objects, at=st.floats(0, 1, exclude_max=True))
def test_a_flipped_bit_is_found(value: dict[str, Any], at: float) -> None:
    data = sealed.encode_sealed(value, what="it")
    changed = flipped(data, int(8 * len(data) * at))
    assert not is_whole(changed)
    assert not sealed.has_seal(changed)


@given(value=objects, at=st.floats(0, 1), other=st.binary(max_size=20), cut=st.integers(0, 20))
def test_other_bytes_in_the_middle_are_found(
    value: dict[str, Any], at: float, other: bytes, cut: int
) -> None:
    data = sealed.encode_sealed(value, what="it")
    start = int(len(data) * at)
    changed = data[:start] + other + data[start + cut :]
    assert is_whole(changed) == (changed == data)
    assert sealed.has_seal(changed) or changed != data


@given(data=st.binary(max_size=100))
def test_any_bytes_are_not_sealed(data: bytes) -> None:
    assert not is_whole(data)
    assert not sealed.has_seal(data)

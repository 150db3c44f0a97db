"""
Types of columns, as tables have them and as files may tell them.
"""

from __future__ import annotations

from hypothesis import strategies as st

from artstore.tables.types import (
    ARRAY_DTYPES,
    PLAIN,
    Array,
    ColumnType,
    Decimal,
    Duration,
    List,
    Media,
    Plain,
    Struct,
    Timestamp,
)
from artstore.tables.widening import widened

__all__ = ["TYPES", "unordered"]

_UNITS = st.sampled_from(["us", "ns"])
_SIMPLE = st.one_of(
    st.sampled_from(sorted(PLAIN)).map(Plain),
    st.builds(Timestamp, _UNITS, st.sampled_from([None, "UTC", "Europe/Berlin"])),
    st.builds(Duration, _UNITS),
    st.builds(
        lambda whole, scale: Decimal(whole + scale, scale), st.integers(1, 76), st.integers(0, 76)
    ),
    st.builds(Array, st.sampled_from(sorted(ARRAY_DTYPES)), st.none() | st.tuples(st.just(2))),
)


def _structs(members: st.SearchStrategy[ColumnType]) -> st.SearchStrategy[Struct]:
    named = st.tuples(st.sampled_from(["a", "b", "c"]), members)
    return st.lists(named, max_size=3, unique_by=lambda pair: pair[0]).map(
        lambda fields: Struct(tuple(fields))
    )


TYPES = st.recursive(
    _SIMPLE,
    lambda inner: st.one_of(
        inner.map(List),
        _structs(inner),
        st.builds(Media, st.sampled_from(["image-file", "other-file"]), _structs(inner)),
        st.builds(widened, inner, inner),
    ),
    max_leaves=5,
)


def unordered(kind: ColumnType) -> object:
    """A type without the order of the members of its structs."""
    if isinstance(kind, List):
        return ("list", unordered(kind.element))
    if isinstance(kind, Media):
        return ("media", kind.kind, unordered(kind.cell))
    members = getattr(kind, "fields", None) or getattr(kind, "members", None)
    if members is None:
        return kind
    return (type(kind).__name__, frozenset((name, unordered(member)) for name, member in members))

"""Log entries: what is written is read back, and any bytes at all are read as something."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from artstore.catalog.fold import Fold
from artstore.catalog.format import (
    COLLECTION_KINDS,
    UPKEEP_KINDS,
    LogEntry,
    RawEntry,
    UnknownEntry,
    VoidEntry,
    decode_again,
    decode_entry,
    encode_entry,
)
from artstore.catalog.rollups import decode_rollup, encode_rollup
from artstore.catalog.state import CollectionState
from artstore.errors import DamagedDataError
from tests.unit.catalog.logs import TIME, flipped, resealed, root_of

hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
pushes = st.text("0123456789abcdef", min_size=16, max_size=16)
names = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,20}", fullmatch=True)
aliases = names.filter(lambda text: text != "latest" and not text.lower().startswith("v"))
tags = st.from_regex(r"[a-z]{1,5}( [a-z]{1,5}){0,2}", fullmatch=True)
versions = st.integers(0, 10**9 - 1)
counts = st.integers(0, 2**63 - 1)
roots = st.integers(0, 2**64 - 1).map(root_of)
times = st.just(TIME)
version_fields = {
    "version": versions,
    "digest": hexes,
    "root": roots,
    "push": pushes,
    "size_bytes": counts,
    "file_count": counts,
    "entry_count": counts,
    "aliases": st.lists(aliases, max_size=3, unique=True),
    "tags": st.lists(tags, max_size=3, unique=True),
}
source = st.fixed_dictionaries({"project": names, "name": names, "version": versions})
keys = st.lists(roots, max_size=3, unique=True)

FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "create": {"project": names, "name": names, "type": names},
    "publish": version_fields,
    "link": version_fields | {"source": source},
    "alias": {
        "version": versions,
        "add": version_fields["aliases"],
        "remove": version_fields["aliases"],
    },
    "tag": {"version": versions, "add": version_fields["tags"], "remove": version_fields["tags"]},
    "describe": {"version": versions, "meta": roots},
    "delete": {"version": versions},
    "restore": {"version": versions},
    "purge": {"version": versions},
    "ttl": {"version": versions, "seconds": st.none() | counts},
    "pin": {"version": versions, "until": times, "holder": names},
    "unpin": {"version": versions, "holder": names},
    "fence": {"plan": counts},
    "redirect": {"project": names, "name": names},
    "named": {"project": names, "name": names},
    "draft_open": {"draft": names},
    "draft_abandon": {"draft": names},
    "attest": {"target": counts, "digest": hexes, "signature": st.just("AAAA")},
}
UPKEEP_FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "plan": {"k": counts, "condemned": keys, "condemned_in": keys},
    "sweep": {"plan": counts, "spared": keys},
    "done": {"plan": counts},
    "prune": {},
}


def bodies(fields: dict[str, dict[str, Any]]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.one_of(
        *(st.tuples(st.just(kind), st.fixed_dictionaries(rules)) for kind, rules in fields.items())
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(
    body=bodies(FIELDS),
    n=st.integers(0, 10**11),
    previous=st.binary(min_size=32, max_size=32),
    by=st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=256),
)
def test_an_entry_is_read_as_it_was_written(body: Any, n: int, previous: bytes, by: str) -> None:
    data = encode_entry(
        body, n=n, previous=previous, write="0" * 16, time=TIME, by=by, kinds=COLLECTION_KINDS
    )
    entry = decode_entry(data, n, previous, COLLECTION_KINDS)
    assert isinstance(entry, LogEntry)
    assert (entry.n, entry.kind, dict(entry.fields), entry.by) == (n, *body, by)
    again = decode_again(data, n)
    assert (again.kind, again.by) == (entry.kind, entry.by)
    assert entry.fields.items() <= again.fields.items()
    other = bytes([previous[0] ^ 1]) + previous[1:]
    assert isinstance(decode_entry(data, n, other, COLLECTION_KINDS), VoidEntry)
    assert isinstance(decode_entry(data, n + 1, previous, COLLECTION_KINDS), VoidEntry)


@given(body=bodies(UPKEEP_FIELDS))
def test_entries_of_the_log_of_gc_too(body: Any) -> None:
    data = encode_entry(
        body, n=3, previous=b"\1" * 32, write="0" * 16, time=TIME, by="gc", kinds=UPKEEP_KINDS
    )
    entry = decode_entry(data, 3, b"\1" * 32, UPKEEP_KINDS)
    assert isinstance(entry, LogEntry)
    assert (entry.kind, dict(entry.fields)) == body


@given(data=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
@example(b'{"format":1e999}')
@example(b'{"format":' + b"9" * 5000 + b"}")
@example(b"\xef\xbb\xbf{}")
def test_any_bytes_are_void_or_of_another_format(data: bytes) -> None:
    entry = decode_entry(data, 0, bytes(32), COLLECTION_KINDS)
    assert isinstance(entry, VoidEntry | UnknownEntry)
    state = CollectionState("p", "c").apply(RawEntry.of(0, data))
    assert (state.head_n, state.versions) == (0, {})


@given(
    body=bodies(FIELDS),
    field=st.sampled_from(
        [
            *("format", "n", "prev", "kind", "must_understand", "write", "time", "by"),
            *("version", "aliases", "add", "source", "draft", "root", "plan", "until"),
        ]
    ),
    value=json_values,
)
def test_any_value_in_any_field_is_read_as_something(body: Any, field: str, value: Any) -> None:
    data = encode_entry(
        body, n=0, previous=bytes(32), write="0" * 16, time=TIME, by="a", kinds=COLLECTION_KINDS
    )
    changed = json.loads(data) | {field: value}
    for hostile in (resealed(changed), json.dumps(changed).encode()):
        fold = Fold(CollectionState("p", "c"))
        fold.apply(RawEntry.of(0, hostile))
        fold.state()


@given(body=bodies(FIELDS), at=st.floats(0, 1, exclude_max=True))
def test_an_entry_with_a_flipped_bit_is_damaged(body: Any, at: float) -> None:
    data = encode_entry(
        body, n=0, previous=bytes(32), write="0" * 16, time=TIME, by="a", kinds=COLLECTION_KINDS
    )
    entry = decode_entry(flipped(data, int(8 * len(data) * at)), 0, bytes(32), COLLECTION_KINDS)
    assert isinstance(entry, VoidEntry)
    assert entry.is_damaged


@given(parts=st.lists(st.binary(max_size=50), min_size=64, max_size=64), level=st.integers(1, 3))
def test_a_rollup_is_read_as_it_was_written(parts: list[bytes], level: int) -> None:
    data = b"".join(encode_rollup(level, parts))
    assert decode_rollup(data, level, key="k") == parts


@given(data=st.binary(max_size=600), cut=st.integers(0, 300))
def test_any_bytes_are_no_rollup(data: bytes, cut: int) -> None:
    valid = b"".join(encode_rollup(1, [b"x"] * 64))
    for hostile in (data, valid[:cut] + data + valid[cut + len(data) :]):
        if hostile == valid:
            continue
        try:
            decode_rollup(hostile, 1, key="k")
        except DamagedDataError:
            continue
        raise AssertionError("damaged bytes were taken as a rollup")

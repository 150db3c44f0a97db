"""The bytes of log entries: what is one, what is void, what only a newer release knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from artstore import limits
from artstore.catalog.format import (
    COLLECTION_KINDS,
    NO_DIGEST,
    LogEntry,
    UnknownEntry,
    VoidEntry,
    collection_prefix,
    decode_again,
    decode_entry,
    encode_entry,
    entry_key,
    parse_entry_key,
)
from artstore.errors import InvalidInputError, LimitExceededError
from tests.unit.catalog.logs import TIME, flipped, resealed, root_of, version_fields

CREATE: dict[str, Any] = {"project": "p", "name": "c", "type": "dataset"}
SAMPLES: dict[str, dict[str, Any]] = {
    "create": CREATE,
    "publish": version_fields(3, aliases=["best"], tags=["two words"]),
    "link": version_fields(3) | {"source": {"project": "p", "name": "other", "version": 7}},
    "alias": {"version": 1, "add": ["best"], "remove": ["old"]},
    "tag": {"version": 1, "add": ["nice"], "remove": []},
    "describe": {"version": 1, "meta": root_of(5)},
    "delete": {"version": 1},
    "restore": {"version": 1},
    "purge": {"version": 1},
    "ttl": {"version": 1, "seconds": 3600},
    "pin": {"version": 1, "until": TIME, "holder": "run-7"},
    "unpin": {"version": 1, "holder": "run-7"},
    "fence": {"plan": 4},
    "redirect": {"project": "p", "name": "old"},
    "named": {"project": "p", "name": "new"},
    "draft_open": {"draft": "d1"},
    "draft_abandon": {"draft": "d1"},
    "retention": {
        "keep_last": 5,
        "keep_within_seconds": 86_400,
        "keep_aliases": ["prod-*", "b[!x]?"],
        "protected": ["best"],
    },
    "attest": {"target": 3, "digest": "0" * 64, "signature": "AAAA"},
}


def encode(kind: str, fields: dict[str, Any], n: int = 0, previous: bytes = NO_DIGEST) -> bytes:
    return encode_entry(
        (kind, fields),
        n=n,
        previous=previous,
        write="0123456789abcdef",
        time=TIME,
        by="ann@host",
        kinds=COLLECTION_KINDS,
    )


def decode(
    data: bytes, n: int = 0, previous: bytes | None = NO_DIGEST
) -> LogEntry | VoidEntry | UnknownEntry:
    return decode_entry(data, n, previous, COLLECTION_KINDS)


def changed(**changes: Any) -> bytes:
    value = json.loads(encode("create", CREATE))
    value.update(changes)
    for key in [key for key, item in value.items() if item == "gone"]:
        del value[key]
    return resealed(value)


def test_every_kind_of_v1_has_a_sample_here() -> None:
    assert SAMPLES.keys() == COLLECTION_KINDS.keys()


@pytest.mark.parametrize("kind", SAMPLES)
def test_an_entry_of_each_kind_is_read_as_it_was_written(kind: str) -> None:
    data = encode(kind, SAMPLES[kind], n=7, previous=b"\1" * 32)
    entry = decode(data, 7, b"\1" * 32)
    assert isinstance(entry, LogEntry)
    assert (entry.n, entry.kind, entry.by, entry.time) == (7, kind, "ann@host", TIME)
    assert entry.fields == SAMPLES[kind]
    assert entry.must_understand == (kind not in ("attest", "retention"))


@pytest.mark.parametrize("kind", SAMPLES)
def test_reading_again_what_is_proven_gives_the_same(kind: str) -> None:
    data = encode(kind, SAMPLES[kind])
    first, again = decode(data), decode_again(b" " + data, 0)
    assert isinstance(first, LogEntry)
    assert first.fields.items() <= again.fields.items()
    assert (first.kind, first.write, first.by) == (again.kind, again.write, again.by)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"a":1,"a":1}', "is not JSON"),
        (b'{"a":NaN}', "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"{}", "has no format number"),
        (b" " * (limits.ENTRY_MAX_BYTES + 1), "has more than 1048576 bytes"),
        (changed(format="1"), "has no format number"),
        (changed(format=True), "has no format number"),
        (changed(format=0), "has no format number"),
        (changed(n=1), "states another number"),
        (changed(n=False), "states another number"),
        (changed(kind=3), "does not state its kind"),
        (changed(kind=""), "does not state its kind"),
        (changed(must_understand=1), "does not state its kind"),
        (changed(prev="gone"), "lacks a field that every entry has"),
        (changed(prev="A" * 64), "lacks a field that every entry has"),
        (changed(write="0123"), "lacks a field that every entry has"),
        (changed(time="yesterday"), "lacks a field that every entry has"),
        (changed(by="a" * 257), "lacks a field that every entry has"),
        (changed(by="\ud800"), "is not JSON"),
        (changed(by="a\nb"), "lacks a field that every entry has"),
        (changed(type=None), "has no valid field 'type'"),
        (changed(type="gone"), "has no valid field 'type'"),
        (changed(name="../x"), "has no valid field 'name'"),
    ],
)
def test_bytes_that_are_no_entry_are_void_and_say_why(data: bytes, reason: str) -> None:
    entry = decode(data)
    assert isinstance(entry, VoidEntry)
    assert (entry.reason, entry.is_chained) == (reason, True)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("publish", "version", -1),
        ("publish", "version", True),
        ("publish", "version", 1.0),
        ("publish", "version", 10**9),
        ("publish", "digest", "0" * 63),
        ("publish", "root", "packs/00/" + "0" * 64 + "-" + "0" * 16),
        ("publish", "root", "manifests/01/" + "0" * 64 + "-" + "0" * 16),
        ("publish", "root", root_of(1) + "\n"),
        ("publish", "size_bytes", -1),
        ("publish", "size_bytes", 2**63),
        ("publish", "aliases", ["latest"]),
        ("publish", "aliases", ["v3"]),
        ("publish", "aliases", ["a", "a"]),
        ("publish", "aliases", "best"),
        ("publish", "tags", ["  "]),
        ("publish", "draft", 7),
        ("link", "source", {"project": "p", "name": "c"}),
        ("pin", "until", "soon"),
        ("pin", "holder", "free text is not kept in logs"),
        ("ttl", "seconds", -1),
        ("fence", "plan", None),
        ("attest", "signature", ""),
        ("retention", "keep_last", 0),
        ("retention", "keep_within_seconds", 0),
        ("retention", "keep_aliases", ["free text"]),
        ("retention", "keep_aliases", "best"),
        ("retention", "protected", ["latest"]),
    ],
)
def test_a_field_that_breaks_its_rule_makes_the_entry_void(
    kind: str, field: str, value: Any
) -> None:
    data = json.loads(encode(kind, SAMPLES[kind]))
    data[field] = value
    entry = decode(resealed(data))
    assert entry == VoidEntry(0, f"has no valid field {field!r}")


@pytest.mark.parametrize("kind", SAMPLES)
def test_any_flipped_bit_of_an_entry_is_told_apart_from_what_writers_write(kind: str) -> None:
    data = encode(kind, SAMPLES[kind])
    for bit in range(8 * len(data)):
        entry = decode(flipped(data, bit))
        assert isinstance(entry, VoidEntry), bit
        assert entry.is_damaged, bit


@pytest.mark.parametrize(
    ("data", "is_damaged"),
    [
        (b"", True),
        (b"[]", True),
        (b"{}", True),
        (b'{"format":1}', True),
        (b" " * (limits.ENTRY_MAX_BYTES + 1), True),
        (changed(n=1), True),
        (changed(kind=3), False),
        (changed(type=None), False),
        (encode("create", CREATE, previous=b"\1" * 32), False),
    ],
)
def test_what_nobody_wrote_there_is_told_apart_from_what_makes_no_sense(
    data: bytes, is_damaged: bool
) -> None:
    entry = decode(data)
    assert isinstance(entry, VoidEntry)
    assert entry.is_damaged == is_damaged


def test_the_check_is_no_field_of_an_entry() -> None:
    data = encode("create", CREATE)
    entry = decode(data)
    assert isinstance(entry, LogEntry)
    assert b'"check":' in data
    assert "check" not in entry.fields


def test_another_format_with_a_check_that_is_wrong_is_damage() -> None:
    entry = decode(encode("create", CREATE).replace(b'"format":1', b'"format":3'))
    assert isinstance(entry, VoidEntry)
    assert entry.is_damaged
    assert isinstance(decode(changed(format=3)), UnknownEntry)


def test_a_wrong_chain_makes_the_entry_void_and_is_told_apart() -> None:
    entry = decode(encode("create", CREATE), previous=b"\1" * 32)
    assert isinstance(entry, VoidEntry)
    assert not entry.is_chained


def test_behind_a_hole_the_chain_is_not_asked_for() -> None:
    assert isinstance(decode(encode("create", CREATE, previous=b"\1" * 32), 0, None), LogEntry)


def test_fields_that_are_not_known_are_passed_over() -> None:
    entry = decode(changed(colour="red"))
    assert isinstance(entry, LogEntry)
    assert entry.fields["colour"] == "red"


@pytest.mark.parametrize("must", [True, False])
def test_an_unknown_kind_says_whether_it_must_be_understood(must: bool) -> None:
    assert decode(changed(kind="merge", must_understand=must)) == UnknownEntry(0, "merge", must)


def test_another_format_must_be_understood_whatever_it_says() -> None:
    entry = decode(b'{"format":2,"must_understand":false}')
    assert entry == UnknownEntry(0, "of format 2", must_understand=True)


def test_an_entry_that_readers_would_take_as_void_is_never_made() -> None:
    with pytest.raises(InvalidInputError) as caught:
        encode("alias", {"version": 1, "add": ["v3"], "remove": []})
    assert caught.value.code == "value-invalid"


def test_an_entry_above_the_limit_is_refused_when_it_is_written() -> None:
    aliases = [f"alias-{i:0100d}" for i in range(11_000)]
    with pytest.raises(LimitExceededError):
        encode("alias", {"version": 1, "add": aliases, "remove": []})


def test_keys_hold_escaped_names_and_twelve_digits() -> None:
    prefix = collection_prefix("Vision", "con")
    assert prefix == "collections/!vision/!!con/"
    assert entry_key(prefix, 12) == prefix + "000000000012"
    assert parse_entry_key(prefix, prefix + "000000000012") == 12
    for other in ("12", "00000000001x", "rollups/1-000000000000", "\u0660" * 12, ""):
        assert parse_entry_key(prefix, prefix + other) is None


def test_an_entry_that_requires_a_feature_is_for_a_newer_release() -> None:
    value = json.loads(encode("publish", SAMPLES["publish"])) | {"requires": ["row-deltas"]}
    entry = decode_entry(resealed(value), 0, NO_DIGEST, COLLECTION_KINDS)
    assert isinstance(entry, UnknownEntry)
    assert entry.must_understand
    assert "row-deltas" in entry.kind
    empty = value | {"requires": []}
    assert isinstance(decode_entry(resealed(empty), 0, NO_DIGEST, COLLECTION_KINDS), LogEntry)
    wrong = value | {"requires": "row-deltas"}
    assert isinstance(decode_entry(resealed(wrong), 0, NO_DIGEST, COLLECTION_KINDS), VoidEntry)

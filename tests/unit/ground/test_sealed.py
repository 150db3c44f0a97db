"""Values that tell when one of their bits is not what was written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from artstore import canonical, sealed
from artstore.digest import checksum64
from artstore.errors import InvalidInputError

VALUE: dict[str, Any] = {"aliases": ["best"], "format": 1, "name": 'ä\n"'}


def is_sealed(data: bytes) -> bool:
    return sealed.is_sealed(data, canonical.decode(data, what="it"))


def test_a_sealed_value_is_canonical_and_has_one_member_more() -> None:
    data = sealed.encode_sealed(VALUE, what="it")
    value = canonical.decode(data, what="it")
    assert canonical.encode(value) == data
    assert value.pop("check") == checksum64(canonical.encode(VALUE)).hex()
    assert value == VALUE
    assert "check" not in VALUE
    assert is_sealed(data)


def test_what_cannot_be_written_is_refused_by_name() -> None:
    with pytest.raises(InvalidInputError, match="entry 7"):
        sealed.encode_sealed({"format": float("nan")}, what="entry 7")


def test_the_member_may_stand_first_and_white_space_is_covered() -> None:
    plain = b'{ "format" : 1 }'
    data = b'{"check":"%s",' % checksum64(plain).hex().encode() + plain[1:]
    assert is_sealed(data)
    assert not is_sealed(data.replace(b" : ", b":"))


def test_a_member_of_that_name_in_an_inner_object_is_not_the_seal() -> None:
    value = {"a": {"check": "0" * 16, "x": 1}, "format": 1}
    data = sealed.encode_sealed(value, what="it")
    assert data.index(b"0" * 16) < data.rindex(b'"check"')
    assert is_sealed(data)
    assert not is_sealed(canonical.encode(value))


@pytest.mark.parametrize(
    "check", [None, True, 7, [], {}, "", "0" * 15, "0" * 16, "0" * 17, "é" * 16, '"' * 16]
)
def test_a_check_that_is_none_is_wrong(check: Any) -> None:
    assert not is_sealed(json.dumps({"check": check, "format": 1}).encode())
    assert not is_sealed(canonical.encode({"check": check, "format": 1}))


def test_a_check_in_capitals_is_wrong() -> None:
    data = sealed.encode_sealed(VALUE, what="it")
    check = canonical.decode(data, what="it")["check"]
    assert check != check.upper()
    assert not is_sealed(data.replace(check.encode(), check.upper().encode()))


@pytest.mark.parametrize("data", [b"[]", b"1", b'"check"', b"null", b"{}", b'{"format":1}'])
def test_what_has_no_check_is_not_sealed(data: bytes) -> None:
    assert not is_sealed(data)


def test_a_seal_is_found_among_inner_members_of_its_name_without_decoding() -> None:
    inner = {"check": "0123456789abcdef", "z": 1}
    data = sealed.encode_sealed({"a": inner, "b": [inner], "format": 1}, what="it")
    assert sealed.has_seal(data)
    assert not sealed.has_seal(b'{"check":"')
    assert not sealed.has_seal(b"")


def test_a_thousand_false_seals_are_not_all_tried() -> None:
    data = sealed.encode_sealed({"a": [{"check": "", "z": 1}] * 1_000, "format": 1}, what="it")
    assert is_sealed(data)
    assert not sealed.has_seal(data)

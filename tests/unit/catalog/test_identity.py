"""`artstore.json`: who may write a store, and what an older or newer release makes of it."""

from __future__ import annotations

import json

import pytest

from artstore import sealed
from artstore.catalog.identity import (
    IDENTITY_KEY,
    create_identity,
    encode_identity,
    read_identity,
)
from artstore.errors import DamagedDataError, NotFoundError, UnsupportedFormatError
from artstore.storage.memory import MemoryStorage

ONE = encode_identity(has_one_writer=True)


def stored(**changes) -> MemoryStorage:
    """A place whose artstore.json has these members changed, and is sealed."""
    storage = MemoryStorage()
    create_identity(storage)
    value = json.loads(storage.read(IDENTITY_KEY))
    del value["check"]
    changed = MemoryStorage()
    changed.create(IDENTITY_KEY, sealed.encode_sealed(value | changes, what="the test"))
    return changed


def test_a_store_is_for_many_writers_unless_it_says_otherwise() -> None:
    storage = MemoryStorage()
    identity = create_identity(storage)
    assert not identity.has_one_writer
    assert "writers" not in json.loads(storage.read(IDENTITY_KEY))
    assert identity.data == storage.read(IDENTITY_KEY)
    assert read_identity(storage) == identity


def test_a_store_for_one_writer_says_so() -> None:
    storage = MemoryStorage()
    assert create_identity(storage, ONE).has_one_writer
    assert json.loads(storage.read(IDENTITY_KEY))["writers"] == "one"
    assert read_identity(storage).has_one_writer


def test_whoever_is_second_gets_the_store_that_is_there() -> None:
    storage = MemoryStorage()
    first = create_identity(storage)
    assert create_identity(storage, ONE) == first


def test_writers_of_a_kind_that_is_not_known_are_refused_not_guessed() -> None:
    with pytest.raises(UnsupportedFormatError, match="'leased'"):
        read_identity(stored(writers="leased"))


def test_a_higher_format_is_refused() -> None:
    with pytest.raises(UnsupportedFormatError, match="has format 2"):
        read_identity(stored(format=2))


def test_what_is_not_whole_or_not_there_is_told_apart() -> None:
    with pytest.raises(NotFoundError, match="there is no store"):
        read_identity(MemoryStorage())
    with pytest.raises(DamagedDataError):
        read_identity(stored(digest="md5"))

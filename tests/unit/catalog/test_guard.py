"""No place that replaces values is ever written to as a store for many writers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from artstore.catalog.guard import GuardCache, ProvingStorage, guarded, make_store, prove
from artstore.catalog.identity import (
    IDENTITY_KEY,
    create_identity,
    encode_identity,
    read_identity,
)
from artstore.errors import DeniedError, NotFoundError, StorageError, UnavailableError
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Span, Storage, Value
from artstore.storage.retry import RetryingStorage
from artstore.testing.faults import FaultPlan, FaultyStorage

URL = "s3://bucket/store"


class Bucket(MemoryStorage):
    """A server that guards, and counts what it is asked to store."""

    asked = 0

    @property
    def url(self) -> str:
        return URL

    def create(self, key: str, value: Value) -> None:
        self.asked += 1
        super().create(key, value)


class OverwritingBucket(Bucket):
    """A server that ignores If-None-Match."""

    def create(self, key: str, value: Value) -> None:
        self.delete([key])
        super().create(key, value)


class AppendOnlyBucket(OverwritingBucket):
    """The same, with credentials that may not delete."""

    is_closed = False

    def delete(self, keys: Sequence[str]) -> None:
        if self.is_closed:
            raise DeniedError("deleting is forbidden", code="storage-denied")
        super().delete(keys)

    def create(self, key: str, value: Value) -> None:
        self.is_closed = False
        super().create(key, value)
        self.is_closed = True


def test_a_place_that_guards_is_proven_by_one_request_once_a_machine(tmp_path: Path) -> None:
    storage = Bucket()
    identity = create_identity(storage)
    for written in range(3):
        storage.asked = 0
        writable = guarded(storage, identity, GuardCache(tmp_path, URL))
        writable.create(f"packs/{written}", b"")
        writable.create_many([(f"index/{written}", b"")])
        assert storage.asked == (2 if written else 3)
    assert storage.read(IDENTITY_KEY) == identity.data


def test_reading_proves_nothing(tmp_path: Path) -> None:
    storage = OverwritingBucket()
    identity = create_identity(storage)
    storage.asked = 0
    readable = guarded(storage, identity, GuardCache(tmp_path, URL))
    assert readable.read(IDENTITY_KEY) == identity.data
    assert list(readable.read_many([(IDENTITY_KEY, None)])) == [identity.data]
    assert [info.key for info in readable.scan("")] == [IDENTITY_KEY]
    assert list(readable.scan_names("packs/")) == []
    assert readable.stat(IDENTITY_KEY).size_bytes == len(identity.data)
    readable.delete(["packs/x"])
    assert readable.url == URL
    assert storage.asked == 0


def test_a_place_that_replaces_values_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    storage = OverwritingBucket()
    identity = create_identity(storage)
    for _ in range(2):
        writable = guarded(storage, identity, GuardCache(tmp_path, URL))
        with pytest.raises(StorageError, match="cannot hold a store for many") as refused:
            writable.create("packs/x", b"")
        assert refused.value.code == "storage-unsuitable"
        assert "--single-writer" in str(refused.value.hint)
    assert [info.key for info in storage.scan("")] == [IDENTITY_KEY]
    assert storage.read(IDENTITY_KEY) == identity.data


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("count", [1, 5, 8])
def test_a_place_that_is_throttled_is_not_taken_for_one_that_replaces_values(
    count: int, applied: bool
) -> None:
    # The retry layer makes success of "exists" after a lost answer: the bytes are equal.
    inner = Bucket()
    identity = create_identity(inner)
    failing = frozenset(range(count))
    plan = FaultPlan(lose_answer_at=failing) if applied else FaultPlan(unavailable_at=failing)
    storage = RetryingStorage(FaultyStorage(inner, plan), attempts=9, first_delay_seconds=0)
    prove(storage, identity)


def test_a_place_that_does_not_answer_is_not_judged() -> None:
    inner = Bucket()
    identity = create_identity(inner)
    faulty = FaultyStorage(inner, FaultPlan(unavailable_at=frozenset(range(100))))
    with pytest.raises(UnavailableError):
        prove(RetryingStorage(faulty, attempts=3, first_delay_seconds=0), identity)


def test_a_store_of_somebody_else_is_not_removed(tmp_path: Path) -> None:
    class Contended(OverwritingBucket):
        """Another process makes its store right after ours."""

        def read(self, key: str, span: Span | None = None) -> bytes:
            if not theirs.data:
                super().create(IDENTITY_KEY, encode_identity())
                theirs.data = super().read(IDENTITY_KEY)
            return super().read(key, span)

    class theirs:  # noqa: N801
        data = b""

    storage = Contended()
    with pytest.raises(StorageError, match="cannot hold a store"):
        make_store(storage, GuardCache(tmp_path, URL), has_one_writer=False)
    assert storage.read(IDENTITY_KEY) == theirs.data


def test_the_same_url_at_another_server_is_proven_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = create_identity(Bucket())
    GuardCache(tmp_path, URL).remember(identity)
    assert GuardCache(tmp_path, URL).writers(identity.store_id) == "many"
    assert GuardCache(tmp_path, "s3://other/store").writers(identity.store_id) is None
    assert GuardCache(tmp_path, URL).writers("of another store") is None
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:8080")
    assert GuardCache(tmp_path, URL).writers(identity.store_id) is None


def test_a_cache_that_is_damaged_or_cannot_be_written_costs_a_request_and_no_more(
    tmp_path: Path,
) -> None:
    identity = create_identity(Bucket())
    cache = GuardCache(tmp_path, URL)
    cache.remember(identity)
    [file] = (tmp_path / "guards").iterdir()
    for text in ("", "[]", '{"store_id": 3}', "\0"):
        file.write_text(text)
        assert cache.writers(identity.store_id) is None
    (tmp_path / "not-a-directory").write_text("")
    GuardCache(tmp_path / "not-a-directory", URL).remember(identity)


def test_a_store_made_where_values_are_replaced_is_taken_back(tmp_path: Path) -> None:
    storage = OverwritingBucket()
    with pytest.raises(StorageError, match="cannot hold a store"):
        make_store(storage, GuardCache(tmp_path, URL), has_one_writer=False)
    with pytest.raises(NotFoundError):
        read_identity(storage)


def test_what_cannot_be_taken_back_is_named(tmp_path: Path) -> None:
    storage = AppendOnlyBucket()
    with pytest.raises(StorageError, match="cannot hold a store") as refused:
        make_store(storage, GuardCache(tmp_path, URL), has_one_writer=False)
    assert str(refused.value.hint).startswith("remove artstore.json there")


def test_a_store_for_one_writer_is_made_and_written_without_a_proof(tmp_path: Path) -> None:
    storage = OverwritingBucket()
    cache = GuardCache(tmp_path, URL)
    identity = make_store(storage, cache, has_one_writer=True)
    assert cache.writers() == "one"
    assert guarded(storage, identity, cache) is storage


@pytest.mark.parametrize("kind", ["memory", "local"])
def test_a_place_of_this_machine_needs_no_proof(tmp_path: Path, kind: str) -> None:
    storage: Storage = MemoryStorage() if kind == "memory" else LocalStorage(tmp_path / "s")
    cache = GuardCache(tmp_path / "cache", storage.url)
    identity = make_store(storage, cache, has_one_writer=False)
    assert guarded(storage, identity, cache) is storage
    assert not (tmp_path / "cache").exists()


def test_a_proof_that_fails_is_made_again_by_the_next_write() -> None:
    answers = iter([DeniedError("not now", code="storage-denied"), None])

    def prove_now() -> None:
        if error := next(answers):
            raise error

    storage = ProvingStorage(Bucket(), prove_now)
    with pytest.raises(DeniedError):
        storage.create("packs/x", b"")
    storage.create("packs/x", b"")
    storage.create("packs/y", b"")

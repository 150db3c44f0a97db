"""The one storage suite, run on real S3 servers that the tests start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from artstore import clock, limits
from artstore.api import open_store
from artstore.clock import SystemClock
from artstore.errors import StorageError
from artstore.storage.address import parse_bucket_url
from artstore.storage.opener import open_storage
from artstore.storage.protocol import Span, Storage
from artstore.storage.remote import RemoteStorage
from artstore.storage.retry import RetryingStorage
from artstore.testing.servers import S3Server, rclone_missing, start_rclone
from artstore.testing.storage_suite import StorageSuite
from tests.trees import File, build, noise, observe, problems_of, push


class NoWaiting(SystemClock):
    """Nothing is tried again here."""

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"waits for {seconds} s")


class BucketSuite(StorageSuite):
    """Fewer and smaller: each call is a request."""

    large_value_bytes: ClassVar[int] = 20 * limits.MIB
    race_rounds: ClassVar[int] = 5


class TestCloud(BucketSuite):
    @pytest.fixture
    def storage(self, s3_place: str) -> Storage:
        return open_storage(s3_place)


class TestRemote(BucketSuite):
    opened: ClassVar[dict[str, RemoteStorage]] = {}

    @pytest.fixture
    def storage(self, s3_server: S3Server, s3_place: str) -> Storage:
        storage = RemoteStorage(parse_bucket_url(f"fsspec+{s3_place}"))
        # One client for each server: opening it takes a fifth of a second.
        storage._opened = self.opened.setdefault(s3_server.name, storage)._open()
        return RetryingStorage(storage)


@pytest.fixture(scope="session")
def rclone() -> Iterator[S3Server]:
    if reason := rclone_missing():
        pytest.skip(reason)
    with start_rclone() as server:
        yield server


def open_unguarded(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, scheme: str = "s3"
) -> Storage:
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return open_storage(f"{scheme}://{server.make_bucket()}/store", unguarded=True)


class TestRclone:
    """What this server does otherwise than others, and a store for one writer needs."""

    @pytest.fixture
    def storage(self, rclone: S3Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
        return open_unguarded(rclone, monkeypatch)

    large_value_bytes = BucketSuite.large_value_bytes
    test_ranges = BucketSuite.test_a_large_value_is_read_back_whole_and_in_ranges
    test_spans = BucketSuite.test_a_span_gives_exactly_its_bytes
    test_spans_past_the_end = BucketSuite.test_a_span_past_the_value_is_damage
    test_read_many = BucketSuite.test_read_many_answers_in_the_order_asked
    test_read_many_with_a_missing_key = BucketSuite.test_read_many_gives_what_precedes_a_missing_key
    test_a_taken_key = BucketSuite.test_a_taken_key_is_refused_and_keeps_its_value
    test_scan = BucketSuite.test_scan_is_in_the_order_of_whole_keys
    test_scan_after = BucketSuite.test_scan_starts_after_any_text
    test_delete = BucketSuite.test_deleted_keys_are_absent


class TestRcloneThroughFsspec:
    """The same, of what a forked child and `fsspec+s3://` use."""

    @pytest.fixture
    def storage(self, rclone: S3Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
        return open_unguarded(rclone, monkeypatch, "fsspec+s3")

    large_value_bytes = BucketSuite.large_value_bytes
    test_ranges = BucketSuite.test_a_large_value_is_read_back_whole_and_in_ranges
    test_read_many = BucketSuite.test_read_many_answers_in_the_order_asked
    test_a_taken_key = BucketSuite.test_a_taken_key_is_refused_and_keeps_its_value
    test_scan_after = BucketSuite.test_scan_starts_after_any_text


def test_a_store_for_one_writer_at_rclone_is_written_and_read(
    rclone: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = open_unguarded(rclone, monkeypatch).url
    tree = {f"small/{n:03}": File(noise(3000, n)) for n in range(200)}
    tree |= {"large": File(noise(24 * limits.MIB))}  # over a pack, in several ranges
    with clock.use(NoWaiting()):
        store = open_store(url, project="p")
        assert store.create(single_writer=True)
        push(store, build(tmp_path / "data", tree))
        tree["small/000"] = File(b"other")
        push(store, build(tmp_path / "data", tree))
        # Another process, which has nothing in its cache.
        monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(tmp_path / "cache"))
        other = open_store(url, project="p")
        other.artifact("ds").download(tmp_path / "out")
        assert observe(tmp_path / "out") == tree
        assert problems_of(other) == []


@pytest.mark.nightly
class TestRcloneInFull(BucketSuite):
    @pytest.fixture
    def storage(self, rclone: S3Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
        return open_unguarded(rclone, monkeypatch)

    @pytest.mark.skip(reason="unguarded: racing creators overwrite each other")
    def test_of_racing_creators_exactly_one_wins(self, storage: Storage) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("scheme", ["s3", "fsspec+s3"])
def test_s3rver_is_unsuitable_and_nothing_is_tried_again(
    s3rver: S3Server, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    storage = open_unguarded(s3rver, monkeypatch, scheme)
    storage.create_many([(key, b"0123456789") for key in ("a!b", "a/b", "a0")])
    calls: list[Callable[[], object]] = [
        lambda: list(storage.scan("")),  # a/b comes before a!b
        lambda: storage.read("a0", Span(-3, 3)),  # the first four bytes come
        lambda: list(storage.read_many([("a0", Span(-3, 3))] * 2)),
    ]
    with clock.use(NoWaiting()):
        for call in calls:
            with pytest.raises(StorageError) as raised:
                call()
            assert raised.value.code == "storage-unsuitable"

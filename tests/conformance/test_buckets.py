"""The one storage suite, run on real S3 servers that the tests start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from artstore import limits
from artstore.storage.address import parse_bucket_url
from artstore.storage.opener import open_storage
from artstore.storage.protocol import Storage
from artstore.storage.remote import RemoteStorage
from artstore.storage.retry import RetryingStorage
from artstore.testing.servers import S3Server, rclone_missing, start_rclone
from artstore.testing.storage_suite import StorageSuite


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


class TestUnguarded(BucketSuite):
    @pytest.fixture(params=["rclone", "s3rver"])
    def storage(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Storage:
        server: S3Server = request.getfixturevalue(request.param)
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        return open_storage(f"s3://{server.make_bucket()}/store", unguarded=True)

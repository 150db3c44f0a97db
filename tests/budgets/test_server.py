"""What the meter counts is what a server receives: one request each, and no other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from artstore.storage.meter import MeteredStorage
from artstore.storage.opener import open_storage
from artstore.testing.proxy import FaultProxy
from artstore.testing.servers import S3Server
from tests.trees import File, build, noise, open_at, push

TREE = {f"d{number % 3}/{number:03d}": File(noise(20_000, number)) for number in range(60)}


def received_by(proxy: FaultProxy) -> Counter[str]:
    """The requests by method; a GET of the bucket itself is a LIST."""
    return Counter(
        "LIST" if asked.method == "GET" and "?" in asked.target else asked.method
        for asked in proxy.received
    )


def counted_by(storage: MeteredStorage) -> Counter[str]:
    counts: Counter[str] = Counter()
    for request, count in storage.requests().items():
        counts[request.method] += count
    return counts


def test_a_server_receives_the_requests_that_are_counted(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"s3://{s3_server.make_bucket()}/store"
    source = build(tmp_path / "source", TREE)
    with FaultProxy(s3_server.endpoint_url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint_url)
        storage = MeteredStorage(open_storage(url))
        store = open_at(url, storage)
        store.create()
        push(store, source)
        store.artifact("ds").download(tmp_path / "out")
        store.set_aliases("ds", ["best"])
        assert store.collections()
        assert received_by(proxy) == counted_by(storage)

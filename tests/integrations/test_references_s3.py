"""References to keys of buckets, on a moto server: versions, prefixes, changes, credentials."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

import artstore as art
from artstore import clock
from artstore.testing.servers import S3Server
from tests.trees import noise


@pytest.fixture(autouse=True)
def leads_to_moto(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in moto.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(clock, "sleep", lambda seconds: None)


@pytest.fixture
def client(leads_to_moto: None) -> Iterator[Any]:
    made = boto3.client("s3")
    yield made
    made.close()


@pytest.fixture
def bucket(moto: S3Server) -> str:
    return moto.make_bucket()


@pytest.fixture
def versioned(moto: S3Server, client: Any) -> str:
    name = moto.make_bucket()
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def store(tmp_path: Path) -> art.Store:
    return art.open_store(os.fspath(tmp_path / "store"), project="p")


def pushed(store: art.Store, url: str, name: str | None = None) -> art.LoggedArtifact:
    draft = art.Artifact("refs")
    draft.add_reference(url, name)
    return store.log_artifact(draft)


def put_many(moto: S3Server, bucket: str, values: dict[str, bytes]) -> None:
    """Over one connection, unsigned: moto takes that from anybody, in a third of the time."""
    connection = http.client.HTTPConnection(moto.endpoint_url.removeprefix("http://"))
    for key, data in values.items():
        connection.request("PUT", f"/{bucket}/{key}", data)
        reply = connection.getresponse()
        assert reply.status == 200, reply.read()
        reply.read()
    connection.close()


def code_of(version: art.LoggedArtifact, target: Path) -> str:
    with pytest.raises(art.ArtstoreError) as caught:
        version.download(target)
    assert not list(target.iterdir()), "something was left behind"
    return caught.value.code


def test_a_key_is_noted_and_fetched_with_its_etag(
    store: art.Store, client: Any, bucket: str, tmp_path: Path
) -> None:
    data = noise(20_000_000)
    etag = client.put_object(Bucket=bucket, Key="a/b c#d?e.bin", Body=data)["ETag"]
    version = pushed(store, f"s3://{bucket}/a/b c#d?e.bin")
    entry = version.entry("b c#d?e.bin")
    assert entry.extra["etag"] == etag
    assert "version_id" not in entry.extra
    assert (entry.size_bytes, "content_digest" in entry.extra) == (20_000_000, False)
    version.download(tmp_path / "out")
    assert (tmp_path / "out/b c#d?e.bin").read_bytes() == data
    client.delete_object(Bucket=bucket, Key="a/b c#d?e.bin")
    assert version.download(tmp_path / "out").written_files == 0, "it was asked for again"


def test_an_empty_key_is_fetched(
    store: art.Store, client: Any, bucket: str, tmp_path: Path
) -> None:
    client.put_object(Bucket=bucket, Key="empty", Body=b"")
    version = pushed(store, f"s3://{bucket}/empty")
    version.download(tmp_path / "out")
    assert (tmp_path / "out/empty").read_bytes() == b""
    client.put_object(Bucket=bucket, Key="empty", Body=b"not")
    assert code_of(version, tmp_path / "again") == "reference-changed"


def test_a_key_that_was_overwritten_is_told(
    store: art.Store, client: Any, bucket: str, tmp_path: Path
) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"one")
    version = pushed(store, f"s3://{bucket}/k")
    client.put_object(Bucket=bucket, Key="k", Body=b"two")
    with pytest.raises(art.DamagedDataError) as caught:
        version.download(tmp_path / "out")
    assert caught.value.code == "reference-changed"
    assert f"s3://{bucket}/k" in caught.value.message
    assert not list((tmp_path / "out").iterdir())


def test_a_key_that_was_deleted_is_told(
    store: art.Store, client: Any, bucket: str, tmp_path: Path
) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"one")
    version = pushed(store, f"s3://{bucket}/k")
    client.delete_object(Bucket=bucket, Key="k")
    assert code_of(version, tmp_path / "out") == "reference-unreadable"


def test_the_version_of_a_key_is_fetched_after_it_was_overwritten_and_deleted(
    store: art.Store, client: Any, versioned: str, tmp_path: Path
) -> None:
    first = client.put_object(Bucket=versioned, Key="k", Body=b"one")["VersionId"]
    version = pushed(store, f"s3://{versioned}/k")
    assert version.entry("k").extra["version_id"] == first
    client.put_object(Bucket=versioned, Key="k", Body=b"two")
    client.delete_object(Bucket=versioned, Key="k")
    version.download(tmp_path / "out")
    assert (tmp_path / "out/k").read_bytes() == b"one"
    client.delete_object(Bucket=versioned, Key="k", VersionId=first)
    assert code_of(version, tmp_path / "again") == "reference-unreadable"


def test_a_version_may_be_named_in_the_url(
    store: art.Store, client: Any, versioned: str, tmp_path: Path
) -> None:
    first = client.put_object(Bucket=versioned, Key="k", Body=b"one")["VersionId"]
    client.put_object(Bucket=versioned, Key="k", Body=b"two")
    version = pushed(store, f"s3://{versioned}/k?versionId={first}")
    version.download(tmp_path / "out")
    assert (tmp_path / "out/k").read_bytes() == b"one"


def test_a_prefix_of_a_bucket_with_versions_notes_the_newest_of_each(
    store: art.Store, client: Any, versioned: str, tmp_path: Path
) -> None:
    for body in (b"old", b"new"):
        newest = client.put_object(Bucket=versioned, Key="d/k", Body=body)["VersionId"]
    client.put_object(Bucket=versioned, Key="d/gone", Body=b"x")
    client.delete_object(Bucket=versioned, Key="d/gone")
    version = pushed(store, f"s3://{versioned}/d")
    assert [(e.path, e.extra["version_id"]) for e in version.entries()] == [("k", newest)]
    client.put_object(Bucket=versioned, Key="d/k", Body=b"newer")
    version.download(tmp_path / "out")
    assert (tmp_path / "out/k").read_bytes() == b"new"


# A page of a listing has a thousand keys.
@pytest.mark.parametrize("count", [1_050, pytest.param(2_500, marks=pytest.mark.nightly)])
def test_a_prefix_of_many_keys_is_listed_page_by_page_and_pulled(
    store: art.Store, client: Any, moto: S3Server, tmp_path: Path, count: int
) -> None:
    bucket = moto.make_bucket()
    put_many(
        moto, bucket, {f"set/{number % 7}/{number:04}": b"%d" % number for number in range(count)}
    )
    client.put_object(Bucket=bucket, Key="set/", Body=b"")
    client.put_object(Bucket=bucket, Key="settle", Body=b"of another prefix")
    draft = art.Artifact("refs")
    added = draft.add_reference(f"s3://{bucket}/set", "in")
    assert len(added) == count
    assert [entry.path for entry in added] == sorted(
        f"in/{number % 7}/{number:04}" for number in range(count)
    )
    with pytest.raises(art.LimitExceededError, match=f"more than {count - 1} files"):
        draft.add_reference(f"s3://{bucket}/set", "again", max_objects=count - 1)
    version = store.log_artifact(draft)
    result = version.download(tmp_path / "out", path_prefix="in/3/")
    assert result.written_files == len(range(3, count, 7))
    assert (tmp_path / "out/in/3/0003").read_bytes() == b"3"


def test_nothing_below_a_prefix_is_an_error(store: art.Store, bucket: str) -> None:
    with pytest.raises(art.InvalidInputError, match="nothing lies there") as caught:
        art.Artifact("a").add_reference(f"s3://{bucket}/none")
    assert caught.value.code == "source-missing"


def test_a_bucket_that_is_not_there_is_an_error(store: art.Store) -> None:
    with pytest.raises(art.ArtstoreError) as caught:
        art.Artifact("a").add_reference("s3://no-such-bucket-anywhere/none")
    assert caught.value.code in ("reference-unreadable", "source-missing")


def test_missing_credentials_are_named(
    store: art.Store, client: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"one")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(art.DeniedError, match="there are no credentials") as caught:
        art.Artifact("a").add_reference(f"s3://{bucket}/k")
    assert "AWS_ACCESS_KEY_ID" in str(caught.value.hint)


def test_a_public_bucket_is_read_without_credentials(
    store: art.Store, client: Any, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"one", ACL="public-read")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    version = pushed(store, f"s3://{bucket}/k")
    version.download(tmp_path / "out")
    assert (tmp_path / "out/k").read_bytes() == b"one"


def test_a_scheme_whose_package_is_not_installed_names_it(store: art.Store) -> None:
    with pytest.raises(art.StorageError, match="gcsfs") as caught:
        art.Artifact("a").add_reference("gs://bucket/key")
    assert caught.value.hint == "pip install gcsfs"

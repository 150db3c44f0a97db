"""A push needs no right to delete, a pull no right to write."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from artstore.testing.servers import S3Server
from tests.cli.conftest import Art
from tests.filtering import Asked, filtered

WRITE = ("s3:PutObject", "s3:DeleteObject")


@pytest.fixture
def data(home: Path) -> Path:
    directory = home / "work" / "data"
    directory.mkdir()
    for number in range(20):
        (directory / f"{number}.txt").write_text(f"number {number}\n")
    (directory / "large.bin").write_bytes(os.urandom(3_000_000))
    return directory


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket on each of the two servers; its `store` is the store that applies."""
    name = s3_server.make_bucket()
    monkeypatch.setenv("ARTSTORE_URL", f"s3://{name}/store")
    return name


def deny(server: S3Server, bucket: str, *actions: str) -> None:
    """Set the policy of a bucket, which holds for its owner too."""
    statement = {
        "Sid": "Deny",
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(actions),
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    status, body = server.request(
        "PUT", f"/{bucket}", query={"policy": ""}, body=json.dumps(policy).encode()
    )
    assert status in (200, 204), body


def test_a_push_works_with_credentials_that_may_not_delete(
    art: Art, data: Path, s3_server: S3Server, bucket: str
) -> None:
    deny(s3_server, bucket, "s3:DeleteObject")
    art("init", f"s3://{bucket}/store")
    art("push", "data", "ds", "--alias", "best")
    (data / "0.txt").write_text("changed\n")
    assert art("push", "data", "ds", "--json").json["version"] == "v1"
    art("rm", "ds:v0", "--force")
    art("pull", "ds", "out")
    assert (Path("out") / "0.txt").read_text() == "changed\n"
    found = art("doctor", "--json").json
    assert found["ok"]
    [delete] = [finding for finding in found["findings"] if finding["name"] == "delete"]
    assert delete["verdict"] == "warning"
    assert "small values stay below probe/" in delete["detail"]


def test_a_pull_works_with_credentials_that_may_only_read(
    art: Art, data: Path, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    art("push", "data", "ds")
    deny(s3_server, bucket, *WRITE)
    monkeypatch.setenv("ARTSTORE_CACHE_DIR", os.path.abspath("another-machine"))
    art("init", f"s3://{bucket}/store")
    art("pull", "ds", "out")
    assert (Path("out") / "large.bin").read_bytes() == (data / "large.bin").read_bytes()
    art("pull", "ds", "linked", "--link", "hard")
    assert art("cat", "ds", "0.txt").out == "number 0\n"
    art("verify", "ds")
    art("check", "--read-data")
    # Nothing has changed, so nothing has to be written.
    assert art("push", "out", "ds", "--json").json["is_new"] is False
    (data / "0.txt").write_text("changed\n")
    for arguments in (("push", "data", "ds"), ("alias", "ds", "best"), ("rm", "ds:v0")):
        assert art(*arguments, "--json", status=10).error["code"] == "storage-denied"


def test_a_doctor_with_credentials_that_may_only_read_judges_what_it_can(
    art: Art, data: Path, s3_server: S3Server, bucket: str
) -> None:
    art("push", "data", "ds")
    deny(s3_server, bucket, *WRITE)
    found = art("doctor", "--json").json
    verdicts = {finding["name"]: finding["verdict"] for finding in found["findings"]}
    assert found["ok"]
    assert verdicts["write"] == "warning"
    assert verdicts["read"] == "ok"
    assert verdicts["create-only"] == verdicts["race"] == "unknown"


def test_a_new_place_that_may_not_be_written_is_refused_by_its_name(
    art: Art, s3_server: S3Server, bucket: str
) -> None:
    deny(s3_server, bucket, *WRITE)
    error = art("init", f"s3://{bucket}/store", "--json", status=10).error
    assert error["code"] == "storage-denied"
    assert not Path("artstore.toml").exists()


def test_a_push_asks_for_no_deleting_and_a_pull_for_no_writing(
    art: Art, data: Path, moto: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ARTSTORE_URL", f"s3://{moto.make_bucket()}/store")

    def deletes(asked: Asked) -> bool:
        return asked.method == "DELETE" or (asked.method == "POST" and "delete" in asked.path)

    def writes(asked: Asked) -> bool:
        return asked.method not in ("GET", "HEAD")

    with filtered(moto.endpoint_url, deletes) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
        art("push", "data", "ds", "--alias", "best")
        (data / "1.txt").unlink()
        art("push", "data", "ds")
        art("rm", "ds:v0", "--force")
        art("restore", "ds:v0")
        assert not any(map(deletes, server.requests))
        # A push overwrites nothing either: each of its writes asks for a new key.
        puts = [asked for asked in server.requests if asked.method == "PUT"]
        assert puts
        assert all(asked.headers.get("if-none-match") == "*" for asked in puts)
    with filtered(moto.endpoint_url, writes) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
        for arguments in (
            ("ls",),
            ("ls", "ds"),
            ("show", "ds"),
            ("log", "ds"),
            ("diff", "ds:v0", "ds:v1"),
            ("pull", "ds", "out"),
            ("verify", "ds"),
            ("check", "--read-data"),
            ("du",),
        ):
            art(*arguments)
        assert server.requests
        assert not any(map(writes, server.requests))

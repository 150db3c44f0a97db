"""The policies on docs/how-to/use-a-bucket.md are enough for what they are for, and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import artstore
from artstore.testing.servers import S3Server
from tests.docs.pages import DOCS, blocks

PAGE = DOCS / "how-to" / "use-a-bucket.md"
BUCKET = "team-bucket"


def policies() -> dict[str, dict[str, Any]]:
    """By the name of the statement that tells what for."""
    found = [json.loads(block.text) for block in blocks(PAGE) if block.info == "json"]
    return {policy["Statement"][-1]["Sid"]: policy for policy in found}


def allow_only(server: S3Server, bucket: str, policy: dict[str, Any]) -> None:
    """Give everybody what the policy gives: who has no keys may do that and nothing else."""
    text = json.dumps(policy).replace(BUCKET, bucket)
    statements = [statement | {"Principal": "*"} for statement in json.loads(text)["Statement"]]
    body = json.dumps({"Version": "2012-10-17", "Statement": statements}).encode()
    status, answer = server.request("PUT", f"/{bucket}", query={"policy": ""}, body=body)
    assert status in (200, 204), answer


@pytest.fixture
def bucket(radosgw: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket of a server that keeps to policies; requests come from nobody."""
    for name, value in radosgw.environ.items():
        if "KEY" not in name:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    return radosgw.make_bucket()


def push(url: str, text: str) -> str:
    Path("data.txt").write_text(text)
    draft = artstore.Artifact("ds")
    draft.add_file("data.txt")
    return artstore.open_store(url).log_artifact(draft).version


def test_the_policy_to_push_is_enough_to_push_and_to_pull(radosgw: S3Server, bucket: str) -> None:
    allow_only(radosgw, bucket, policies()["PullAndPush"])
    url = f"s3://{bucket}/store"
    assert [push(url, "one"), push(url, "two")] == ["v0", "v1"]
    artstore.open_store(url).artifact("ds:v0").download("out")
    assert Path("out/data.txt").read_text() == "one"


def test_the_policy_to_push_gives_nothing_outside_of_the_store(
    radosgw: S3Server, bucket: str
) -> None:
    allow_only(radosgw, bucket, policies()["PullAndPush"])
    with pytest.raises(artstore.DeniedError):
        push(f"s3://{bucket}/other", "one")


def test_the_policy_to_pull_is_enough_to_pull_and_not_to_push(
    radosgw: S3Server, bucket: str
) -> None:
    url = f"s3://{bucket}/store"
    allow_only(radosgw, bucket, policies()["PullAndPush"])
    push(url, "one")
    allow_only(radosgw, bucket, policies()["Pull"])
    artstore.open_store(url).artifact("ds").download("out")
    assert Path("out/data.txt").read_text() == "one"
    with pytest.raises(artstore.DeniedError):
        push(url, "two")

"""Which rules of a bucket harm a store, and the policy that keeps values from being replaced."""

from __future__ import annotations

import datetime as dt

import pytest

from artstore.storage.bucket import Bucket, open_bucket, policy_statement
from artstore.storage.findings import Finding


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
def bucket() -> Bucket:
    found = open_bucket("s3://team/data/store/")
    assert found is not None
    return found


def lifecycle(bucket: Bucket, *rules) -> Finding:
    """The finding on a bucket that has these rules."""

    class Rules:
        def get_bucket_lifecycle_configuration(self, **request):
            assert request == {"Bucket": "team"}
            return {"Rules": [{"Status": "Enabled", "ID": "a"} | rule for rule in rules]}

    bucket._client = Rules()
    return bucket._ask("lifecycle", bucket._check_lifecycle, needs="s3:x")


EXPIRE = {"Expiration": {"Days": 30}}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"Filter": {}} | EXPIRE, "deletes what is 30 days old"),
        ({"Filter": {"Prefix": ""}} | EXPIRE, "deletes what is 30 days old"),
        ({"Prefix": "data/"} | EXPIRE, "deletes what is 30 days old"),
        ({"Filter": {"Prefix": "data/store/packs/00"}} | EXPIRE, "deletes what is 30 days old"),
        ({"Filter": {"And": {"Prefix": "data", "ObjectSizeGreaterThan": 9}}} | EXPIRE, "30 days"),
        (
            {"Expiration": {"Date": dt.datetime(2030, 1, 2, tzinfo=dt.UTC)}},
            "everything on 2030-01-02",
        ),
        ({"Transitions": [{"Days": 9, "StorageClass": "GLACIER"}]}, "archives values to GLACIER"),
        ({"Transitions": [{"StorageClass": "DEEP_ARCHIVE"}]}, "archives values to DEEP_ARCHIVE"),
    ],
)
def test_a_rule_that_takes_what_a_store_needs_fails(bucket: Bucket, rule, said: str) -> None:
    finding = lifecycle(bucket, {"Filter": {"Prefix": "tmp/"}} | EXPIRE, rule)
    assert finding.verdict == "failed"
    assert "rule 'a'" in finding.detail
    assert said in finding.detail


@pytest.mark.parametrize(
    "rule",
    [
        {"Filter": {"Prefix": "tmp/"}} | EXPIRE,
        {"Filter": {"Prefix": "data/store-2/"}} | EXPIRE,
        {"Filter": {"Prefix": "data/store/probe/"}} | EXPIRE,
        {"Filter": {"Tag": {"Key": "temporary", "Value": "yes"}}} | EXPIRE,
        {"Filter": {"And": {"Prefix": "data/", "Tags": [{"Key": "k", "Value": "v"}]}}} | EXPIRE,
        {"Status": "Disabled"} | EXPIRE,
        {"Expiration": {"ExpiredObjectDeleteMarker": True}},
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 30}},
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
        {"Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]},
        {"Transitions": [{"Days": 0, "StorageClass": "GLACIER_IR"}]},
    ],
)
def test_a_rule_that_leaves_the_store_alone_is_fine(bucket: Bucket, rule) -> None:
    assert lifecycle(bucket, rule).verdict == "ok"


def test_a_store_that_is_the_whole_bucket_is_covered_by_any_of_its_rooms() -> None:
    whole = open_bucket("s3://team")
    assert whole is not None
    assert lifecycle(whole, {"Filter": {"Prefix": "packs/"}} | EXPIRE).verdict == "failed"
    assert lifecycle(whole, {"Filter": {"Prefix": "logs/"}} | EXPIRE).verdict == "ok"


def test_a_directory_bucket_is_refused_because_it_lists_in_no_order() -> None:
    found = open_bucket("s3://team--euw1-az1--x-s3/store")
    assert found is not None
    with pytest.raises(Exception, match="no order"):
        found._check_kind()


def test_other_places_are_no_buckets() -> None:
    for url in ("/data/store", "file:///data/store", "memory://x", "gs://bucket/store"):
        assert open_bucket(url) is None


def test_the_policy_denies_only_what_creates_objects_of_the_store_without_a_guard() -> None:
    assert policy_statement("team", "data/store") == {
        "Sid": "ArtstoreCreateOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::team/data/store/*",
        "Condition": {
            "Null": {"s3:if-none-match": "true"},
            "Bool": {"s3:ObjectCreationOperation": "true"},
        },
    }
    assert policy_statement("team", "")["Resource"] == "arn:aws:s3:::team/*"


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_policy_is_of_the_partition_of_the_region(region: str, partition: str) -> None:
    resource = policy_statement("team", "", region=region)["Resource"]
    assert resource.startswith(f"arn:{partition}:s3:::")


def test_the_endpoint_is_shown_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:secret@127.0.0.1:9000")
    found = open_bucket("s3://team/store")
    assert found is not None
    assert found.endpoint == "http://127.0.0.1:9000"
    assert not found.is_aws

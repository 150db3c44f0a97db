"""
What only a bucket can tell: its rules, and what it lets happen without a guard.

The store itself goes through obstore, which knows none of these requests. These go
through botocore, which s3fs brings; it is loaded for `art doctor` and `art init` only.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from artstore.storage.address import BucketAddress, parse_bucket_url
from artstore.storage.credentials import Access, find_access
from artstore.storage.findings import Finding, ProbeError, expect, find, unknown

__all__ = ["Bucket", "open_bucket", "policy_statement"]

ROOMS: Final = (
    *("artstore.json", "packs/", "index/", "fragments/", "manifests/", "moved/"),
    *("collections/", "runs/", "upkeep/"),
)
"""What a store has below its prefix; the leftovers of a probe are not among them."""

_OFFLINE_CLASSES: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_PAGE_COUNT: Final = 2
_NOTHING_SET: Final = frozenset(
    {
        "NoSuchLifecycleConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "ReplicationConfigurationNotFoundError",
    }
)
_WITHOUT_GUARD: Final = (
    "whoever has these credentials can replace values, with any other program; a bucket policy "
    "can refuse that"
)


def open_bucket(url: str) -> Bucket | None:
    """
    The bucket of an `s3://bucket/prefix` URL; None for any other place.

    Raises:
        InvalidInputError: `storage-url-invalid`, `settings-invalid`.
        DeniedError: `credentials-missing`.
    """
    scheme, colon, _ = url.partition("://")
    if not colon or scheme.lower() not in ("s3", "fsspec+s3"):
        return None
    address = parse_bucket_url(url)
    return Bucket(address, find_access(address.bucket))


class Bucket:
    """A bucket, asked about itself; nothing here raises what the bucket answers."""

    def __init__(self, address: BucketAddress, access: Access) -> None:
        from botocore import UNSIGNED
        from botocore.config import Config
        from botocore.session import get_session

        keys = access.keys() if access.keys is not None else None
        style = "virtual" if access.is_virtual_hosted else "path"
        self.name = address.bucket
        self._address = address
        self._access = access
        self._client = get_session().create_client(
            "s3",
            region_name=access.region,
            endpoint_url=access.endpoint,
            verify=access.ca_bundle or None,
            aws_access_key_id=keys and keys.access_key_id,
            aws_secret_access_key=keys and keys.secret_access_key,
            aws_session_token=keys and keys.token,
            config=Config(
                signature_version="s3v4" if keys else UNSIGNED,
                s3={"addressing_style": style},
                retries={"mode": "standard", "total_max_attempts": 4},
                # Newer checksums are not known to every server.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    @property
    def endpoint(self) -> str:
        """The server that is asked; without a user name, should the URL hold one."""
        parts = urlsplit(self._access.endpoint)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    @property
    def is_aws(self) -> bool:
        """Whether this is S3 itself and not another server that speaks its language."""
        host = urlsplit(self.endpoint).hostname or ""
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    def findings(self, directory: str | None) -> Iterator[Finding]:
        """
        What can be tried and read.

        Args:
            directory: where small values may be written, below the prefix; None if nothing
                may be written.
        Cost: about twenty requests.
        """
        yield find("bucket-kind", self._check_kind)
        if directory is None:
            yield unknown("pages", "not tried: nothing may be written")
            yield unknown("unguarded", "not tried: nothing may be written", is_required=False)
        else:
            yield self._ask("pages", partial(self._check_pages, directory))
            yield self._ask("unguarded", partial(self._check_unguarded, directory), required=False)
        yield self._ask("lifecycle", self._check_lifecycle, needs="s3:GetLifecycleConfiguration")
        yield self._ask("replica", self._check_replica, needs="s3:GetObject")
        yield self._ask(
            "replication",
            self._describe_replication,
            needs="s3:GetReplicationConfiguration",
            required=False,
        )
        yield self._ask(
            "versioning", self._describe_versioning, needs="s3:GetBucketVersioning", required=False
        )
        yield self._ask(
            "object-lock",
            self._describe_lock,
            needs="s3:GetBucketObjectLockConfiguration",
            required=False,
        )

    def _ask(
        self, name: str, check: Callable[[], str], *, needs: str = "", required: bool = True
    ) -> Finding:
        """
        As `find`; what the bucket does not say is not known, which is no failure.

        Args:
            needs: the permission to look something up; without one, something is tried.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return find(name, check, is_required=required)
        except ClientError as error:
            status, code = _answer(error)
            if code in _NOTHING_SET:
                return Finding(name, is_ok=True, is_required=required, detail="none is set")
            if status == 403:
                needed = f": it takes the permission {needs}" if needs else ""
                return unknown(name, f"not allowed{needed}", is_required=required)
            said = f"the server answers {status} {code}"
            if not needs:
                return Finding(name, is_ok=False, is_required=required, detail=said)
            return unknown(name, said, is_required=required)
        except BotoCoreError as error:
            return unknown(name, str(error), is_required=required)

    # what is tried ---------------------------------------------------------------------

    def _check_kind(self) -> str:
        if self.name.endswith("--x-s3"):
            raise ProbeError(
                f"{self.name} is a directory bucket: it lists keys in no order",
                hint="use a general purpose bucket",
            )
        return "a general purpose bucket"

    def _check_pages(self, directory: str) -> str:
        """Keys in order, each once, over several pages: the probe's own listings have one."""
        below = self._address.path(f"{directory}/order/")
        keys = [f"{below}{part}" for part in ("a!b", "a-b", "a.b", "a/b")]
        found: list[str] = []
        request: dict[str, Any] = {
            "Bucket": self.name,
            "Prefix": f"{below}a",
            "MaxKeys": _PAGE_COUNT,
        }
        while len(found) < 2 * len(keys) + _PAGE_COUNT:
            page = self._client.list_objects_v2(**request)
            found += [item["Key"] for item in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                break
            request["ContinuationToken"] = page["NextContinuationToken"]
        expected = found[: len(keys)]
        expect(expected == keys, f"over several pages keys are listed as {found}")
        expect(len(set(found)) == len(found), "over several pages a key is listed twice")
        expect(found == sorted(found), f"over several pages keys are listed as {found}")
        return "keys are in order over several pages of a listing"

    def _check_unguarded(self, directory: str) -> str:
        """Overwrite a value of the probe the way any other program would."""
        from botocore.exceptions import ClientError

        key = self._address.path(f"{directory}/unguarded")
        self._put(key, b"first", IfNoneMatch="*")
        try:
            self._put(key, b"other")
        except ClientError as error:
            if _answer(error)[0] == 403:
                return "the bucket refuses a write that asks for no new key"
            raise
        hint = _WITHOUT_GUARD
        if not self.is_aws:
            hint += "; few servers but AWS know its condition: try it on a bucket for tests first"
        raise ProbeError("a value was replaced by a write that asks for no new key", hint=hint)

    def _put(self, key: str, data: bytes, **guard: str) -> None:
        # A bucket with a default of Object Lock takes nothing without a checksum, and every
        # server knows this one. It is no secret that it keeps.
        checksum = hashlib.md5(data, usedforsecurity=False).digest()
        self._client.put_object(
            Bucket=self.name,
            Key=key,
            Body=data,
            ContentMD5=base64.b64encode(checksum).decode(),
            **guard,
        )

    # what is looked up -----------------------------------------------------------------

    def _check_lifecycle(self) -> str:
        rules = self._client.get_bucket_lifecycle_configuration(Bucket=self.name).get("Rules", [])
        notes = []
        for rule in rules:
            if rule.get("Status") != "Enabled" or not self._covers(rule):
                continue
            name = rule.get("ID") or "without a name"
            harm = _harm(rule)
            if harm:
                raise ProbeError(
                    f"the lifecycle rule {name!r} {harm}: versions would lose their bytes",
                    hint="remove the rule, or limit it to keys that are no part of the store",
                )
            notes.append(repr(name))
        if notes:
            return f"the lifecycle rules {', '.join(notes)} take nothing that a store needs"
        return "no lifecycle rule takes anything from the store"

    def _covers(self, rule: Mapping[str, Any]) -> bool:
        """Whether a rule may hit a key of the store; keys of a store have no tags."""
        chosen = rule.get("Filter") or {}
        both = chosen.get("And") or {}
        if "Tag" in chosen or both.get("Tags"):
            return False
        prefix = chosen.get("Prefix") or both.get("Prefix") or rule.get("Prefix") or ""
        keys = [self._address.path(room) for room in ROOMS]
        return any(key.startswith(prefix) or prefix.startswith(key) for key in keys)

    def _check_replica(self) -> str:
        from botocore.exceptions import ClientError

        try:
            key = self._address.path("artstore.json")
            head = self._client.head_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if _answer(error)[0] == 404:
                return "no store is here yet"
            raise
        if head.get("ReplicationStatus") == "REPLICA":
            raise ProbeError(
                "this bucket is a replica of another one, whose writes arrive late, in no order",
                hint="pull from it if you like; push to the bucket that it is made from",
            )
        return "the store was written here, not replicated from elsewhere"

    def _describe_replication(self) -> str:
        answer = self._client.get_bucket_replication(Bucket=self.name)
        rules = answer.get("ReplicationConfiguration", {}).get("Rules", [])
        if not any(rule.get("Status") == "Enabled" for rule in rules):
            return "none is set"
        return "the bucket is replicated; the replica can be pulled from and must not be pushed to"

    def _describe_versioning(self) -> str:
        status = self._client.get_bucket_versioning(Bucket=self.name).get("Status")
        if status == "Enabled":
            return (
                "on: what is deleted stays as a noncurrent version, takes room and can be read, "
                "until a lifecycle rule with NoncurrentVersionExpiration removes it"
            )
        return f"{'suspended' if status else 'off'}: what is deleted or replaced is gone"

    def _describe_lock(self) -> str:
        answer = self._client.get_object_lock_configuration(Bucket=self.name)
        lock = answer.get("ObjectLockConfiguration", {})
        if lock.get("ObjectLockEnabled") != "Enabled":
            return "none is set"
        kept = lock.get("Rule", {}).get("DefaultRetention")
        if not kept:
            return "on, without a default: values are locked only if somebody asks for it"
        time = f"{kept['Days']} days" if "Days" in kept else f"{kept.get('Years')} years"
        return f"on ({kept.get('Mode')}): no value is freed before it is {time} old"

    def policy_statement(self) -> dict[str, Any]:
        """The statement of a bucket policy that lets nobody replace a value of the store."""
        return policy_statement(self.name, self._address.prefix, region=self._access.region)


def policy_statement(bucket: str, prefix: str, *, region: str = "") -> dict[str, Any]:
    """
    Deny writes below `prefix` without If-None-Match: each of `PutObject`, and the last
    request of a multipart upload, whose other requests cannot have the header.
    """
    partition = "aws"
    for start, other in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")):
        if region.startswith(start):
            partition = other
    below = f"{bucket}/{prefix}/*" if prefix else f"{bucket}/*"
    return {
        "Sid": "ArtstoreCreateOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:{partition}:s3:::{below}",
        "Condition": {
            "Null": {"s3:if-none-match": "true"},
            "Bool": {"s3:ObjectCreationOperation": "true"},
        },
    }


def _harm(rule: Mapping[str, Any]) -> str:
    """What a lifecycle rule does to values that a store still needs; empty if nothing."""
    expiration = rule.get("Expiration") or {}
    if "Days" in expiration:
        return f"deletes what is {expiration['Days']} days old"
    if "Date" in expiration:
        return f"deletes everything on {expiration['Date']:%Y-%m-%d}"
    for transition in rule.get("Transitions") or ():
        if transition.get("StorageClass") in _OFFLINE_CLASSES:
            return f"archives values to {transition['StorageClass']}, where they cannot be read"
    return ""


def _answer(error: Any) -> tuple[int, str]:
    """HTTP status and error code of a ClientError."""
    response = error.response
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(status), str(response.get("Error", {}).get("Code", ""))

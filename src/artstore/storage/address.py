"""
Where in a bucket a store lies: `s3://bucket/prefix`, taken apart. Pure: no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from artstore.errors import InvalidInputError

__all__ = ["BucketAddress", "parse_bucket_url"]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{1,221}[A-Za-z0-9]")
# What some client on the way would take for something else, or show as nothing.
_NOT_IN_PREFIX = re.compile(r"[\x00-\x1f\x7f?#%\\]")


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """
    A bucket and a prefix in it, which has no slash at its ends and may be empty.

    Attributes:
        scheme: `s3`, `gs`, `az`, or `fsspec+s3` and the like.
    """

    scheme: str
    bucket: str
    prefix: str = ""

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`."""
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    def path(self, key: str) -> str:
        """What a key of the store is called in the bucket; also for the start of a key."""
        return f"{self.prefix}/{key}" if self.prefix else key

    def key(self, path: str) -> str:
        """The key of the store that is called `path` in the bucket."""
        return path[len(self.prefix) + 1 :] if self.prefix else path


def parse_bucket_url(url: str) -> BucketAddress:
    """
    Take `scheme://bucket[/prefix]` apart. A prefix is taken as it stands, without %-escapes.

    Raises:
        InvalidInputError: `storage-url-invalid`.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    scheme = scheme.lower()
    if "@" in bucket:
        # Not repeated: what stands before the @ is most likely a secret.
        raise InvalidInputError(
            f"a {scheme}:// URL with something before an @ is not the place of a store",
            code="storage-url-invalid",
            hint="keys are not part of a URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    if not _BUCKET.fullmatch(bucket):
        raise _invalid(url, f"the form is {scheme}://bucket or {scheme}://bucket/prefix")
    prefix = prefix.rstrip("/")
    if found := _NOT_IN_PREFIX.search(prefix):
        raise _invalid(url, f"a prefix cannot contain {found[0]!r}")
    if prefix and any(part in ("", ".", "..") for part in prefix.split("/")):
        raise _invalid(url, "a prefix has no empty parts, no . and no ..")
    return BucketAddress(scheme, bucket, prefix)


def _invalid(url: str, rule: str) -> InvalidInputError:
    return InvalidInputError(
        f"{url!r} is not the place of a store: {rule}", code="storage-url-invalid"
    )

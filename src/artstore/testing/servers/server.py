"""
A running S3 server as a test sees it: where it is, who one is there, new buckets.

Requests are signed here with nothing but the standard library, so that a test
of the store's own client does not rest on another client.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from artstore import clock
from artstore.testing.servers.processes import ServerError

__all__ = ["S3Server", "signed_request"]

_counter = itertools.count()


@dataclass(frozen=True, slots=True)
class S3Server:
    """
    An S3 endpoint on loopback and the keys of its one user.

    Attributes:
        name: of the software, `moto`, `radosgw`, ...
        keeps_creates: whether `If-None-Match: *` is honoured.
    """

    name: str
    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    keeps_creates: bool = True
    region: str = "us-east-1"
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """The variables that lead here: for this process, or for one it starts."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            # No look at the instance metadata of the machine that runs the tests.
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.extra,
        }

    def make_bucket(self, name: str | None = None) -> str:
        """
        Make a bucket, with a name of its own unless one is given.

        Raises:
            ServerError: the server refuses.
        """
        if name is None:
            name = f"bucket-{clock.random_bytes(4).hex()}-{next(_counter)}"
        status, body = self.request("PUT", f"/{name}")
        if status != 200:
            raise ServerError(f"{self.name} does not make a bucket: {status} {body[:500]!r}")
        return name

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> tuple[int, bytes]:
        """One signed request; status and body of the answer."""
        return signed_request(
            self.endpoint_url,
            method,
            path,
            keys=(self.access_key_id, self.secret_access_key),
            region=self.region,
            query=query or {},
            headers=headers or {},
            body=body,
        )


def signed_request(
    endpoint_url: str,
    method: str,
    path: str,
    *,
    keys: tuple[str, str],
    region: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    body: bytes,
) -> tuple[int, bytes]:
    """
    Send one request with an AWS signature, version 4.

    Args:
        path: `/bucket/key`, not quoted.
        keys: access key id and secret access key.
    Returns:
        Status and body of the answer.
    """
    address = urlsplit(endpoint_url)
    stamp = clock.format_time(clock.now_seconds()).replace("-", "").replace(":", "")
    day, quoted = stamp[:8], quote(path)
    asked = "&".join(f"{quote(k, safe='')}={quote(query[k], safe='')}" for k in sorted(query))
    sent = {name.lower(): value for name, value in headers.items()} | {
        "host": address.netloc,
        "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-amz-date": stamp,
    }
    names = ";".join(sorted(sent))
    lines = "".join(f"{name}:{sent[name]}\n" for name in sorted(sent))
    canonical = "\n".join([method, quoted, asked, lines, names, sent["x-amz-content-sha256"]])
    scope = f"{day}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = b"AWS4" + keys[1].encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"):
        key = hmac.digest(key, part.encode(), "sha256")
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys[0]}/{scope}, SignedHeaders={names}, "
        f"Signature={key.hex()}"
    )
    connection = http.client.HTTPConnection(address.netloc, timeout=60)
    try:
        connection.request(method, f"{quoted}?{asked}" if asked else quoted, body, sent)
        with connection.getresponse() as answer:
            return answer.status, answer.read()
    finally:
        connection.close()

"""
The S3 server that is measured against, and a bucket in it for each tool.

A server runs on loopback, started for one round and ended after it: both keep
what they are sent in memory, and what one round left would be in the way of the
next.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from artstore.testing.servers import S3Server, start_moto, start_radosgw
from artstore.testing.servers.processes import free_port, running
from benchmarks.traffic import Relay

__all__ = ["SERVERS", "S3Place", "serve"]

SERVERS = ("radosgw", "moto", "moto-on-disk")
WARM_UP_COUNT = 64
WARM_UP_BYTES = 256 * 1024
MOTO_HELD_BYTES = 4_096


@dataclasses.dataclass(frozen=True, slots=True)
class S3Place:
    """
    A bucket of a server.

    Attributes:
        relay: counts what goes to the server, in rounds that are not timed.
    """

    server: S3Server
    bucket: str
    relay: Relay | None = None

    @property
    def environ(self) -> dict[str, str]:
        """The variables that lead a tool here; to the relay, if there is one."""
        return self._seen.environ

    @property
    def endpoint_url(self) -> str:
        return self._seen.endpoint_url

    @property
    def _seen(self) -> S3Server:
        if self.relay is None:
            return self.server
        return dataclasses.replace(self.server, endpoint_url=self.relay.endpoint_url)

    def stored_bytes(self) -> int:
        """Sum of the lengths of all objects in the bucket."""
        total, after = 0, ""
        while True:
            query = {"list-type": "2"} | ({"start-after": after} if after else {})
            status, body = self.server.request("GET", f"/{self.bucket}", query=query)
            assert status == 200, body
            text = body.decode()
            total += sum(map(int, re.findall(r"<Size>(\d+)</Size>", text)))
            keys = re.findall(r"<Key>([^<]*)</Key>", text)
            if "<IsTruncated>true</IsTruncated>" not in text or not keys:
                return total
            after = keys[-1]

    def put(self, key: str, body: bytes) -> None:
        status, answer = self.server.request("PUT", f"/{self.bucket}/{key}", body=body)
        assert status == 200, answer


@contextmanager
def serve(name: str, work: Path) -> Iterator[S3Server]:
    """A server of that name that has answered some requests already."""
    match name:
        case "radosgw":
            started = start_radosgw()
        case "moto":
            started = start_moto()
        case _:
            started = _start_moto_on_disk(work)
    with started as server:
        bucket = server.make_bucket()
        for number in range(WARM_UP_COUNT):
            path = f"/{bucket}/warm-{number % 8}"
            server.request("PUT", path, body=bytes(WARM_UP_BYTES))
            server.request("GET", path)
            server.request("GET", f"/{bucket}", query={"list-type": "2"})
        for number in range(8):
            server.request("DELETE", f"/{bucket}/warm-{number}")
        yield server


@contextmanager
def _start_moto_on_disk(work: Path) -> Iterator[S3Server]:
    """A moto whose objects lie in temporary files in `work`: for more than fits in memory."""
    port = free_port()
    environ = {
        "PATH": "/usr/bin:/bin",
        "TMPDIR": str(work),
        "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(MOTO_HELD_BYTES),
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, output=work / "moto.output", environ=environ) as program:
        program.wait_for_port(port, what="moto")
        yield S3Server("moto-on-disk", f"http://127.0.0.1:{port}", "testing", "testing")

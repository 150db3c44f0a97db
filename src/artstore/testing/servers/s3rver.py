"""
s3rver: a small S3 for Node.js; it ignores `If-None-Match` and overwrites.

It comes from npm, once per machine, into the cache directory of the person.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from artstore.testing.servers.processes import (
    ServerError,
    free_port,
    run_once,
    running,
    work_directory,
)
from artstore.testing.servers.server import S3Server

__all__ = ["s3rver_missing", "start_s3rver"]

_VERSION = "3.7.1"
_KEYS = ("S3RVER", "S3RVER")
_INSTALL_SECONDS = 90


def s3rver_missing() -> str | None:
    """Why it cannot be started here, None if it can; installs it if it is not there."""
    if not (shutil.which("node") and shutil.which("npm")):
        return "node and npm are not installed"
    try:
        _install()
    except ServerError as error:
        return f"npm cannot install s3rver: {error}"
    return None


@contextmanager
def start_s3rver() -> Iterator[S3Server]:
    """
    An s3rver on an empty directory for the length of the block.

    Raises:
        ServerError: it is missing, cannot be installed or does not start.
    """
    if reason := s3rver_missing():
        raise ServerError(reason)
    port = free_port()
    with work_directory("s3rver") as directory:
        command = ["node", str(_script()), "--directory", str(directory / "data")]
        command += ["--address", "127.0.0.1", "--port", str(port), "--silent"]
        (directory / "data").mkdir()
        # It speaks to this AWS SDK in the way of before: Node warns about that.
        environ = {**os.environ, "NODE_NO_WARNINGS": "1"}
        with running(command, output=directory / "output", environ=environ) as program:
            program.wait_for_port(port, what="s3rver")
            yield S3Server("s3rver", f"http://127.0.0.1:{port}", *_KEYS, keeps_creates=False)


def _place() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / f"artstore-test-servers/s3rver-{_VERSION}"


def _script() -> Path:
    return _place() / "node_modules/s3rver/bin/s3rver.js"


def _install() -> None:
    """Install beside its place and rename: of two processes one is first, none sees half."""
    if _script().exists():
        return
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    with work_directory("s3rver-npm") as directory:
        command = ["npm", "install", "--prefix", str(directory), "--no-audit", "--no-fund"]
        command += ["--no-update-notifier", "--loglevel", "error", f"s3rver@{_VERSION}"]
        run_once(command, timeout_seconds=_INSTALL_SECONDS, cwd=directory)
        half = place.with_name(f"{place.name}.{os.getpid()}")
        shutil.copytree(directory, half, symlinks=True)
        try:
            half.rename(place)
        except OSError:
            shutil.rmtree(half, ignore_errors=True)
            if not _script().exists():
                raise

"""
Ceph's radosgw: a real S3 in C++, on a cluster of one monitor and one disk in memory.

Debian's packages radosgw, ceph-mon and ceph-osd have all of it. It runs as any
user and is up in a second or two; three processes of about 40 MB each.
"""

from __future__ import annotations

import http.client
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from artstore.testing.servers.processes import (
    Program,
    ServerError,
    free_port,
    run_once,
    running,
    work_directory,
)
from artstore.testing.servers.server import S3Server

__all__ = ["radosgw_missing", "start_radosgw"]

_PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
_CLUSTER_ID = "11111111-2222-4333-8444-555555555555"
_DISK_ID = "66666666-7777-4888-9999-000000000000"
_KEYS = ("radosgw-key", "radosgw-secret")
_ATTEMPTS = 3
_STEP_SECONDS = 60

_CONFIGURATION = """\
[global]
fsid = {cluster_id}
mon host = [v2:127.0.0.1:{mon_port}/0]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr1 = false

# Nobody else reaches this cluster. Without keys there is no encryption either,
# which clients ask of a monitor by default.
auth supported = none
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
ms client mode = crc
ms service mode = crc
ms cluster mode = crc

run dir = {directory}
admin socket =
pid file =
keyring = {directory}/keyring
log file =
log to stderr = true
err to stderr = true
mon cluster log file = /dev/null
mon data = {directory}/mon
osd data = {directory}/osd
rgw data = {directory}/rgw

# A cluster of one, in memory. Ceph groups decisions of its monitor by the
# second; making the pools would take half a minute that way.
paxos propose interval = 0.02
paxos min wait = 0.01
mon data avail crit = 0
mon data avail warn = 0
mon allow pool size one = true
mon allow pool delete = true
osd objectstore = memstore
memstore device bytes = 17179869184
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off

# Without it an answer of two packets waits for the 40 ms of Nagle and delayed ACK.
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw thread pool size = 64
rgw enable usage log = false
# 0: requests are not logged, which is half of their cost.
debug rgw = 0
"""


def radosgw_missing() -> str | None:
    """Why it cannot be started here; None if it can."""
    absent = [name for name in _PROGRAMS if shutil.which(name) is None]
    if not absent:
        return None
    return f"{', '.join(absent)} not installed (Debian: radosgw, ceph-mon, ceph-osd)"


@contextmanager
def start_radosgw() -> Iterator[S3Server]:
    """
    A radosgw with a cluster of its own for the length of the block.

    Raises:
        ServerError: its packages are missing or it does not start.
    """
    if reason := radosgw_missing():
        raise ServerError(reason)
    with ExitStack() as stack:
        yield _start_somewhere(stack)


def _start_somewhere(stack: ExitStack) -> S3Server:
    """Try again on other ports: a port that was free can be taken a moment later."""
    for attempt in range(_ATTEMPTS):
        with ExitStack() as trial:
            try:
                server = _start(trial)
            except ServerError:
                if attempt + 1 == _ATTEMPTS:
                    raise
                continue
            stack.enter_context(trial.pop_all())
            return server
    raise AssertionError("the last attempt either returns or raises")


def _start(stack: ExitStack) -> S3Server:
    directory = stack.enter_context(work_directory("rgw"))
    port, mon_port = free_port(), free_port()
    for name in ("mon", "osd", "rgw"):
        (directory / name).mkdir()
    configuration = directory / "ceph.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            cluster_id=_CLUSTER_ID, directory=directory, mon_port=mon_port, port=port
        )
    )

    def once(program: str, *arguments: str) -> None:
        command = [program, "--conf", str(configuration), *arguments]
        run_once(command, timeout_seconds=_STEP_SECONDS)

    def keep(program: str, *arguments: str) -> Program:
        command = [program, "--conf", str(configuration), "-f", *arguments]
        return stack.enter_context(running(command, output=_output(directory, program)))

    monitors = str(directory / "monitors")
    address = ["--addv", "a", f"[v2:127.0.0.1:{mon_port}]"]
    once("monmaptool", "--create", "--fsid", _CLUSTER_ID, *address, monitors)
    once("ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors)
    monitor = keep("ceph-mon", "-i", "a")
    monitor.wait_for_port(mon_port, what="ceph-mon", timeout_seconds=_STEP_SECONDS)
    once("ceph", "osd", "new", _DISK_ID, "0")
    once("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", _DISK_ID)
    keep("ceph-osd", "-i", "0")
    user = ["--uid", "test", "--display-name", "test"]
    keys = ["--access-key", _KEYS[0], "--secret-key", _KEYS[1]]
    once("radosgw-admin", "user", "create", *user, *keys)
    gateway = keep("radosgw", "-n", "client.rgw")
    gateway.wait_until(lambda: _answers(port), what="radosgw", timeout_seconds=_STEP_SECONDS)
    return S3Server("radosgw", f"http://127.0.0.1:{port}", *_KEYS)


def _answers(port: int) -> bool:
    """Whether it lists buckets: it listens a moment before it can."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        with connection.getresponse() as answer:
            return answer.status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _output(directory: Path, program: str) -> Path:
    return directory / f"{program}.output"

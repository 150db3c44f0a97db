"""
Real S3 servers for tests: started as processes on loopback, always killed.

Each is a context manager that yields an `S3Server`. Nothing outside this
machine is reached, and nothing is left behind: the data lies in a temporary
directory, and a server dies with the process that started it.

    with start_moto() as server:
        os.environ.update(server.environ)
        store = artstore.open_store(f"s3://{server.make_bucket()}/store")

moto and radosgw keep what a store needs; rclone and s3rver ignore
`If-None-Match` and overwrite, which is what they are here for.
"""

from __future__ import annotations

from artstore.testing.servers.moto import start_moto
from artstore.testing.servers.processes import ServerError
from artstore.testing.servers.radosgw import radosgw_missing, start_radosgw
from artstore.testing.servers.rclone import rclone_missing, start_rclone
from artstore.testing.servers.s3rver import s3rver_missing, start_s3rver
from artstore.testing.servers.server import S3Server

__all__ = [
    "S3Server",
    "ServerError",
    "radosgw_missing",
    "rclone_missing",
    "s3rver_missing",
    "start_moto",
    "start_radosgw",
    "start_rclone",
    "start_s3rver",
]

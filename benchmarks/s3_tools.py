"""
The tools that are compared on buckets: `art`, and what else people keep trees in a bucket with.

As in `tools.py`, each lives in a room of its own; what is shared lies in a
bucket of its own instead of `room/store`.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

from benchmarks.measure import Command
from benchmarks.peers import DvcTool
from benchmarks.s3_place import S3Place
from benchmarks.tools import REPOSITORY, ArtTool, Tool, first_line

__all__ = [
    "S3_TOOLS",
    "ArtS3Tool",
    "Boto3Tool",
    "DvcS3Tool",
    "RcloneTool",
    "ResticS3Tool",
    "S3Tool",
]


class S3Tool(Tool):
    """A tool with a bucket; `place` is given before anything is run."""

    def __init__(self, room: Path) -> None:
        super().__init__(room)
        self.place: S3Place | None = None

    @property
    def bucket_place(self) -> S3Place:
        assert self.place is not None, "the tool was not given a bucket"
        return self.place

    def stored_bytes(self) -> int:
        return self.bucket_place.stored_bytes()

    def environment(self) -> dict[str, str]:
        return super().environment() | self.bucket_place.environ


class ArtS3Tool(S3Tool, ArtTool):
    """`art` with its store in the bucket; `jobs` is what `--jobs` is given."""

    jobs: int | None = None

    def environment(self) -> dict[str, str]:
        url = f"s3://{self.bucket_place.bucket}/store"
        return super().environment() | {"ARTSTORE_URL": url}

    def prepare(self) -> None:
        super().prepare()
        # Not `art init`: its probes race for keys, which moto sometimes lets two win.
        make = "import artstore, sys; artstore.open_store(sys.argv[1]).create()"
        self.do(sys.executable, "-c", make, self.environment()["ARTSTORE_URL"])

    def push(self) -> Command:
        return self.art("push", self.tree, "data", *self._jobs())

    def pull(self) -> Command:
        return self.art("pull", "data", self.checkout, "--delete", *self._jobs())

    def _jobs(self) -> list[str]:
        return [] if self.jobs is None else ["--jobs", str(self.jobs)]


class Boto3Tool(S3Tool):
    """The script that people write: `boto3_copy.py`."""

    name = "boto3"
    SCRIPT = REPOSITORY / "benchmarks" / "boto3_copy.py"

    @classmethod
    def is_installed(cls) -> bool:
        return importlib.util.find_spec("boto3") is not None

    @classmethod
    def version(cls) -> str:
        asked = "import boto3; print('boto3', boto3.__version__, '32 threads')"
        return first_line([sys.executable, "-c", asked])

    def push(self) -> Command:
        return self._run("push", self.tree)

    def pull(self) -> Command:
        return self._run("pull", self.checkout)

    def _run(self, action: str, directory: Path) -> Command:
        bucket = self.bucket_place.bucket
        return self.command(sys.executable, self.SCRIPT, action, directory, bucket)


class RcloneTool(S3Tool):
    """
    `rclone sync`: as `copy`, and what is gone in the source goes in the target.

    32 transfers at a time, as boto3 has; its own default is 4.
    """

    name = "rclone"
    WORDS = ("rclone", "-q", "sync", "--transfers", "32", "--checkers", "32")

    @classmethod
    def version(cls) -> str:
        return first_line(["rclone", "version"])

    def environment(self) -> dict[str, str]:
        place = self.bucket_place
        is_ceph = place.server.name == "radosgw"
        own = {
            "RCLONE_CONFIG": str(self.private / "config" / "rclone.conf"),
            "RCLONE_CONFIG_BENCH_TYPE": "s3",
            "RCLONE_CONFIG_BENCH_PROVIDER": "Ceph" if is_ceph else "Other",
            "RCLONE_CONFIG_BENCH_ENV_AUTH": "true",
            "RCLONE_CONFIG_BENCH_ENDPOINT": place.endpoint_url,
            "RCLONE_CONFIG_BENCH_REGION": place.server.region,
            "RCLONE_S3_NO_CHECK_BUCKET": "true",
        }
        return super().environment() | own

    def prepare(self) -> None:
        super().prepare()
        (self.private / "config" / "rclone.conf").touch()

    def push(self) -> Command:
        return self.command(*self.WORDS, self.tree, f"bench:{self.bucket_place.bucket}")

    def pull(self) -> Command:
        return self.command(*self.WORDS, f"bench:{self.bucket_place.bucket}", self.checkout)


class ResticS3Tool(S3Tool):
    """restic with its repository in the bucket; it encrypts always."""

    name = "restic"

    def __init__(self, room: Path) -> None:
        super().__init__(room)
        # A snapshot of `tree` is restored as `tree` below the target.
        self.checkout = room / "restored" / "tree"

    @classmethod
    def version(cls) -> str:
        return first_line(["restic", "version"])

    def environment(self) -> dict[str, str]:
        place = self.bucket_place
        return super().environment() | {
            "RESTIC_PASSWORD": "bench",
            "RESTIC_REPOSITORY": f"s3:{place.endpoint_url}/{place.bucket}/restic",
        }

    def prepare(self) -> None:
        super().prepare()
        self.do("restic", "-q", "init")

    def push(self) -> Command:
        return self.command("restic", "-q", "backup", "tree")

    def pull(self) -> Command:
        target = str(self.checkout.parent)
        return self.command("restic", "-q", "restore", "latest", "--target", target)


class DvcS3Tool(S3Tool, DvcTool):
    """DVC without git, with the bucket as remote."""

    @classmethod
    def is_installed(cls) -> bool:
        return shutil.which("dvc") is not None

    def add_remote(self, workspace: Path) -> None:
        place = self.bucket_place
        url = f"s3://{place.bucket}/dvc"
        self.do("dvc", "remote", "add", "-q", "-d", "store", url, cwd=workspace)
        endpoint = ("endpointurl", place.endpoint_url)
        self.do("dvc", "remote", "modify", "-q", "store", *endpoint, cwd=workspace)


S3_TOOLS: tuple[type[S3Tool], ...] = (
    ArtS3Tool,
    ResticS3Tool,
    RcloneTool,
    Boto3Tool,
    DvcS3Tool,
)

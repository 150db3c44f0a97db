"""
The rows for a store in a bucket, and the steps that lead to each.

Rows of `b1` and `b2` compare tools. Each scenario is played once more through a
relay, untimed, to count requests and bytes (`traffic.py`). Rows of memory are
about us.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Command, Sample, measure
from benchmarks.s3_place import S3Place
from benchmarks.s3_tools import ArtS3Tool
from benchmarks.tools import REPOSITORY, Tool
from benchmarks.traffic import Relay
from benchmarks.workloads import (
    MB,
    Recorder,
    Row,
    Scenario,
    Step,
    Target,
    edit_step,
    place_step,
    push_step,
)

__all__ = ["RANGE_READER", "S3_ROWS", "S3_SCENARIOS", "S3Recorder"]

MEMORY_BYTES = 400 * MB
MEMORY_JOBS = 32
RANDOM_READS = 100
RAW_KEY = "raw/model.bin"
RANGE_READER = "range GET"
"""What the raw reads are called in the table: obstore's, the library that `art` uses too."""

_MEMORY = Target(peak_bytes=MEMORY_BYTES)
S3_ROWS: tuple[Row, ...] = (
    Row(
        "b1-push",
        "push 2,000 files of 20 KiB",
        "b1",
        Target(ratio=0.5, ratio_to="restic", write_count=11),
    ),
    Row(
        "b1-pull",
        "pull them into an empty directory",
        "b1",
        Target(ratio=0.5, ratio_to="restic", extra_files=0),
    ),
    Row("b1-push-again", "push again, nothing changed", "b1", Target(seconds=0.4, request_count=3)),
    Row(
        "b1-push-changed",
        "push after 20 files changed, 20 new, 10 deleted",
        "b1",
        Target(seconds=0.6, ratio_to="restic"),
    ),
    Row("b2-push", "push one file of 256 MiB", "b2", Target(ratio=1.0, ratio_to="rclone")),
    Row(
        "b2-pull",
        "pull it into an empty directory",
        "b2",
        Target(ratio=1.0, ratio_to="rclone", extra_files=0),
    ),
    Row(
        "b2-push-changed",
        "push it after 1 KiB inserted, 1 MiB overwritten",
        "b2",
        Target(sent_bytes=2 * MB, sent_ratio=0.7, ratio_to="restic"),
    ),
    Row(
        "b3-read",
        f"read 1 MiB at {RANDOM_READS} random places of a 1 GiB file through art://",
        "b3",
        Target(ratio=1.5, ratio_to=RANGE_READER),
    ),
    Row("memory-w1-push", "push W1 (2 GiB), --jobs 32", "memory-w1", _MEMORY),
    Row("memory-w1-pull", "pull W1, --jobs 32", "memory-w1", _MEMORY),
    Row("memory-w7-push", "push W7 (1,000,000 files), --jobs 32", "memory-w7", _MEMORY),
    Row("memory-w7-pull", "pull W7, --jobs 32", "memory-w7", _MEMORY),
    Row("memory-w7-again", "push W7, 10 entries changed, --jobs 32", "memory-w7", _MEMORY),
    Row("memory-w8-push", "push W8 (20 GiB), --jobs 32", "memory-w8", _MEMORY),
    Row("memory-w8-pull", "pull W8, --jobs 32", "memory-w8", _MEMORY),
)


class S3Recorder(Recorder):
    """Counts in rounds with a relay, takes times in the others."""

    relay: Relay | None = None

    def run(
        self,
        row_id: str,
        tool: Tool,
        command: Command,
        *,
        places: list[Path],
        cold: bool = False,
    ) -> None:
        if self.relay is None:
            super().run(row_id, tool, command, cold=cold, places=places)
            return
        self.relay.take()
        measure(command)
        traffic = self.relay.take()
        self.count(row_id, tool, "request_count", traffic.request_count)
        self.count(row_id, tool, "write_count", traffic.write_count)
        self.count(row_id, tool, "sent_bytes", traffic.sent_bytes)
        self.count(row_id, tool, "received_bytes", traffic.received_bytes)
        for method, count in traffic.methods.items():
            self.count(row_id, tool, f"{method}_count", count)

    def read_at_random(self, row_id: str, tool: Tool) -> None:
        """Let all readers read the same places of one file; each gets a sample."""
        assert isinstance(tool, ArtS3Tool)
        place = tool.bucket_place
        _put_raw(place, tool)
        words = ["art://data:latest/model.bin", place.bucket, RAW_KEY, str(RANDOM_READS), "1"]
        script = REPOSITORY / "benchmarks" / "read_random.py"
        command = tool.command(sys.executable, script, *words)
        answer = subprocess.run(
            command.argv, cwd=command.cwd, env=command.env, capture_output=True, check=False
        )
        if answer.returncode != 0:
            raise subprocess.CalledProcessError(answer.returncode, "read_random.py", answer.stderr)
        names = {"obstore": RANGE_READER}
        for name, seconds in json.loads(answer.stdout).items():
            sample = Sample(sum(seconds), 0, 0, 0, None, None)
            self.observe(row_id, names.get(name, name)).samples.append(sample)


def _put_raw(place: S3Place, tool: Tool) -> None:
    """The same file as one object, by the script that has multipart uploads."""
    folder = tool.room / "raw"
    (folder / "raw").mkdir(parents=True)
    (folder / RAW_KEY).hardlink_to(tool.tree / "model.bin")
    # Not the script's own push: that would remove what else lies in the bucket.
    upload = (
        "import boto3, sys; from botocore.config import Config;"
        "boto3.client('s3', config=Config(s3={'addressing_style': 'path'}))"
        ".upload_file(*sys.argv[1:])"
    )
    tool.do(sys.executable, "-c", upload, folder / RAW_KEY, place.bucket, RAW_KEY)


# --- steps ----------------------------------------------------------------------------


def _pull(row_id: str) -> Step:
    return row_id, lambda recorder, tool: recorder.pull(row_id, tool)


def _pull_unseen(row_id: str) -> Step:
    """Pull without a tree to compare with: the disk holds one copy and the store."""

    def step(recorder: Recorder, tool: Tool) -> None:
        shutil.rmtree(tool.tree)
        recorder.run(row_id, tool, tool.pull(), places=[])
        shutil.rmtree(tool.checkout)

    return row_id, step


def _jobs() -> Step:
    def step(_recorder: Recorder, tool: Tool) -> None:
        assert isinstance(tool, ArtS3Tool)
        tool.jobs = MEMORY_JOBS

    return "", step


def _read_at_random(row_id: str) -> Step:
    def step(recorder: Recorder, tool: Tool) -> None:
        assert isinstance(recorder, S3Recorder)
        recorder.read_at_random(row_id, tool)

    return row_id, step


S3_SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "b1",
            ("b1",),
            (
                place_step("b1"),
                push_step("b1-push"),
                push_step("b1-push-again"),
                _pull("b1-pull"),
                edit_step("b1"),
                push_step("b1-push-changed"),
            ),
            is_counted=True,
        ),
        Scenario(
            "b2",
            ("b2",),
            (
                place_step("b2"),
                push_step("b2-push"),
                _pull("b2-pull"),
                edit_step("b2"),
                push_step("b2-push-changed"),
            ),
            is_counted=True,
        ),
        Scenario(
            "b3",
            ("b3",),
            (place_step("b3"), push_step(""), _read_at_random("b3-read")),
            only_art=True,
        ),
        Scenario(
            "memory-w1",
            ("w1",),
            (_jobs(), place_step("w1"), push_step("memory-w1-push"), _pull("memory-w1-pull")),
            only_art=True,
            repeats=False,
        ),
        Scenario(
            "memory-w7",
            (),
            (
                _jobs(),
                place_step("w7"),
                push_step("memory-w7-push"),
                _pull("memory-w7-pull"),
                edit_step("w7"),
                push_step("memory-w7-again"),
            ),
            only_art=True,
            repeats=False,
            generated=("w7",),
        ),
        Scenario(
            "memory-w8",
            (),
            (
                _jobs(),
                place_step("w8"),
                push_step("memory-w8-push"),
                _pull_unseen("memory-w8-pull"),
            ),
            only_art=True,
            repeats=False,
            generated=("w8",),
            room_copies=2,
        ),
    )
}

"""
What a command costs as a whole process: time, memory, bytes moved.

Nothing is measured inside a process: interpreter start, imports and exit are
part of what a user waits for. `launch.py` does the waiting.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

__all__ = [
    "Command",
    "CommandFailedError",
    "Sample",
    "Spread",
    "drop_page_cache",
    "files_below",
    "measure",
    "read_from",
    "tree_bytes",
    "warm_page_cache",
]

LAUNCHER = Path(__file__).with_name("launch.py")
OUTPUT_KEPT_CHARS = 4_000


class CommandFailedError(Exception):
    """A measured command ended with a status other than 0."""


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """One process to run: `env` is the whole environment, not an addition."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One run of one command; `peak_bytes` is of the largest single process of its tree."""

    seconds: float
    user_seconds: float
    system_seconds: float
    peak_bytes: int
    read_bytes: int | None
    written_bytes: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Spread:
    """The median of n samples, with the ends."""

    median: float
    least: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        kept = sorted(values)
        return cls(statistics.median(kept), kept[0], kept[-1], len(kept))


def measure(command: Command) -> Sample:
    """
    Run `command` to its end.

    Raises:
        CommandFailedError: its exit status is not 0; the message ends with its output.
    """
    with tempfile.NamedTemporaryFile(prefix="art-bench-", suffix=".out") as output:
        request = {
            "argv": list(command.argv),
            "cwd": str(command.cwd),
            "env": dict(command.env),
            "output": output.name,
        }
        answer = subprocess.run(
            [sys.executable, "-I", "-S", str(LAUNCHER)],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode != 0:
            raise CommandFailedError(f"could not start {command.argv[0]}: {answer.stderr}")
        report = json.loads(answer.stdout)
        if report["exit_status"] != 0:
            said = Path(output.name).read_text(errors="replace")[-OUTPUT_KEPT_CHARS:]
            raise CommandFailedError(
                f"{' '.join(command.argv)} ended with status {report['exit_status']}:\n{said}"
            )
    return Sample(
        seconds=report["seconds"],
        user_seconds=report["user_seconds"],
        system_seconds=report["system_seconds"],
        peak_bytes=report["peak_bytes"],
        read_bytes=report.get("read_bytes"),
        written_bytes=report.get("written_bytes"),
    )


# --- the page cache -----------------------------------------------------------


def drop_page_cache(places: Sequence[Path]) -> str:
    """
    Make the next reads of `places` come from the disk.

    Returns: how it was done. "drop_caches" forgets names and inodes too and
        needs root; "fadvise" forgets file contents only; "none" did nothing.
    """
    # Dirty pages cannot be dropped, and their write-back would be charged to
    # whatever is measured next.
    os.sync()
    if _dropped_by_kernel():
        return "drop_caches"
    if not hasattr(os, "posix_fadvise"):
        return "none"
    for path in files_below(places):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)
    return "fadvise"


def _dropped_by_kernel() -> bool:
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        # Not root, or not Linux.
        return False
    return True


def warm_page_cache(places: Sequence[Path]) -> None:
    """Read all of `places` once, and let earlier writes reach the disk."""
    os.sync()
    buffer = bytearray(1 << 20)
    for path in files_below(places):
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                continue


# --- bytes on disk ------------------------------------------------------------


def files_below(places: Sequence[Path]) -> Iterator[str]:
    """Regular files at or below `places`; symlinks are not followed, what is missing is skipped."""
    return (path for path, _ in _files(places))


def tree_bytes(places: Sequence[Path]) -> int:
    """Sum of the lengths of all files below `places`: blocks of the file system do not count."""
    return sum(size_bytes for _, size_bytes in _files(places))


def _files(places: Sequence[Path]) -> Iterator[tuple[str, int]]:
    # Plain strings and scandir: W7 has a million files, and a Path each would take a minute.
    waiting = [str(place) for place in places if place.is_dir()]
    for place in places:
        if place.is_file() and not place.is_symlink():
            yield str(place), place.stat().st_size
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry.path, entry.stat(follow_symlinks=False).st_size


# --- what a command reads from the store --------------------------------------

READ_CALLS = "read,readv,pread64,preadv,preadv2,copy_file_range,sendfile,splice,mmap"
_TRACED_CALL = re.compile(r"^(?P<call>\w+)\((?P<body>.*)\)\s+=\s+(?P<result>\S+)")
_PATH_OF_HANDLE = re.compile(r"\d+<(?P<path>[^>]*)>")
_MMAP_LENGTH = re.compile(r"^[^,]+, (?P<length>\d+),")


def read_from(command: Command, place: Path) -> int | None:
    """
    Run `command` and count the bytes it reads from files below `place`.

    The run is under strace and slow: its time says nothing. A memory map
    counts with its whole length, so that the figure errs upwards.

    Returns: bytes, or None where strace is not installed.
    """
    if shutil.which("strace") is None:
        return None
    with tempfile.TemporaryDirectory(prefix="art-bench-trace-") as traces:
        # One output file a thread (-ff): in a common one, calls would be torn in two lines.
        prefix = ["strace", "-ff", "-y", "-qq", "-s", "0", "-e", f"trace={READ_CALLS}"]
        measure(
            dataclasses.replace(
                command, argv=[*prefix, "-o", str(Path(traces, "t")), *command.argv]
            )
        )
        return sum(_traced_bytes(trace, place.resolve()) for trace in Path(traces).iterdir())


def _traced_bytes(trace: Path, place: Path) -> int:
    total = 0
    below = f"{place}{os.sep}"
    with open(trace, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            call = _TRACED_CALL.match(line)
            if call is None:
                continue
            # The handle read from comes first in every call; a copy's target comes second.
            source = _PATH_OF_HANDLE.search(call["body"])
            if source is None or not source["path"].startswith(below):
                continue
            if call["call"] == "mmap":
                length = _MMAP_LENGTH.match(call["body"])
                total += int(length["length"]) if length else 0
            elif call["result"].isdigit():
                total += int(call["result"])
    return total

"""
What the machine and the process are doing: one row of numbers, every some seconds.

Linux tells it in small files of /proc. Elsewhere psutil is asked if it is installed;
without it a row has what the standard library knows. The names are documented in
docs/reference/run-metrics.md and never change their meaning.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from types import ModuleType
from typing import Any, Final

from artstore import clock, forks
from artstore.tracking.capture.gpu import Devices

__all__ = ["SystemSampler"]

_SECTOR_BYTES: Final = 512
_KIBIBYTE: Final = 1024
# Disks that are parts of others, or memory.
_NO_DISK: Final = re.compile(
    r"(?:loop|ram|zram|dm-|md|sr|fd)\d|.*\d+p\d+$|(?:sd|vd|xvd|hd)[a-z]+\d+$"
)
_SHORTEST_SECONDS: Final = 0.01


class SystemSampler:
    """
    Samples system metrics; used by one thread.

    Cost: about 30 us to make (GPUs are looked for by the first sample), well under 2 ms a
    sample without GPUs.
    """

    def __init__(self, directory: str | os.PathLike[str] = ".", *, with_gpus: bool = True) -> None:
        """
        Args:
            directory: the disk that `disk` is about.
            with_gpus: whether GPUs are sampled too, where there are some.
        """
        self._directory = os.path.abspath(directory)
        self._with_gpus = with_gpus
        self._devices: Devices | None = None
        self._psutil: Any = None
        self._generation = forks.generation()
        self._is_linux = sys.platform == "linux"
        self._before = self._times()
        self._network_before = self._disk_before = (0.0, 0.0)
        self._network_before = self._network()
        self._disk_before = self._disk_traffic()

    def sample(self) -> dict[str, float]:
        """
        One row; what cannot be told here is left out. Never raises.

        `cpu` and `process.cpu` are about the time since the row before.
        """
        if self._generation != forks.generation():
            return {}
        row: dict[str, float] = {}
        for part in (self._cpu, self._memory, self._disk, self._traffic, self._gpu):
            with suppress(Exception):
                row |= part()
        return row

    def close(self) -> None:
        """Let go of the GPUs; may be called twice."""
        if self._devices is not None:
            self._devices.close()

    def _cpu(self) -> dict[str, float]:
        before, self._before = self._before, self._times()
        row: dict[str, float] = {}
        seconds = self._before[0] - before[0]
        if seconds >= _SHORTEST_SECONDS:
            row["process.cpu"] = 100.0 * (self._before[1] - before[1]) / seconds
        ticks = self._before[3] - before[3]
        if ticks > 0:
            row["cpu"] = 100.0 * (self._before[2] - before[2]) / ticks
        return row

    def _times(self) -> tuple[float, float, float, float]:
        """Now; seconds of CPU of this process; busy and all time of all CPUs, in some unit."""
        used = os.times()
        busy = total = 0.0
        if self._is_linux:
            numbers = [float(part) for part in _read("/proc/stat").split(b"\n", 1)[0].split()[1:9]]
            # user nice system idle iowait irq softirq steal
            if len(numbers) >= 5:
                total = sum(numbers)
                busy = total - numbers[3] - numbers[4]
        elif self._has_psutil() is not None:
            times = self._psutil.cpu_times()
            total = float(sum(times))
            busy = total - float(times.idle)
        return clock.monotonic_seconds(), used.user + used.system, busy, total

    def _memory(self) -> dict[str, float]:
        if self._is_linux:
            numbers = dict(
                re.findall(
                    rb"^(MemTotal|MemAvailable): +(\d+)", _read("/proc/meminfo"), re.MULTILINE
                )
            )
            total = int(numbers[b"MemTotal"]) * _KIBIBYTE
            used = total - int(numbers[b"MemAvailable"]) * _KIBIBYTE
            pages = int(_read("/proc/self/statm").split()[1])
            resident = pages * os.sysconf("SC_PAGE_SIZE")
        elif self._has_psutil() is not None:
            memory = self._psutil.virtual_memory()
            total, used = memory.total, memory.total - memory.available
            resident = self._psutil.Process().memory_info().rss
        else:
            return {}
        return {
            "memory": 100.0 * used / total,
            "memory.used_bytes": float(used),
            "process.memory_bytes": float(resident),
        }

    def _disk(self) -> dict[str, float]:
        status = os.statvfs(self._directory)
        used = (status.f_blocks - status.f_bfree) * status.f_frsize
        # As df has it: of what this user may have, not of what is kept for root.
        usable = used + status.f_bavail * status.f_frsize
        return {
            "disk": 100.0 * used / usable if usable else 0.0,
            "disk.used_bytes": float(used),
        }

    def _traffic(self) -> dict[str, float]:
        row: dict[str, float] = {}
        for now, before, names in (
            (self._disk_traffic(), self._disk_before, ("disk.read_bytes", "disk.written_bytes")),
            (
                self._network(),
                self._network_before,
                ("network.received_bytes", "network.sent_bytes"),
            ),
        ):
            if now != (0.0, 0.0):
                # A device that went away took its counts with it.
                row |= {names[at]: max(0.0, now[at] - before[at]) for at in (0, 1)}
        return row

    def _disk_traffic(self) -> tuple[float, float]:
        """Bytes read and written since the machine started, of all disks."""
        read = written = 0
        with suppress(Exception):
            if self._is_linux:
                for line in _read("/proc/diskstats").decode("ascii", "replace").splitlines():
                    parts = line.split()
                    if len(parts) > 9 and not _NO_DISK.match(parts[2]):
                        read += int(parts[5]) * _SECTOR_BYTES
                        written += int(parts[9]) * _SECTOR_BYTES
            elif self._has_psutil() is not None:
                counts = self._psutil.disk_io_counters()
                read, written = counts.read_bytes, counts.write_bytes
        return float(read), float(written)

    def _network(self) -> tuple[float, float]:
        """Bytes received and sent since the machine started, without those to itself."""
        received = sent = 0
        with suppress(Exception):
            if self._is_linux:
                for line in _read("/proc/net/dev").decode("ascii", "replace").splitlines()[2:]:
                    name, _, numbers = line.partition(":")
                    parts = numbers.split()
                    if name.strip() != "lo" and len(parts) > 8:
                        received += int(parts[0])
                        sent += int(parts[8])
            elif self._has_psutil() is not None:
                counts = self._psutil.net_io_counters()
                received, sent = counts.bytes_recv, counts.bytes_sent
        return float(received), float(sent)

    def _gpu(self) -> dict[str, float]:
        if not self._with_gpus:
            return {}
        if self._devices is None:
            self._devices = Devices()
        return self._devices.sample()

    def _has_psutil(self) -> ModuleType | None:
        if self._psutil is None:
            try:
                import importlib

                self._psutil = importlib.import_module("psutil")
            except ImportError:
                self._psutil = False
        return self._psutil or None


def _read(path: str) -> bytes:
    # Whole in one call: such a file is made when it is read, and may change in between.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 256 * 1024)
    finally:
        os.close(descriptor)

"""A child process that is granted little memory, little time and no large files."""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from artstore import limits
from tests.unit.storage.processes import ChildProcess

MEMORY_BYTES = 250 * limits.MIB
"""What the child may take beside what it has. RLIMIT_DATA and not RLIMIT_AS: each thread
reserves 70 MiB of addresses that it never touches."""
FILE_BYTES = 200 * limits.MIB
CPU_SECONDS = 30


def in_little_memory(work: Callable[[], Any]) -> Any:
    """Run `work` in a child that dies rather than take more than it should."""

    def limited() -> Any:
        if sys.platform == "linux":
            status = Path("/proc/self/status").read_text(encoding="ascii")
            found = re.search(r"VmData:\s+(\d+) kB", status)
            assert found is not None
            granted = int(found[1]) * 1024 + MEMORY_BYTES
            resource.setrlimit(resource.RLIMIT_DATA, (granted, granted))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
        return work()

    return ChildProcess(limited).result()

"""
A bound that the kernel holds for a server that is a process of its own.

The engine does not count the texts and lists that it computes with. What is refused to it is an
error of one query; without a bound the kernel would end the server, or another process.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from artstore import limits

__all__ = ["bound_memory", "renew_bound"]

_QUERIES_AT_ONCE: Final = 4
_OWN_BYTES: Final = 1024 * limits.MIB
"""What the server maps beside its queries, most of it never used: stacks of threads."""
_MAPPED: Final = re.compile(r"^VmData:\s+(\d+) kB", re.MULTILINE)
_PHYSICAL_PART: Final = 0.75

_more_bytes: list[int] = []
"""How much may be mapped beside what is, and the bound that was made of it last."""


def bound_memory(query_bytes: int) -> None:
    """
    Let this process map no more than some queries need beside what it has mapped now.

    Where the kernel cannot hold such a bound there is none; a lower one is left as it is.

    Args:
        query_bytes: what queries may take.
    """
    physical = _physical_bytes()
    if physical is None:
        return
    more = _QUERIES_AT_ONCE * query_bytes + _OWN_BYTES
    _more_bytes[:] = [min(more, int(physical * _PHYSICAL_PART))]
    renew_bound()


def renew_bound() -> None:
    """
    To be called when a query was refused memory: what it has mapped stays mapped, and is free.

    Does nothing in a process without a bound.
    """
    if not _more_bytes:
        return
    import resource

    with suppress(OSError, ValueError):
        found = _MAPPED.search(Path("/proc/self/status").read_text("ascii", "replace"))
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if found is not None:
            bound = int(found[1]) * 1024 + _more_bytes[0]
            if soft in {resource.RLIM_INFINITY, *_more_bytes[1:]} or soft > bound:
                resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
                _more_bytes[1:] = [bound]


def _physical_bytes() -> int | None:
    """The memory of this machine; None where there is no /proc."""
    if not Path("/proc/self/status").exists():
        return None
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None

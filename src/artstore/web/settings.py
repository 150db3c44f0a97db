"""
What a server was started with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from artstore import limits

__all__ = ["ServeSettings"]

_MEMORY_BYTES: Final = 1024 * limits.MIB
_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """
    How a store is served.

    Attributes:
        write: whether labels may be changed, and versions deleted, through the page.
        token: what a visitor must show; None: who reaches the address may read.
        root_path: what stands before every address behind a proxy: `/art`, or nothing.
        allowed_hosts: names beside the loopback ones by which the server may be called.
        is_loopback: whether only this machine reaches it; else it may be called by any
            numeric address, which no foreign name can be made to mean.
        frame_ancestors: sources of CSP that may show the page in a frame.
        memory_bytes: what one query of a table may take.
        seconds: how long one query of a table may take.
    """

    write: bool = False
    token: str | None = None
    root_path: str = ""
    allowed_hosts: tuple[str, ...] = ()
    is_loopback: bool = True
    frame_ancestors: tuple[str, ...] = ()
    memory_bytes: int = _MEMORY_BYTES
    seconds: float = _SECONDS

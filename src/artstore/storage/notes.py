"""
Small files of this machine that are replaced as a whole: notes, caches, settings.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from artstore.storage.durable import temporary_name

__all__ = ["replace_file"]


def replace_file(file: Path, data: bytes, *, mode: int = 0o666) -> None:
    """
    Make `file` hold `data`, with its directory; readers see the old bytes or the new ones.

    Not synced: after a power cut it may be empty, which whoever reads it has to bear.

    Args:
        mode: of a file, less the umask.
    Raises:
        OSError: nothing was changed.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{temporary_name()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(descriptor, "wb") as stream:
            stream.write(data)
        os.replace(temporary, file)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)

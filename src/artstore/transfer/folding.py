"""
Disks on which two names are one: case-folding and Unicode-normalising ones.

`README` and `readme`, or two spellings of `é`, are different entries of a
version and would be one file there, so one of them would be lost in silence.
"""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress

from artstore import clock
from artstore.errors import InvalidInputError

__all__ = ["PathClaims", "folds_names"]


def folds_names(directory_fd: int) -> bool:
    """
    Whether the disk of this directory takes `a` and `A`, or `é` and `é`, for one name.

    Raises:
        OSError: the directory cannot be written.
    Cost: two files made and removed.
    """
    stem = f".art-{clock.random_bytes(8).hex()}"
    for made, asked in ((f"{stem}-a", f"{stem}-A"), (f"{stem}-\u00e9", f"{stem}-e\u0301")):
        fd = os.open(
            made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory_fd
        )
        os.close(fd)
        try:
            with suppress(FileNotFoundError):
                os.stat(asked, dir_fd=directory_fd, follow_symlinks=False)
                return True
        finally:
            os.unlink(made, dir_fd=directory_fd)
    return False


def fold(path: str) -> str:
    """What a folding disk compares; folds at least what each of them folds."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


class PathClaims:
    """
    The paths of one checkout, directories among them, by what they fold to.

    Not safe for threads. Cost: some 200 bytes a path.
    """

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}

    def add(self, path: str) -> None:
        """
        Claim a path and the directories above it.

        Raises:
            InvalidInputError: `path-collision`, naming both paths.
        """
        taken = self._taken.setdefault(fold(path), path)
        if taken != path:
            raise InvalidInputError(
                f"{path!r} and {taken!r} are one name on this disk, which does not tell capitals "
                "or Unicode forms apart",
                code="path-collision",
                hint="Pull to a disk that tells them apart, or one of them alone with --path.",
                paths=[taken, path],
            )
        # Directories too: `A/x` beside `a/y` would become one directory.
        parent = path.rpartition("/")[0]
        if parent and parent != self._taken.get(fold(parent)):
            self.add(parent)

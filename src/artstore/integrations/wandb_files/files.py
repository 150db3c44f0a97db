"""
The files below a directory, found once. A path is looked up among them and never put together.

So `..`, absolute paths and names that were not there lead nowhere, whatever a
table or a manifest names.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from io import BufferedReader

from artstore.errors import LimitExceededError, NotFoundError
from artstore.integrations.wandb_files.failures import damaged_file, missing_file, refused_path

__all__ = ["WandbFiles"]


class WandbFiles:
    """
    All files below a directory.

    A symlink is read if it leads to a file below the directory. Anything else that is
    neither a file nor a directory is refused, since it may be read by whoever imports.

    Args:
        root: the directory.
    Raises:
        NotFoundError: `wandb-file-missing`: there is no such directory.
        InvalidInputError: `wandb-path-refused` for a symlink that leads out or to a
            directory, for sockets, pipes, and names that are not Unicode.
    Cost: one walk; about 300 bytes of memory a file.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.path.realpath(root)
        if not os.path.isdir(self.root):
            raise NotFoundError(
                f"there is no directory {os.fspath(root)!r}",
                code="wandb-file-missing",
                hint="give the directory that an artifact of W&B was downloaded to",
            )
        self._places: dict[str, str] = {}
        self._walk(self.root, "")

    @property
    def places(self) -> Mapping[str, str]:
        """Path below the directory, with `/` -> where it is on this machine; sorted by path."""
        return self._places

    def find(self, path: object, named_by: str) -> str:
        """
        Where the file is on this machine.

        Args:
            named_by: who names it, for errors.
        Raises:
            InvalidInputError: `wandb-path-refused` if the path leads out.
            NotFoundError: `wandb-file-missing`.
        """
        if not isinstance(path, str) or not path:
            raise refused_path(repr(path), named_by, "is no path")
        place = self._places.get(path)
        if place is not None:
            return place
        if path.startswith(("/", "\\")) or "\0" in path or os.path.isabs(path):
            raise refused_path(path, named_by, "is not a path below the directory")
        if ".." in path.replace("\\", "/").split("/"):
            raise refused_path(path, named_by, "leads out of the directory")
        raise missing_file(path, named_by)

    def open(self, path: str) -> BufferedReader:
        """The file as a stream. Raises as `find`, and DamagedDataError `wandb-file-damaged`."""
        try:
            return open(self.find(path, "the reader"), "rb")
        except OSError as error:
            raise damaged_file(path, error.strerror or str(error)) from error

    def read(self, path: str, limit_bytes: int) -> bytes:
        """
        All of a small file. Raises as `open`.

        Raises:
            LimitExceededError: `limit-exceeded`.
        """
        try:
            with self.open(path) as file:
                data = file.read(limit_bytes + 1)
        except OSError as error:
            raise damaged_file(path, error.strerror or str(error)) from error
        if len(data) > limit_bytes:
            raise LimitExceededError(
                f"{path} has more than {limit_bytes:,} bytes, the most that is read of such a file",
                code="limit-exceeded",
                hint="it is not one that W&B writes",
                limit=limit_bytes,
            )
        return data

    def _walk(self, directory: str, prefix: str) -> None:
        try:
            with os.scandir(directory) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise damaged_file(prefix or directory, error.strerror or str(error)) from error
        for entry in entries:
            path = f"{prefix}{entry.name}"
            _check_name(path)
            if entry.is_dir(follow_symlinks=False):
                self._walk(entry.path, f"{path}/")
            else:
                self._places[path] = self._checked(entry.path, path)

    def _checked(self, place: str, path: str) -> str:
        real = os.path.realpath(place)
        if real != place and os.path.commonpath((real, self.root)) != self.root:
            raise refused_path(path, "the directory", "is a link that leads out of it")
        try:
            mode = os.stat(real).st_mode
        except OSError as error:
            raise missing_file(path, "the directory", error.strerror or str(error)) from error
        if not stat.S_ISREG(mode):
            raise refused_path(path, "the directory", "is not a file")
        return real


def _check_name(path: str) -> None:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise refused_path(
            path.encode("utf-8", "backslashreplace").decode(),
            "the directory",
            "has a name that is not Unicode",
        ) from error

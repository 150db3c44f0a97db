"""
Which directories are checkouts of ours, and of what.

A pull into a directory that is not empty is refused unless it is noted here, so
the note has to be about this very directory: it holds the directory's device
and inode, and one that was moved away or made anew is no longer ours. Notes lie
in the user's state directory; nothing is left in the checkout itself.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from artstore.digest import digest_of
from artstore.errors import DeniedError
from artstore.storage.notes import replace_file

__all__ = ["Checkout", "Checkouts"]

_MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Checkout:
    """
    One directory and what it holds.

    Attributes:
        location: its real path.
        is_done: False while a pull is at work, or after one that was killed:
            some files are of this version and some still of the one before.
    """

    location: str
    device: int
    inode: int
    store_id: str
    project: str
    name: str
    version: int
    is_done: bool


class Checkouts:
    """
    The notes of this user, one small file for each directory.

    Args:
        directory: made at the first note.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def directory(self) -> Path:
        """Where the notes lie."""
        return self._directory

    def find(self, root: Path) -> Checkout | None:
        """What `root` was noted to be; None when it is not ours or nothing can be read."""
        try:
            location = os.path.realpath(root, strict=True)
            status = os.stat(location)
            with open(self._file(location), "rb") as file:
                checkout = _decode(json.loads(file.read(_MAX_BYTES)))
        except Exception:  # noqa: BLE001 - whatever is wrong with a note, it is none
            return None
        noted = (checkout.location, checkout.device, checkout.inode)
        return checkout if noted == (location, status.st_dev, status.st_ino) else None

    def known(self, store_id: str) -> list[Checkout]:
        """All checkouts of a store that still are what they were noted to be, by their place."""
        try:
            files = [file for file in self._directory.iterdir() if file.suffix == ".json"]
        except OSError:
            return []
        found = []
        for file in files:
            try:
                noted = _decode(json.loads(file.read_bytes()[:_MAX_BYTES]))
            except Exception:  # noqa: BLE001, S112 - whatever is wrong with a note, it is none
                continue
            if noted.store_id == store_id and self.find(Path(noted.location)) == noted:
                found.append(noted)
        return sorted(found, key=lambda checkout: checkout.location)

    def mark_started(
        self, root: Path, store_id: str, project: str, name: str, version: int
    ) -> None:
        """
        Note that a pull writes into `root`, which is made if it is not there.

        Raises:
            DeniedError: `target-denied`, `target-full`.
        """
        self._mark(root, store_id, project, name, version, is_done=False)

    def mark_done(self, root: Path, store_id: str, project: str, name: str, version: int) -> None:
        """
        Note that `root` holds all of this version now.

        Raises:
            As `mark_started`.
        """
        self._mark(root, store_id, project, name, version, is_done=True)

    def forget(self, root: Path) -> None:
        """Remove the note, if there is one."""
        with suppress(OSError):
            os.unlink(self._file(os.path.realpath(root)))

    def _mark(
        self, root: Path, store_id: str, project: str, name: str, version: int, *, is_done: bool
    ) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
            location = os.path.realpath(root, strict=True)
            status = os.stat(location)
        except OSError as error:
            raise DeniedError(
                f"cannot make the directory {str(root)!r}: {error.strerror}",
                code="target-denied",
                path=str(root),
            ) from error
        checkout = Checkout(
            location, status.st_dev, status.st_ino, store_id, project, name, version, is_done
        )
        # A pull is worth more than its note: without it the next one into this
        # directory has to be told --into.
        with suppress(OSError):
            self._write(self._file(location), checkout)

    def _write(self, file: Path, checkout: Checkout) -> None:
        # Escaped to ASCII, which also keeps names that are not UTF-8.
        data = json.dumps(asdict(checkout)).encode("ascii")
        replace_file(file, data)

    def _file(self, location: str) -> Path:
        return self._directory / f"{digest_of(os.fsencode(location)).hex()[:32]}.json"


def _decode(value: Any) -> Checkout:
    kinds = {"location": str, "store_id": str, "project": str, "name": str, "is_done": bool}
    values = {}
    for field in fields(Checkout):
        values[field.name] = item = value[field.name]
        if type(item) is not kinds.get(field.name, int):
            raise TypeError(field.name)
    return Checkout(**values)

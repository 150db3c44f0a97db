"""
Files of a run: what lies in `run.dir`, and what `save` puts there, kept as versions of a
collection of its own.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from artstore import forks
from artstore.catalog.runs.format import files_collection
from artstore.errors import ArtstoreError, InvalidInputError
from artstore.names import RUN_FILES_TYPE

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.artifact import Artifact

__all__ = ["POLICIES", "RunFiles", "draft_of_files", "fetch_file"]

POLICIES: Final = ("live", "now", "end")

_Seen = dict[str, tuple[int, int]]


def draft_of_files(run_id: str, directory: Path) -> Artifact | None:
    """What lies in a directory, as a draft; None if that is nothing."""
    from artstore.artifact import Artifact

    draft = Artifact(files_collection(run_id), RUN_FILES_TYPE)
    names = list(_names_in(directory))
    for name in names:
        draft.add_file(directory / name, name, policy="immutable")
    return draft if names else None


def fetch_file(store: Store, run_path: str, name: str, root: Path, *, replace: bool) -> TextIO:
    """
    Fetch one file of a run from a store, and open it.

    Raises:
        NotFoundError: `artifact-not-found`, `entry-not-found`.
    """
    target = root / name
    if replace or not target.exists():
        *before, run_id = run_path.split("/")
        collection = "/".join([*before[-1:], files_collection(run_id)])
        store.artifact(f"{collection}:latest").get_entry(name).download(os.fspath(root))
    return open(target, encoding="utf-8")


class RunFiles:
    """
    The files of one run; threads may share it.

    Args:
        directory: gives `run.dir`, which need not be there.
        push: stores what lies there now.
        tell: gets sentences for the user.
    """

    def __init__(
        self, directory: Callable[[], Path], push: Callable[[], None], tell: Callable[[str], None]
    ) -> None:
        self._directory = directory
        self._push = push
        self._tell = tell
        self._live: set[str] = set()
        self._pushed: _Seen = {}
        self._turn = forks.new_lock()

    def save(
        self,
        pattern: str | os.PathLike[str],
        base_path: str | os.PathLike[str] | None,
        policy: str,
        *,
        is_literal: bool = False,
    ) -> list[str]:
        """
        Put files into `run.dir`, and store them as `policy` says; their paths there.

        Args:
            is_literal: whether `pattern` is a path, and asterisks in it are asterisks.
        Raises:
            InvalidInputError: `value-invalid`, a policy or `base_path` that cannot be.
        """
        if policy not in POLICIES:
            raise InvalidInputError(
                f"policy={policy!r} is not one of {', '.join(POLICIES)}", code="value-invalid"
            )
        if base_path is not None:
            base = os.path.abspath(base_path)
        else:
            base = _base_of(os.fspath(pattern), is_literal=is_literal)
        wanted = os.path.abspath(pattern)
        matches = glob.glob(glob.escape(wanted) if is_literal else wanted, recursive=True)
        saved = [
            self._put(file, base, policy) for found in sorted(matches) for file in _files_at(found)
        ]
        if not saved:
            self._tell(f"save: no file is at {wanted}")
        elif policy == "now":
            self._store()
        return saved

    def step(self) -> None:
        """Store what is to be kept up to date and has changed; called with each step."""
        if self._live and any(
            self._pushed.get(name) != seen
            for name, seen in self._seen().items()
            if name in self._live
        ):
            self._store()

    def finish(self) -> None:
        """Store what has not been; a store that fails leaves that to a repair."""
        if self._seen() == self._pushed:
            return
        try:
            self._store()
        except (ArtstoreError, OSError) as error:
            self._tell(f"files of the run are not stored yet: {error}")

    def _store(self) -> None:
        with self._turn:
            seen = self._seen()
            self._push()
            self._pushed = seen

    def _put(self, file: str, base: str, policy: str) -> str:
        name = os.path.relpath(file, base)
        if name == os.pardir or name.startswith(os.pardir + os.sep):
            raise InvalidInputError(
                f"{file} does not lie below base_path {base}", code="value-invalid", path=file
            )
        target = self._directory() / name
        if policy == "live":
            self._live.add(name)
        if target.exists() and os.path.samefile(target, file):
            return str(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        if policy == "now":
            import shutil

            shutil.copy2(file, target)
        else:
            # What it is in the end counts.
            target.symlink_to(file)
        return str(target)

    def _seen(self) -> _Seen:
        directory = self._directory()
        seen: _Seen = {}
        for name in _names_in(directory):
            with suppress(OSError):
                status = os.stat(directory / name)
                seen[name] = (status.st_mtime_ns, status.st_size)
        return seen


def _names_in(directory: Path) -> Iterator[str]:
    """Paths of the files below, also behind links, less those that vanished."""
    for root, directories, files in os.walk(directory):
        directories.sort()
        for file in sorted(files):
            path = os.path.join(root, file)
            if os.path.isfile(path):
                yield os.path.relpath(path, directory)


def _base_of(pattern: str, *, is_literal: bool) -> str:
    """The directory that the paths of a pattern are told from."""
    if not os.path.isabs(pattern) and os.pardir not in pattern.split(os.sep):
        return os.getcwd()
    base = os.path.dirname(os.path.abspath(pattern))
    while not is_literal and glob.has_magic(base):
        base = os.path.dirname(base)
    return base


def _files_at(path: str) -> Iterator[str]:
    if os.path.isfile(path):
        yield path
    elif os.path.isdir(path):
        for name in _names_in(Path(path)):
            yield os.path.join(path, name)

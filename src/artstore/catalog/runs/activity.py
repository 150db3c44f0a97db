"""
Which runs changed: empty values under keys that sort by time.

`activity/<project>/<YYYYMMDD>/<HHMMSS>-<run id>-<n>` is created right before entry n
of that run, so a reader that lists from where it last was misses nothing: a marker
whose entry is not there yet is looked at again. Markers say where to look and
nothing else; losing them costs a listing of all runs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from artstore import names
from artstore.catalog.runs.state import seconds_of
from artstore.errors import AlreadyExistsError, InvalidInputError
from artstore.storage.protocol import Storage

__all__ = ["PREFIX", "Marker", "announce", "projects_with_runs", "read_markers"]

PREFIX: Final = "activity/"
_VALUE: Final = b"1\n"
_KEY = re.compile(r"([0-9]{8})/([0-9]{6})-(.+)-([0-9]+)")


class Marker(NamedTuple):
    """Entry `n` of a run was, or is about to be, written at `seconds` by its writer's clock."""

    seconds: float
    run_id: str
    n: int


def announce(storage: Storage, project: str, run_id: str, n: int, seconds: float) -> None:
    """Say that entry n of a run is about to be created. Cost: one create."""
    when = time.strftime("%Y%m%d/%H%M%S", time.gmtime(int(seconds)))
    try:
        storage.create(f"{_prefix(project)}{when}-{names.escape_for_key(run_id)}-{n}", _VALUE)
    except AlreadyExistsError:
        return


def read_markers(storage: Storage, project: str, since_seconds: float) -> Iterator[Marker]:
    """
    The markers of a project, from `since_seconds` on, in the order of time.

    Cost: one scan.
    """
    prefix = _prefix(project)
    after = ""
    if since_seconds > 0:
        # `/` sorts before every digit: a day's own prefix is before all markers of that day.
        after = prefix + time.strftime("%Y%m%d/%H%M%S", time.gmtime(int(since_seconds)))
    for info in storage.scan(prefix, after=after):
        match = _KEY.fullmatch(info.key[len(prefix) :])
        if match is None:
            continue
        day, moment, run_part, n = match.groups()
        seconds = _seconds(day, moment)
        if seconds:
            yield Marker(seconds, names.unescape_from_key(run_part), int(n[:12]))


def projects_with_runs(storage: Storage) -> Iterator[str]:
    """Projects that have runs, in the order of their keys. Cost: one scan of names."""
    for part in storage.scan_names(PREFIX):
        name = names.unescape_from_key(part)
        try:
            yield names.check_project_name(name)
        except InvalidInputError:
            continue


def _seconds(day: str, moment: str) -> float:
    date = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    return seconds_of(f"{date}T{moment[:2]}:{moment[2:4]}:{moment[4:]}Z")


def _prefix(project: str) -> str:
    return f"{PREFIX}{names.escape_for_key(project)}/"

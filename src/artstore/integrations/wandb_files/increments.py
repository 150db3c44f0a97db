"""
Incremental tables of W&B: rows that were logged bit by bit, a file for each bit.

The files of one table lie side by side as `<number>-<milliseconds>.<key>.table.json`.
The first has `None` for a number, which is followed by 1.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from artstore.integrations.wandb_files.failures import missing_file
from artstore.integrations.wandb_files.header import TableHeader

__all__ = ["Increment", "increment_of", "superseded", "with_previous"]

_NAME: Final = re.compile(r"(None|\d{1,15})-(\d{1,15})\.(.+)\.table\.json", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Increment:
    """
    What the path of an increment says.

    Attributes:
        table: the directory and the key: the same for all increments of a table.
        number: -1 for `None`, the first; the next has 1.
    """

    path: str
    table: str
    number: int
    milliseconds: int

    @property
    def order(self) -> tuple[int, int]:
        """Increments of a table, sorted by this, are in the order of its rows."""
        return self.number, self.milliseconds


def increment_of(path: str) -> Increment | None:
    """What a path says; None for a table that is whole."""
    directory, name = posixpath.split(path)
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    number = -1 if match[1] == "None" else int(match[1])
    return Increment(path, posixpath.join(directory, match[3]), number, int(match[2]))


def superseded(paths: Iterable[str], is_incremental: Callable[[str], bool]) -> set[str]:
    """The increments that are not the newest of their table."""
    found = [
        one for path in paths if (one := increment_of(path)) is not None and is_incremental(path)
    ]
    # Of two for one table the later one stays.
    newest = {one.table: one for one in sorted(found, key=lambda one: one.order)}
    return {one.path for one in found if newest[one.table] is not one}


def with_previous(
    header: TableHeader, paths: Iterable[str], read: Callable[[str], TableHeader]
) -> tuple[TableHeader, ...]:
    """
    An increment behind all that come before it.

    Args:
        paths: of all tables.
        read: gives the header of one.
    Raises:
        NotFoundError: `wandb-file-missing`: one of those before is not there.
    """
    this = increment_of(header.path)
    if this is None or header.log_mode != "INCREMENTAL":
        return (header,)
    found = [one for one in map(increment_of, paths) if one is not None and one.table == this.table]
    before = sorted((one for one in found if one.order < this.order), key=lambda one: one.order)
    kept = [
        (one, earlier) for one in before if (earlier := read(one.path)).log_mode == "INCREMENTAL"
    ]
    there = {posixpath.basename(one.path) for one, _ in kept}
    for path in header.previous:
        if posixpath.basename(path) not in there:
            raise missing_file(path, header.path, "it is an increment before this one")
    last = -1
    for one in (*(one for one, _ in kept), this):
        if one.number > last + 1:
            name = f"{last + 1}-*.{posixpath.basename(this.table)}.table.json"
            raise missing_file(name, header.path, "it is an increment before this one")
        last = max(one.number, 0)
    return (*(earlier for _, earlier in kept), header)

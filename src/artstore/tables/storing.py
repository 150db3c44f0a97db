"""
Storing a table: rows that the version before has are not stored again.

Nobody tells what changed: leaves with the digest of a leaf of the version before
are the same rows. Of the others new fragments are made, and the table is a list of
extents of old fragments and of new ones (ADR 0008).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from artstore.tables.building import BuiltTable, LocalFragment, StoredPart
from artstore.tables.fragments import Fragment, fragment_key, write_fragment
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema
from artstore.tables.tablefile import Extent, TableFile

__all__ = ["PutFragment", "store_table"]

PutFragment = Callable[[str, bytes], None]
"""Stores the bytes of a fragment under a key, now or soon."""

_USED_LEAST: Final = 0.5
"""Of an old fragment fewer rows than this part are not used but stored again: readers
never pass over more rows than they take."""

_REWRITTEN_ROWS: Final = 1 << 18


class _Place(NamedTuple):
    """Where a leaf lies in the version before."""

    fragment: int
    first: int


class _Run(NamedTuple):
    """
    Successive rows of a fragment that is stored (`columns` of it) or not yet.

    `nth` tells fragments of one key apart: a table that has the same rows several
    times has their fragment as often.
    """

    source: Fragment | LocalFragment
    schema: Schema
    first: int
    row_count: int
    nth: int = 0


def store_table(
    built: BuiltTable,
    keys: Mapping[str, Any],
    parent: TableFile | None,
    push: bytes,
    put: PutFragment,
) -> TableFile:
    """
    Store what is new of a table; what has been put must be durable before anything names it.

    Args:
        parent: the table of the same name in the version before.
        push: the id of this push, part of the keys it makes.
    Returns:
        The table as it is stored.
    Cost: one `put` a new fragment. A fragment that is new in parts is read and
        written once more; nothing of the version before is read.
    """
    storing = _Storing(built.schema, push, put)
    for run in _joined(_runs(built, parent)):
        storing.add(run)
    storing.flush()
    return TableFile(
        built.schema,
        built.row_count,
        tuple(storing.schemas),
        tuple(storing.fragments()),
        tuple(storing.extents),
        built.leaves(),
        keys,
    )


class _Storing:
    def __init__(self, schema: Schema, push: bytes, put: PutFragment) -> None:
        self.schemas: dict[Schema, int] = {}
        self.extents: list[Extent] = []
        self._schema = schema
        self._push = push
        self._put = put
        self._fragments: list[Fragment | None] = []
        self._numbers: dict[tuple[str, int], int] = {}
        self._keys: set[str] = set()
        self._rows: list[Rows] = []
        self._rows_count = 0
        self._rows_number: int | None = None
        self._read: tuple[bytes, Rows] | None = None

    def fragments(self) -> Iterator[Fragment]:
        """The fragments of the table, those stored now and those there were."""
        for fragment in self._fragments:
            assert fragment is not None, "rows wait to be written"
            yield fragment

    def add(self, run: _Run) -> None:
        """The next rows of the table."""
        if isinstance(run.source, Fragment):
            number = self._numbers.get((run.source.key, run.nth))
            if number is None:
                number = self._numbers[run.source.key, run.nth] = len(self._fragments)
                columns = self._columns(run.schema)
                self._fragments.append(replace(run.source, columns=columns))
            self.extents.append(Extent(number, run.first, run.row_count))
        elif run.row_count == run.source.row_count:
            self._add_whole(run.source)
        else:
            self._add_part(run.source, run.first, run.row_count)

    def _add_whole(self, local: LocalFragment) -> None:
        # The same rows twice are one file and two fragments: no row is taken twice.
        fragment = self._stored(local.read(), local.digest, local.schema, local.row_count)
        self.extents.append(Extent(len(self._fragments), 0, local.row_count))
        self._fragments.append(fragment)

    def _add_part(self, local: LocalFragment, first: int, count: int) -> None:
        if self._read is None or self._read[0] != local.digest:
            self._read = (local.digest, local.rows())
        rows = self._read[1].copied(first, first + count)
        if self._rows_number is None:
            self._rows_number = len(self._fragments)
            self._fragments.append(None)
        self.extents.append(Extent(self._rows_number, self._rows_count, count))
        self._rows.append(rows)
        self._rows_count += count
        if self._rows_count >= _REWRITTEN_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        if self._rows_number is None:
            return
        data, digest = write_fragment(self._rows, self._schema)
        fragment = self._stored(data, digest, self._schema, self._rows_count)
        self._fragments[self._rows_number] = fragment
        self._rows, self._rows_count, self._rows_number = [], 0, None

    def _stored(self, data: bytes, digest: bytes, schema: Schema, row_count: int) -> Fragment:
        key = fragment_key(digest, self._push)
        if key not in self._keys:
            self._keys.add(key)
            self._put(key, data)
        return Fragment(digest, self._push, len(data), row_count, self._columns(schema))

    def _columns(self, schema: Schema) -> int:
        return self.schemas.setdefault(schema, len(self.schemas))


def _runs(built: BuiltTable, parent: TableFile | None) -> Iterator[_Run]:
    places = {} if parent is None else _useful_places(built, parent)
    parent_nths = [] if parent is None else _nths(parent)
    for part in built.parts:
        if isinstance(part, StoredPart):
            nths = _nths(part.table)
            for extent in part.extents():
                number = extent.fragment
                yield _stored_run(part.table, number, extent.first, extent.row_count, nths[number])
            continue
        at = 0
        for count, digest in part.leaves:
            # Once: of rows that are in the table twice the second ones are stored.
            place = places.pop(digest, None)
            if place is None or parent is None:
                yield _Run(part, part.schema, at, count)
            else:
                nth = parent_nths[place.fragment]
                yield _stored_run(parent, place.fragment, place.first, count, nth)
            at += count


def _stored_run(table: TableFile, number: int, first: int, count: int, nth: int) -> _Run:
    fragment = table.fragments[number]
    return _Run(fragment, table.stored_schemas[fragment.columns], first, count, nth)


def _nths(table: TableFile) -> list[int]:
    """For each fragment of a table how many before it have its key."""
    before: Counter[str] = Counter()
    nths = []
    for fragment in table.fragments:
        nths.append(before[fragment.key])
        before[fragment.key] += 1
    return nths


def _joined(runs: Iterator[_Run]) -> Iterator[_Run]:
    """Runs that follow each other in one fragment as one."""
    last: _Run | None = None
    for run in runs:
        if (
            last is not None
            and run.source is last.source
            and run.first == last.first + last.row_count
        ):
            last = last._replace(row_count=last.row_count + run.row_count)
            continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


def _useful_places(built: BuiltTable, parent: TableFile) -> dict[bytes, _Place]:
    """Leaves of the version before that are used, by digest."""
    if parent.schema.names != built.schema.names:
        return {}
    places = _places(parent, built.schema)
    used: Counter[int] = Counter()
    for part in built.parts:
        if isinstance(part, LocalFragment):
            for count, digest in part.leaves:
                place = places.get(digest)
                if place is not None:
                    used[place.fragment] += count
    sizes = [fragment.row_count for fragment in parent.fragments]
    for part in built.parts:
        if isinstance(part, StoredPart):
            _drop_taken(places, parent, part)
            taken = Counter[str]()
            for extent in part.extents():
                taken[part.table.fragments[extent.fragment].key] += extent.row_count
            for number in used:
                used[number] += taken[parent.fragments[number].key]
    poor = {number for number, count in used.items() if count < _USED_LEAST * sizes[number]}
    return {digest: place for digest, place in places.items() if place.fragment not in poor}


def _drop_taken(places: dict[bytes, _Place], parent: TableFile, base: StoredPart) -> None:
    """Leave out what lies in extents that the table takes over as they are."""
    taken: dict[str, list[tuple[int, int]]] = {}
    for extent in base.extents():
        span = (extent.first, extent.first + extent.row_count)
        taken.setdefault(base.table.fragments[extent.fragment].key, []).append(span)
    for digest, place in list(places.items()):
        spans = taken.get(parent.fragments[place.fragment].key, ())
        if any(first <= place.first < last for first, last in spans):
            del places[digest]


def _places(parent: TableFile, schema: Schema) -> dict[bytes, _Place]:
    """Where each leaf of a stored table lies, if one extent has all of it."""
    usable = [schema.holds(have) for have in parent.stored_schemas]
    places: dict[bytes, _Place] = {}
    extents = iter(parent.extents)
    extent, taken = next(extents, Extent(0, 0, 0)), 0
    for count, digest in parent.leaves:
        while taken >= extent.row_count:
            taken -= extent.row_count
            extent = next(extents)
        fragment = parent.fragments[extent.fragment]
        if taken + count <= extent.row_count and usable[fragment.columns]:
            places.setdefault(digest, _Place(extent.fragment, extent.first + taken))
        taken += count
    return places

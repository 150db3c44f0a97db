"""
Two versions of a table compared by key.

First the digests of their leaves say which rows may differ at all; only those are
read, and of them as few columns as will do. Then rows find each other by key, and
the cells of pairs are compared by their encoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from artstore.errors import InvalidInputError
from artstore.tables.diffs.cellequality import equal_cells
from artstore.tables.diffs.keyjoin import RowPairs, join_by_key
from artstore.tables.diffs.leafmatch import match_leaves
from artstore.tables.diffs.remainders import PlainRemainder, Remainder, remainders_of
from artstore.tables.diffs.sources import RowSource, source_of
from artstore.tables.diffs.tablediff import ColumnChange, DiffedRows, TableDiff
from artstore.tables.diffs.verdicts import find_columns, judged
from artstore.tables.reading import RowReader
from artstore.tables.schema import Schema
from artstore.tables.widening import widened

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["diff_tables"]

_BLOCK_ROWS = 1 << 17


def diff_tables(
    old: RowReader,
    new: RowReader,
    key: str | Sequence[str],
    *,
    truth: str | None = None,
    guess: str | None = None,
) -> TableDiff:
    """
    What changed from one version of a table to another.

    Rows are found by their key, wherever they stand. A cell is the same if its value is:
    3 and 3.0, NaN and NaN, two images of the same pixels; 0.0 and -0.0 are not.
    Rows that share a key, or have None in it, are compared as a bag: equal ones are
    the same row; if one of a key is left on either side, it changed; else what
    is left was removed or added.

    Args:
        old, new: tables, partitioned or joined ones; stored or not.
        key: the column, or the columns, that tell rows apart.
        truth, guess: columns of what is right and what was predicted. Then it is told which
            rows were right before and are wrong now, and the other way round. Of
            joined tables they are found by their usual names, if both are left out.
    Raises:
        InvalidInputError: `column-unknown`, `value-invalid`.
        DamagedDataError: `fragment-damaged`, `fragment-missing`,
            `fragment-digest-mismatch`.
    Cost: reads the fragments with rows whose leaves differ: of one version those
        columns that differ, of the other, smaller part all. Where columns have come
        or gone, and for joined tables, both are read in full.
    """
    names = [key] if isinstance(key, str) else list(key)
    _check_columns(old, new, names, what="key")
    judges = find_columns(old, new, truth, guess)
    _check_columns(old, new, judges or (), what="column of truth or guess")
    sources = source_of(old), source_of(new)
    rows, pairs, cells = _differing_rows((old, new), sources, names, judges)
    for source in sources:
        source.release()
    return _told(rows, pairs, cells, judges)


def _differing_rows(
    readers: tuple[RowReader, RowReader],
    sources: tuple[RowSource, RowSource],
    key: Sequence[str],
    judges: tuple[str, str] | None,
) -> tuple[DiffedRows, RowPairs, dict[str, int]]:
    """Which rows differ, how rows found each other, and how many cells of each column differ."""
    schema = _shared_schema(readers[0].schema, readers[1].schema)
    sides = _sides(sources, schema, key)
    pairs = _pairs(sides, key)
    changed_at, bits, cells = _compared(sides, pairs)
    places = pairs.old[changed_at], pairs.new[changed_at]
    rows = DiffedRows(
        readers,
        sources,
        tuple(key),
        schema.names,
        sides[0].numbers[pairs.removed],
        sides[1].numbers[pairs.added],
        sides[0].numbers[places[0]],
        sides[1].numbers[places[1]],
        bits,
    )
    if judges is not None:
        regressed, fixed = map(np.flatnonzero, judged(sides, places, judges))
        rows = replace(rows, regressed=regressed, fixed=fixed)
    return rows, pairs, cells


def _told(
    rows: DiffedRows, pairs: RowPairs, cells: dict[str, int], judges: tuple[str, str] | None
) -> TableDiff:
    """The numbers of what was found."""
    (old, new), sources = rows.readers, rows.sources
    removed, changed = len(rows.removed), len(rows.changed_old)
    truth, guess = judges or (None, None)
    return TableDiff(
        key=rows.key,
        rows_old=old.row_count,
        rows_new=new.row_count,
        added=len(rows.added),
        removed=removed,
        changed=changed,
        unchanged=old.row_count - removed - changed,
        cells=cells,
        columns_added=_only_in(new.schema, old.schema),
        columns_removed=_only_in(old.schema, new.schema),
        columns_retyped=_retyped(old.schema, new.schema),
        duplicate_rows_old=pairs.duplicate_rows[0],
        duplicate_rows_new=pairs.duplicate_rows[1],
        null_rows_old=pairs.null_rows[0],
        null_rows_new=pairs.null_rows[1],
        truth=truth,
        guess=guess,
        regressed=None if rows.regressed is None else len(rows.regressed),
        fixed=None if rows.fixed is None else len(rows.fixed),
        read_bytes=sum(source.read_bytes for source in sources),
        total_bytes=_total_bytes(sources),
        read_fragments=sum(source.read_fragments for source in sources),
        rows=rows,
    )


def _check_columns(old: RowReader, new: RowReader, names: Sequence[str], *, what: str) -> None:
    if what == "key" and (not names or len(set(names)) != len(names)):
        raise InvalidInputError(
            f"a key is one column or several different ones, not {names!r}", code="value-invalid"
        )
    for name in names:
        for side, reader in (("old", old), ("new", new)):
            if name not in reader.schema.names:
                raise InvalidInputError(
                    f"the {side} table has no column {name!r}, which is to be its {what}, "
                    f"only {', '.join(reader.columns)[:200]}",
                    code="column-unknown",
                    column=name,
                )


# columns --------------------------------------------------------------------------------


def _shared_schema(old: Schema, new: Schema) -> Schema:
    """The columns of both, with types that hold the cells of both."""
    names = tuple(name for name in new.names if name in old.names)
    kinds = tuple(widened(old.type_of(name), new.type_of(name)) for name in names)
    return Schema(names, kinds)


def _only_in(one: Schema, other: Schema) -> tuple[str, ...]:
    return tuple(name for name in one.names if name not in other.names)


def _retyped(old: Schema, new: Schema) -> tuple[ColumnChange, ...]:
    return tuple(
        ColumnChange(name, str(old.type_of(name)), str(kind))
        for name, kind in zip(new.names, new.types, strict=True)
        if name in old.names and old.type_of(name) != kind
    )


def _total_bytes(sources: Sequence[RowSource]) -> int | None:
    found = [source.total_bytes for source in sources if source.total_bytes is not None]
    return sum(found) if len(found) == len(sources) else None


# rows -----------------------------------------------------------------------------------


def _sides(
    sources: tuple[RowSource, RowSource], schema: Schema, key: Sequence[str]
) -> tuple[Remainder, Remainder]:
    """The rows of both tables that may differ."""
    old, new = sources
    if old.leaves is None or new.leaves is None or old.schema.names != new.schema.names:
        plain = [PlainRemainder(one, schema, np.arange(one.row_count)) for one in sources]
        return plain[0], plain[1]
    return remainders_of(old, new, match_leaves(old.leaves, new.leaves), schema, key)


def _pairs(sides: tuple[Remainder, Remainder], key: Sequence[str]) -> RowPairs:
    old, new = sides
    names = old.schema.names
    return join_by_key(
        old.encoded(key, old.all_places()),
        new.encoded(key, new.all_places()),
        lambda places: old.encoded(names, places),
        lambda places: new.encoded(names, places),
    )


def _compared(
    sides: tuple[Remainder, Remainder], pairs: RowPairs
) -> tuple[NDArray[np.int64], NDArray[np.uint8], dict[str, int]]:
    """
    Which pairs differ, by their places, in which columns, and how many cells of each column.

    Returns:
        n places; uint8 [n, a bit a column]; counts by column, of those that differ.
    """
    names = sides[0].schema.names
    counts = np.zeros(len(names), np.int64)
    found, bits = [np.zeros(0, np.int64)], [np.zeros((0, -(-len(names) // 8)), np.uint8)]
    for start in range(0, len(pairs.new), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        differs = _differences(sides, pairs.old[block], pairs.new[block])
        rows = np.flatnonzero(differs.any(axis=1))
        counts += differs.sum(axis=0)
        found.append(rows + start)
        bits.append(np.packbits(differs[rows], axis=1))
    cells = {name: int(n) for name, n in zip(names, counts, strict=True) if n}
    return np.concatenate(found), np.concatenate(bits), cells


def _differences(
    sides: tuple[Remainder, Remainder], old: NDArray[np.int64], new: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Bool [n, columns]: which cells of n pairs differ."""
    names = sides[0].schema.names
    differs = np.zeros((len(old), len(names)), np.bool_)
    for columns, rows in _compared_columns(sides, old, new):
        one = sides[0].encoded(columns, old[rows])
        two = sides[1].encoded(columns, new[rows])
        for name, first, second in zip(columns, one, two, strict=True):
            differs[rows, names.index(name)] = ~equal_cells(first, second)
    return differs


def _compared_columns(
    sides: tuple[Remainder, Remainder], old: NDArray[np.int64], new: NDArray[np.int64]
) -> Iterator[tuple[Sequence[str], NDArray[np.int64]]]:
    """Columns that have to be compared, with the pairs of which they have to be."""
    names = sides[0].schema.names
    ranked = sides[0].ranked or sides[1].ranked
    suspects = np.maximum(sides[0].suspects(old, new), sides[1].suspects(new, old))
    for count in (np.flatnonzero(np.bincount(suspects + 1)) - 1).tolist():
        columns = names if count < 0 else ranked[:count]
        if columns:
            yield columns, np.flatnonzero(suspects == count)

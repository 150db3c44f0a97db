"""
The matrix of two columns: how often each truth was guessed as what.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from artstore.errors import InvalidInputError
from artstore.tables.engine import quoted
from artstore.tables.exploring.answers import ColumnInfo
from artstore.tables.exploring.explored import ExploredTable
from artstore.tables.exploring.facets import is_counted
from artstore.tables.exploring.selection import Selection
from artstore.tables.types import Decimal, Plain, Timestamp

__all__ = ["LABELS_MAX", "Confusion", "confusion"]

LABELS_MAX: Final = 100
"""Of a matrix, either way."""

_TEXT_MAX: Final = 1000
"""Characters of a label that are told."""

_LARGEST: Final = "1.7976931348623157e308"


@dataclass(frozen=True, slots=True)
class Confusion:
    """
    How often a label of `truth` stands beside one of `guess`.

    Attributes:
        truth, guess: the columns.
        truth_labels: of the rows of the matrix, ascending; None, for missing cells, is last. If
            both columns are of one kind, `guess_labels` are the same.
        guess_labels: of its columns.
        counts: rows x columns.
        other_guesses: of each row of the matrix those with a guess that is no label.
        other_truths: of each column of the matrix those with a truth that is no label.
        other_both: with neither.
        total: rows of the selection.
    """

    truth: str
    guess: str
    truth_labels: tuple[Any, ...]
    guess_labels: tuple[Any, ...]
    counts: tuple[tuple[int, ...], ...]
    other_guesses: tuple[int, ...]
    other_truths: tuple[int, ...]
    other_both: int
    total: int

    def condition(self, row: int, column: int) -> str | None:
        """
        The condition in SQL for the rows of a cell of the matrix.

        None where expressions cannot name a label: texts of 1,000 characters and more, times of
        day.

        Args:
            row, column: places in the labels.
        """
        parts = (
            _equals(self.truth, self.truth_labels[row]),
            _equals(self.guess, self.guess_labels[column]),
        )
        return None if None in parts else " AND ".join(part for part in parts if part)


def confusion(explored: ExploredTable, selection: Selection, truth: str, guess: str) -> Confusion:
    """
    The matrix of two columns of the selected rows.

    At most 100 labels either way: the most frequent ones; the rest are summed up.

    Args:
        truth, guess: columns of numbers, texts, booleans or times; or computed ones.
    Raises:
        InvalidInputError: as methods of `explored`; `expression-type-invalid`: media, nested.
    Cost: one scan of both columns.
    """
    planner = explored.planner()
    infos = planner.chosen(selection, [truth, guess])
    for info in infos:
        if not is_counted(info):
            raise InvalidInputError(
                f"there is no matrix of {info.name!r}: it is {str(info.type)[:200]}",
                code="expression-type-invalid",
                hint="name columns of numbers, texts, booleans or times",
                column=info.name,
            )
    sql = _matrix_sql(infos)
    found = planner.plan(selection, [truth, guess]).run(sql)
    labels = [_labels(found, side, info) for side, info in zip("ab", infos, strict=True)]
    return _told((truth, guess), labels, found)


def _matrix_sql(infos: Sequence[ColumnInfo]) -> str:
    """
    SQL for rows of three sorts: how often labels i and j meet, n times; label i is a; label j is b.

    Where i or j is None in the first sort, it is another label.
    """
    first, second = _values(infos)
    ranked = "SELECT {0} AS v, sum(n) AS n FROM g GROUP BY {0}"
    sums = [ranked.format(side) for side in "ab"]
    if _is_alike(infos):
        sums = [f"SELECT v, sum(n) AS n FROM ({' UNION ALL '.join(sums)}) GROUP BY v"] * 2
    one, two = (
        f"SELECT v, row_number() OVER (ORDER BY n DESC, v NULLS LAST) - 1 AS i FROM ({total}) "
        f"ORDER BY i LIMIT {LABELS_MAX}"
        for total in sums
    )
    return (
        f"SELECT * FROM (WITH g AS MATERIALIZED (SELECT {first} AS a, {second} AS b, "
        "count(*) AS n FROM s WHERE w GROUP BY ALL), "
        f"l AS MATERIALIZED ({one}), r AS MATERIALIZED ({two}) "
        "SELECT l.i AS i, r.i AS j, sum(g.n)::BIGINT AS n, NULL AS a, NULL AS b FROM g "
        "LEFT JOIN l ON l.v IS NOT DISTINCT FROM g.a LEFT JOIN r ON r.v IS NOT DISTINCT FROM g.b "
        "GROUP BY l.i, r.i "
        f"UNION ALL SELECT i, NULL, NULL, {_shown(infos[0])}, NULL FROM l "
        f"UNION ALL SELECT NULL, i, NULL, NULL, {_shown(infos[1])} FROM r)"
    )


def _is_alike(infos: Sequence[ColumnInfo]) -> bool:
    """Whether both columns have the same labels."""
    one, two = infos
    return one.role == two.role and (one.role != "time" or one.type == two.type)


def _values(infos: Sequence[ColumnInfo]) -> tuple[str, str]:
    """SQL for the labels of both columns, of one type if they are alike."""
    if infos[0].role != "number" or infos[0].type == infos[1].type or not _is_alike(infos):
        return _value("c0", infos[0]), _value("c1", infos[1])
    if all(_is_whole(info) for info in infos):
        return "CAST(c0 AS HUGEINT)", "CAST(c1 AS HUGEINT)"
    first, second = (f"CAST(TRY_CAST(c{at} AS DOUBLE) + 0 AS VARCHAR)" for at in (0, 1))
    return first, second


def _value(value: str, info: ColumnInfo) -> str:
    kind = info.type
    if isinstance(kind, Timestamp):
        return f"({value} AT TIME ZONE 'UTC')" if kind.zone else f"CAST({value} AS TIMESTAMP)"
    # As texts: the engine loses NaN in joins. With 0 added, -0.0 is 0.0.
    return f"CAST({value} + 0 AS VARCHAR)" if _is_float(info) else value


def _shown(info: ColumnInfo) -> str:
    return f"left(v, {_TEXT_MAX})" if info.role == "text" else "v"


def _is_whole(info: ColumnInfo) -> bool:
    return not _is_float(info) and not isinstance(info.type, Decimal)


def _is_float(info: ColumnInfo) -> bool:
    return isinstance(info.type, Plain) and info.type.name.startswith("float")


def _labels(found: Any, side: str, info: ColumnInfo) -> list[Any]:
    """The labels in the order of their numbers."""
    numbers, other = (found["i"], found["j"]) if side == "a" else (found["j"], found["i"])
    rows = [
        (number, cell)
        for number, beside, n, cell in zip(
            numbers.to_pylist(),
            other.to_pylist(),
            found["n"].to_pylist(),
            found[side].to_pylist(),
            strict=True,
        )
        if n is None and beside is None and number is not None
    ]
    cells = [cell for _, cell in sorted(rows, key=lambda row: row[0])]
    if info.role != "number" or (isinstance(info.type, Decimal) and info.type.is_wide):
        # To the engine, and so to conditions, numbers of so many digits are texts.
        return cells
    return [_number(cell) for cell in cells]


def _number(cell: Any) -> Any:
    """A number that may come as the text of a float, or as one of many digits."""
    if isinstance(cell, str):
        return float(cell)
    is_whole = isinstance(cell, decimal.Decimal) and cell == cell.to_integral_value()
    return int(cell) if is_whole else cell


def _told(names: tuple[str, str], labels: Sequence[list[Any]], found: Any) -> Confusion:
    orders = [_order(one) for one in labels]
    places = [{number: at for at, number in enumerate(order)} for order in orders]
    rows, columns = len(orders[0]), len(orders[1])
    # The last row and the last column are those of other labels.
    counts = [[0] * (columns + 1) for _ in range(rows + 1)]
    cells = zip(found["i"].to_pylist(), found["j"].to_pylist(), found["n"].to_pylist(), strict=True)
    for i, j, n in cells:
        if n is not None:
            row = rows if i is None else places[0][i]
            counts[row][columns if j is None else places[1][j]] += n
    return Confusion(
        *names,
        truth_labels=tuple(labels[0][at] for at in orders[0]),
        guess_labels=tuple(labels[1][at] for at in orders[1]),
        counts=tuple(tuple(row[:columns]) for row in counts[:rows]),
        other_guesses=tuple(row[columns] for row in counts[:rows]),
        other_truths=tuple(counts[rows][:columns]),
        other_both=counts[rows][columns],
        total=sum(map(sum, counts)),
    )


def _order(labels: Sequence[Any]) -> list[int]:
    """Numbers of labels in ascending order of these; NaN is above numbers, None last."""

    def place(at: int) -> tuple[int, Any]:
        label = labels[at]
        if label is None:
            return 2, 0
        return (1, 0) if _is_nan(label) else (0, label)

    return sorted(range(len(labels)), key=place)


def _is_nan(label: Any) -> bool:
    return isinstance(label, float) and math.isnan(label)


def _equals(name: str, label: Any) -> str | None:
    column = quoted(name)
    if label is None:
        return f"{column} IS NULL"
    if isinstance(label, bool):
        return f"{column} = {str(label).lower()}"
    if isinstance(label, float) and not math.isfinite(label):
        if math.isnan(label):
            return f"isnan({column})"
        beyond = f"{column} < -{_LARGEST}"
        return beyond if label < 0 else f"({column} > {_LARGEST} AND NOT isnan({column}))"
    if isinstance(label, (int, float)):
        return f"{column} = {label!r}"
    if isinstance(label, decimal.Decimal):
        return f"{column} = {label:f}"
    if isinstance(label, str):
        is_whole = len(label) < _TEXT_MAX and "\0" not in label
        return f"{column} = '" + label.replace("'", "''") + "'" if is_whole else None
    if isinstance(label, dt.date):
        return f"{column} = '{label.isoformat()}'"
    return None

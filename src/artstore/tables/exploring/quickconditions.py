"""
Conditions that people often want of compared tables, as text.
"""

from __future__ import annotations

from typing import Final

from artstore.errors import InvalidInputError
from artstore.tables.engine import quoted
from artstore.tables.exploring.answers import Count
from artstore.tables.exploring.compared import ComparedTables
from artstore.tables.exploring.explored import ExploredTable
from artstore.tables.exploring.plans import role_of
from artstore.tables.exploring.selection import Selection
from artstore.tables.types import NULL, ColumnType, Decimal

__all__ = ["QUICK_NAMES", "quick_condition", "side_counts"]

QUICK_NAMES: Final = ("both", "only:I", "changed", "disagree", "regressed", "fixed")
_JUDGED: Final = ("disagree", "regressed", "fixed")
_PLAIN: Final = ("number", "text", "bool", "time")


def quick_condition(
    name: str,
    compared: ComparedTables,
    truth: str | None = None,
    guess: str | None = None,
    judged: tuple[int, int] = (0, 1),
) -> str:
    """
    The condition in SQL, for `Selection.where`, of a quick filter.

    Args:
        name: `both`, rows of all tables; `only:I`, rows that only table I has; `changed`;
            and of the two judged tables: `disagree`, their guesses differ; `regressed`, the one
            was right and the other is wrong; `fixed`, the reverse. Without a truth a
            row is neither right nor wrong.
        truth: a column of each of the two tables, of any one of them, or of the key.
        guess: a column of both tables.
        judged: which two are judged, the earlier one first.
    Raises:
        InvalidInputError: `value-invalid`: no such filter or table, or truth or guess is left out;
            `column-unknown`; `expression-type-invalid`: media, nested columns.
    """
    flags = [quoted(flag) for flag in compared.flag_names]
    if name == "both":
        return " AND ".join(flags)
    if name == "changed":
        return quoted(compared.changed_name)
    kind, _, number = name.partition(":")
    if kind == "only" and number.isdecimal() and number.isascii() and int(number) < len(flags):
        side = int(number)
        return " AND ".join(flag if at == side else f"NOT {flag}" for at, flag in enumerate(flags))
    if name not in _JUDGED:
        raise InvalidInputError(
            f"there is no quick filter {name!r:.80} of {len(flags)} tables",
            code="value-invalid",
            hint=f"there are {', '.join(QUICK_NAMES)}",
        )
    if guess is None or (truth is None and name != "disagree"):
        raise InvalidInputError(
            f"the filter {name!r} needs a column of guesses"
            + ("" if name == "disagree" else " and one of truths"),
            code="value-invalid",
        )
    if judged[0] == judged[1] or not 0 <= min(judged) <= max(judged) < len(flags):
        raise InvalidInputError(
            f"tables {judged[0]} and {judged[1]} cannot be judged: two of {len(flags)} tables are",
            code="value-invalid",
        )
    both = " AND ".join(flags[at] for at in judged)
    guesses = [_Named(compared, at, guess) for at in judged]
    for at, found in zip(judged, guesses, strict=True):
        if found.side != at:
            raise _unknown(guess, at)
    if name == "disagree":
        one, two = _alike(*guesses)
        return f"{both} AND {one} IS DISTINCT FROM {two}"
    assert truth is not None, "checked above"
    before, now = (0, 1) if name == "regressed" else (1, 0)
    right = _alike(guesses[before], _Named(compared, judged[before], truth))
    wrong = _alike(guesses[now], _Named(compared, judged[now], truth))
    return (
        f"{both} AND {right[0]} = {right[1]} "
        f"AND {wrong[1]} IS NOT NULL AND {wrong[0]} IS DISTINCT FROM {wrong[1]}"
    )


def side_counts(explored: ExploredTable, selection: Selection) -> list[Count]:
    """
    "N of M rows" of each of compared tables: rows of a selection that it has, and all its rows.

    Args:
        explored: of compared tables.
    Raises:
        InvalidInputError: as methods of `explored`; `value-invalid`: it is of something else.
    """
    compared = explored.reader
    if not isinstance(compared, ComparedTables):
        raise InvalidInputError(
            f"sides are counted of compared tables, not of {compared!r:.200}", code="value-invalid"
        )
    totals = [reader.row_count for reader in compared.readers]
    if not selection.where:
        return [Count(total, total) for total in totals]
    counts = ", ".join(f"count(*) FILTER (WHERE c{at}) AS n{at}" for at in range(len(totals)))
    plan = explored.planner().plan(selection, compared.flag_names)
    row = plan.run(f"SELECT {counts} FROM s WHERE w").to_pylist()[0]
    return [Count(row[f"n{at}"], total) for at, total in enumerate(totals)]


class _Named:
    """
    A column as a condition names it for a table: its own, or else that of another one.

    Attributes:
        side: the table that has it.
    """

    def __init__(self, compared: ComparedTables, side: int, base: str) -> None:
        others = [side, *(at for at in range(len(compared.readers)) if at != side)]
        found = next((at for at in others if compared.column(at, base) is not None), None)
        if found is None:
            raise _unknown(base, side)
        self.side = found
        # In quotes it is the number of a table, whatever columns are called.
        self.text = f'"{found}".{quoted(base)}'
        column = compared.column(found, base)
        assert column is not None, "found above"
        self.kind = _kind_of(column.type)
        if self.kind not in _PLAIN:
            raise InvalidInputError(
                f"cells of {base!r} cannot be judged: it is {str(column.type)[:200]}",
                code="expression-type-invalid",
                hint="name a column of numbers, texts, booleans or times",
                column=base,
            )


def _kind_of(kind: ColumnType) -> str:
    if isinstance(kind, Decimal) and kind.is_wide:
        return "text"
    # To the engine a column of nothing has numbers.
    return "number" if kind == NULL else role_of(kind)


def _alike(one: _Named, two: _Named) -> tuple[str, str]:
    """Two values that can be compared: as texts, if they are not of one kind."""
    if one.kind == two.kind:
        return one.text, two.text
    return f"CAST({one.text} AS VARCHAR)", f"CAST({two.text} AS VARCHAR)"


def _unknown(name: str, side: int) -> InvalidInputError:
    return InvalidInputError(
        f"table {side} has no column {name!r}", code="column-unknown", column=name
    )

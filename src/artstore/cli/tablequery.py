"""`art table query` and `art table join`: rows that are chosen, grouped, computed and joined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.options import complete_name
from artstore.cli.output import count
from artstore.cli.session import Session
from artstore.cli.tablenames import (
    TABLE_METAVAR,
    check_known,
    find_table,
    named_columns,
    pointed_out,
    save_table,
    saved_name,
)
from artstore.cli.tableprinting import RowOutput, RowSheet, output_options, row_output

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.tables.joined import JoinCounts
    from artstore.tables.query import Query
    from artstore.tables.reading import RowReader

__all__ = ["join_command", "query_command"]

_NAMED: Final = re.compile(r"\s*([^=()]+?)\s*=(?!=)\s*(.+)", re.DOTALL)
_SORT: Final = re.compile(r"(.+?)(?:\s+(asc|desc))?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Wish:
    """
    What is to become of rows, in the order in which it is done.

    Attributes:
        order: columns by which rows are sorted if nobody says, and where others are equal.
        hidden: columns that are only there for the order.
    """

    computed: Sequence[str] = ()
    where: Sequence[str] = ()
    group_by: Sequence[str] = ()
    aggregates: Sequence[str] = ()
    sort: Sequence[str] = ()
    columns: Sequence[str] = ()
    is_pivot: bool = False
    order: Sequence[str] = ()
    hidden: Sequence[str] = ()

    @property
    def is_plain(self) -> bool:
        """Whether rows come as they are."""
        return not (self.computed or self.where or self.group_by or self.aggregates or self.sort)

    @property
    def is_grouped(self) -> bool:
        return bool(self.group_by or self.aggregates)


def _choosing(command: Any) -> Any:
    """The options that `query` and `join` share."""
    for option in (
        click.option(
            "--save-as",
            metavar="NAME/TABLE",
            help="Log all rows of the result as a table, on top of what NAME holds.",
        ),
        click.option(
            "--limit",
            metavar="N",
            type=click.IntRange(min=0),
            help="How many rows; if left out all, or 20 where people read them.",
        ),
        click.option(
            "--columns", metavar="A,B", multiple=True, help="Which columns of the result (many)."
        ),
        click.option(
            "--sort",
            metavar="COLUMN [asc|desc]",
            multiple=True,
            help="In which order: 'score desc' (many, the first counts most).",
        ),
        click.option(
            "--where",
            metavar="CONDITION",
            multiple=True,
            help="Only rows of which this is true: SQL or Mongo (many, all must be).",
        ),
    ):
        command = option(command)
    return command


@click.command(
    "query",
    cls=Command,
    examples=(
        "art table query digits-pred/pred --where 'guess != label' --sort 'score desc' --limit 5",
        "art table query digits-pred/pred --group-by label --agg 'n=count()' --agg 'm=mean(score)'",
        "art table query digits-pred/pred --group-by label,guess --pivot",
        "art table query --sql \"select label, count(*) n from 'digits/examples' group by label\"",
    ),
)
@click.argument("name", metavar=f"[{TABLE_METAVAR}]", required=False, shell_complete=complete_name)
@click.option("--sql", metavar="SELECT", help="A SELECT over tables in quotes, instead of NAME.")
@click.option(
    "--computed", metavar="NAME=VALUE", multiple=True, help="One more column: 'd=a - b' (many)."
)
@click.option("--group-by", metavar="A,B", multiple=True, help="One row for each group (many).")
@click.option(
    "--agg",
    "aggregates",
    metavar="NAME=AGGREGATE",
    multiple=True,
    help="What a group comes to: 'n=count()', 'm=mean(score)' (many).",
)
@click.option(
    "--pivot", "is_pivot", is_flag=True, help="Of two group columns the second one across."
)
@_choosing
@output_options
@shared_options
@click.pass_obj
def query_command(
    session: Session,
    *,
    name: str | None,
    sql: str | None,
    computed: tuple[str, ...],
    where: tuple[str, ...],
    group_by: tuple[str, ...],
    aggregates: tuple[str, ...],
    is_pivot: bool,
    sort: tuple[str, ...],
    columns: tuple[str, ...],
    limit: int | None,
    save_as: str | None,
    format_name: str | None,
    file: Path | None,
) -> None:
    """
    Choose, compute, group and sort rows of a table; or run a SELECT over several.

    Columns are computed first, then --where chooses rows, then they are grouped and sorted.
    Rows come in the order of the table, groups in that of their columns. Conditions and
    values are SQL ('guess != label') or Mongo ('{$gt: [$score, 0.5]}').
    """
    if (name is None) == (sql is None):
        raise click.UsageError("give a table, or --sql, one of them", click.get_current_context())
    target = row_output(session, format_name, file)
    if save_as is not None:
        saved_name(save_as)
    store = session.open_store()
    wish = _Wish(computed, where, group_by, aggregates, sort, columns, is_pivot)
    if name is None:
        assert sql is not None
        _answer(session, target, _Asked(store, wish, limit, save_as), store.sql(sql))
        return
    reader = find_table(session, store, name)
    asked = _Asked(store, wish, limit, save_as, (name,))
    if wish.is_plain:
        _show_plain(session, target, asked, reader)
    else:
        _answer(session, target, asked, reader)


@click.command(
    "join",
    cls=Command,
    examples=(
        "art table join digits-pred:v3/pred digits:v1/examples --on id --where 'guess != label'",
        "art table join a/rows b/rows --on id --on day=date --how outer --save-as both/rows",
    ),
)
@click.argument("left", metavar=TABLE_METAVAR, shell_complete=complete_name)
@click.argument("right", metavar=TABLE_METAVAR, shell_complete=complete_name)
@click.option(
    "--on", metavar="COLUMN", multiple=True, required=True, help="What is equal: id, or a=b (many)."
)
@click.option(
    "--how",
    type=click.Choice(("inner", "left", "outer", "anti")),
    default="inner",
    help="Which rows without a partner stay; anti: only those of the left table.",
)
@_choosing
@output_options
@shared_options
@click.pass_obj
def join_command(
    session: Session,
    *,
    left: str,
    right: str,
    on: tuple[str, ...],
    how: str,
    where: tuple[str, ...],
    sort: tuple[str, ...],
    columns: tuple[str, ...],
    limit: int | None,
    save_as: str | None,
    format_name: str | None,
    file: Path | None,
) -> None:
    """
    Join two tables by columns that are equal, and say how many rows found no partner.

    A column that both have is called NAME_right where it is of the right table. --save-as keeps
    the join itself, which copies no row; with --where, --sort or --columns it keeps the rows.
    """
    from artstore.tables.joined import JoinedTable

    target = row_output(session, format_name, file)
    if save_as is not None:
        saved_name(save_as)
    store = session.open_store()
    tables = [find_table(session, store, text) for text in (left, right)]
    pairs = [_pair(text, tables[0].columns) for text in on]
    joined = JoinedTable(tables[0], tables[1], pairs, how=how)  # type: ignore[arg-type]  # it checks
    counts = joined.counts
    _tell_counts(session, counts)
    wish = _Wish(where=where, sort=sort, columns=columns, order=[a for a, _ in joined.on])
    asked = _Asked(store, wish, limit, save_as, (left, right), counts)
    if wish.is_plain:
        _show_plain(session, target, asked, joined)
    else:
        _answer(session, target, asked, joined)


def _pair(text: str, known: Sequence[str]) -> tuple[str, str]:
    if text in known or "=" not in text:
        return text, text
    one, _, other = text.partition("=")
    return one.strip(), other.strip()


def _tell_counts(session: Session, counts: JoinCounts) -> None:
    for side in ("left", "right"):
        matched = getattr(counts, f"{side}_matched")
        missing = getattr(counts, f"{side}_missing")
        session.output.note(
            f"{side}: {matched:,} of {count(matched + missing, 'row')} with a partner, "
            f"{missing:,} without"
        )


# answers ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for beside the rows."""

    store: Store
    wish: _Wish
    limit: int | None
    save_as: str | None
    sources: Sequence[str] = ()
    counts: JoinCounts | None = None

    def limit_for(self, target: RowOutput) -> int | None:
        """How many rows are shown."""
        return target.default_limit if self.limit is None else self.limit

    def facts(self, saved: str | None) -> dict[str, Any]:
        """What JSON tells of them."""
        counts = None if self.counts is None else asdict(self.counts)
        return {"sources": list(self.sources), "counts": counts, "saved_as": saved}


def _show_plain(session: Session, target: RowOutput, asked: _Asked, reader: RowReader) -> None:
    """Rows as they lie."""
    columns = reader.columns
    if asked.wish.columns:
        columns = named_columns(asked.wish.columns, columns)
    saved = None
    if asked.save_as is not None:
        saved = _save(
            session, asked, reader.query().select(*columns) if asked.wish.columns else reader
        )
    total = reader.row_count
    limit = asked.limit_for(target)
    shown = total if limit is None else min(limit, total)
    target.write(session, RowSheet(reader, columns, shown, total, asked.facts(saved)))


def _answer(session: Session, target: RowOutput, asked: _Asked, base: RowReader | Query) -> None:
    """The rows of a query."""
    from artstore.tables.engine import told_errors
    from artstore.tables.table import Table

    expression, order = _base(base, asked.wish)
    with pointed_out():
        made = _made(expression, asked.wish, order)
    saved = None
    if asked.save_as is not None:
        saved = _save(session, asked, made)
    limit = asked.limit_for(target)
    # One more than is shown tells whether there are more.
    found = Table.from_query(made if limit is None else made.limit(limit + 1))
    total = shown = found.row_count
    if limit is not None and shown > limit:
        with told_errors():
            shown, total = limit, int(made.count().to_pyarrow().as_py())
    target.write(session, RowSheet(found, found.columns, shown, total, asked.facts(saved)))


def _save(session: Session, asked: _Asked, result: RowReader | Query) -> str:
    from artstore.tables.reading import RowReader
    from artstore.tables.table import Table

    assert asked.save_as is not None
    table = result if isinstance(result, RowReader) else Table.from_query(result)
    saved = save_table(asked.store, asked.save_as, table)
    session.output.note(f"saved as {saved}")
    return saved


def _base(base: RowReader | Query, wish: _Wish) -> tuple[Query, tuple[str, ...]]:
    """An expression, and the columns that put its rows in order."""
    from artstore.tables.engine import ROW, engine
    from artstore.tables.reading import RowReader
    from artstore.tables.table import Table

    if isinstance(base, Table):
        return engine().table(base, with_rows=True), (ROW,)
    if isinstance(base, RowReader):
        expression = base.query()
        return expression, tuple(name for name in wish.order if name in expression.columns)
    return base, ()


def _made(expression: Query, wish: _Wish, order: tuple[str, ...]) -> Query:
    from artstore.tables.expressions import Scope, parse_value
    from artstore.tables.query import filtered

    hidden = set(order) - set(wish.order)
    for text in wish.computed:
        name, value = _named(text, "--computed", "d=a - b")
        expression = expression.mutate(**{name: parse_value(value, Scope.of(expression))})
    for condition in wish.where:
        expression = filtered(expression, condition)
    if wish.is_grouped:
        expression = _grouped(expression, wish, hidden)
        hidden, order = set(), ()
    known = [name for name in expression.columns if name not in hidden]
    sort = [_sort_key(text, known) for text in wish.sort]
    if wish.is_grouped and sort:
        order = tuple(name for name in named_columns(wish.group_by, known) if name in known)
    keys = [expression[n].desc() if is_down else expression[n].asc() for n, is_down in sort]
    ties = [expression[name].asc() for name in order if name not in {n for n, _ in sort}]
    if keys or ties:
        expression = expression.order_by([*keys, *ties])
    return expression.select(*(named_columns(wish.columns, known) if wish.columns else known))


def _grouped(expression: Query, wish: _Wish, hidden: set[str]) -> Query:
    from artstore.tables.query import grouped, pivoted

    known = [name for name in expression.columns if name not in hidden]
    by = named_columns(wish.group_by, known)
    named = [_aggregate(text) for text in wish.aggregates] or [("count", "count()")]
    if not wish.is_pivot:
        return grouped(expression, by, dict(named))
    if len(by) != 2 or len(named) != 1:
        raise click.UsageError(
            "--pivot takes two columns of --group-by and one --agg", click.get_current_context()
        )
    return pivoted(expression, by[0], by[1], named[0][1])


def _aggregate(text: str) -> tuple[str, str]:
    """`m=mean(score)`; without a name it is called as it is written."""
    found = _NAMED.fullmatch(text)
    return (found[1], found[2]) if found else (text.strip(), text)


def _named(text: str, option: str, example: str) -> tuple[str, str]:
    found = _NAMED.fullmatch(text)
    if found is None:
        raise click.UsageError(
            f"{option} takes NAME=VALUE, such as '{example}', not {text!r}",
            click.get_current_context(),
        )
    return found[1], found[2]


def _sort_key(text: str, known: Sequence[str]) -> tuple[str, bool]:
    """The column and whether the largest come first."""
    if text in known:
        return text, False
    found = _SORT.fullmatch(text.strip())
    name = found[1] if found else text
    check_known([name], known)
    return name, bool(found and (found[2] or "").lower() == "desc")

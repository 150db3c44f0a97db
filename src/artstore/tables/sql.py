"""
SELECT statements over tables of a store, named by `'[project/]name:version/table'`.

A statement is parsed, and only what reads tables that it names is run: no files, no
settings, no statement of another kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import sqlglot
from sqlglot import exp

from artstore.errors import InvalidInputError, LimitExceededError
from artstore.tables.engine import engine

if TYPE_CHECKING:
    from artstore.tables.query import Query
    from artstore.tables.reading import RowReader

__all__ = ["FindTable", "run_sql"]

FindTable = Callable[[str], "RowReader"]
"""Gives the table of a name like `digits:latest/examples`."""

_TEXT_MAX: Final = 100_000
_FUNCTIONS: Final = frozenset(
    [
        "apply",
        "approx_count_distinct",
        "approx_quantile",
        "arg_max",
        "arg_min",
        "array_agg",
        "bar",
        "bit_count",
        "contains",
        "count_if",
        "damerau_levenshtein",
        "date_part",
        "date_trunc",
        "editdist3",
        "ends_with",
        "entropy",
        "filter",
        "flatten",
        "format",
        "greatest",
        "hamming",
        "histogram",
        "instr",
        "isfinite",
        "isinf",
        "isnan",
        "jaccard",
        "jaro_similarity",
        "kurtosis",
        "last",
        "least",
        "len",
        "levenshtein",
        "list",
        "list_aggregate",
        "list_apply",
        "list_any_value",
        "list_append",
        "list_avg",
        "list_concat",
        "list_contains",
        "list_count",
        "list_cosine_distance",
        "list_cosine_similarity",
        "list_distance",
        "list_distinct",
        "list_extract",
        "list_filter",
        "list_first",
        "list_has",
        "list_has_all",
        "list_has_any",
        "list_indexof",
        "list_inner_product",
        "list_last",
        "list_max",
        "list_mean",
        "list_median",
        "list_min",
        "list_position",
        "list_product",
        "list_reduce",
        "list_reverse",
        "list_reverse_sort",
        "list_slice",
        "list_sort",
        "list_std",
        "list_sum",
        "list_transform",
        "list_unique",
        "list_value",
        "list_var",
        "mad",
        "md5",
        "mode",
        "ord",
        "prefix",
        "printf",
        "product",
        "quantile",
        "quantile_cont",
        "quantile_disc",
        "regexp_extract",
        "regexp_full_match",
        "regexp_matches",
        "regexp_replace",
        "reservoir_quantile",
        "sem",
        "sha256",
        "skewness",
        "starts_with",
        "strlen",
        "struct_extract",
        "struct_pack",
        "suffix",
        "to_base",
        "translate",
        "typeof",
    ]
)
"""Functions that sqlglot has no class for and that only compute."""

_REFUSED: Final = tuple(
    kind
    for name in (
        "ReadCSV",
        "ReadParquet",
        "CurrentUser",
        "CurrentSchema",
        "CurrentDatabase",
        "Rand",
    )
    if (kind := getattr(exp, name, None)) is not None
)


def run_sql(text: str, find: FindTable) -> Query:
    """
    A SELECT as an Ibis expression, which runs when its rows are asked for.

    Args:
        text: DuckDB's SQL. In FROM and JOIN stand tables by name, in single or double
            quotes, queries in brackets, WITH, VALUES and `unnest`.
        find: looks tables up.
    Raises:
        InvalidInputError: `sql-invalid`: no SELECT, several statements, files, settings
            or functions that are not known to only compute.
        NotFoundError: from `find`.
        LimitExceededError: `limit-exceeded`.
    """
    if len(text) > _TEXT_MAX:
        raise LimitExceededError(
            f"the statement has {len(text)} characters, more than {_TEXT_MAX}",
            code="limit-exceeded",
        )
    statement = _parsed(text)
    _check_functions(statement)
    known = {cte.alias for cte in statement.find_all(exp.CTE)}
    found = engine()
    views = []
    for table in list(statement.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier) or table.args.get("db") is not None:
            raise _refused(f"{table.sql('duckdb')[:80]} is no table of a store")
        name = table.name
        if name in known and not table.this.quoted:
            continue
        views.append(found.view_of(find(name)))
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(_short(name), quoted=True)))
        table.set("this", exp.to_identifier(views[-1]))
    try:
        return found.select(statement.sql("duckdb"), views)
    except Exception as error:
        # The binder's words name columns and types of the statement.
        raise _refused(str(error).split("\n", 1)[0]) from error


def _parsed(text: str) -> exp.Expression:
    try:
        statements = sqlglot.parse(text, dialect="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        raise _refused(str(error).split("\n", 1)[0] or "too deep") from error
    if len(statements) != 1 or statements[0] is None:
        raise _refused(f"{len(statements)} statements, not one")
    statement = statements[0]
    if not isinstance(statement, (exp.Select, exp.SetOperation)):
        raise _refused(f"{type(statement).__name__.upper()} is no SELECT")
    if statement.find(exp.Into, exp.Placeholder, exp.Parameter, exp.Command):
        raise _refused("only SELECT is run, without INTO and parameters")
    return statement


def _check_functions(statement: exp.Expression) -> None:
    for function in statement.find_all(exp.Func):
        is_unknown = isinstance(function, exp.Anonymous)
        if isinstance(function, _REFUSED) or (
            is_unknown and function.name.lower() not in _FUNCTIONS
        ):
            name = function.name if is_unknown else function.sql_name()
            raise _refused(f"the function {name.lower()} is not run")


def _short(name: str) -> str:
    return name.rpartition("/")[2] or name


def _refused(why: str) -> InvalidInputError:
    return InvalidInputError(
        f"the statement is refused: {why}",
        code="sql-invalid",
        hint="write select ... from 'name:version/table'",
    )

"""A page in one file decides random conditions on random rows as the engine does."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from random import Random
from typing import Any

import pyarrow as pa

import artstore as art
from artstore.tables.exploring import ExploredTable, Selection
from artstore.web.cells.celljson import NO_LINKS
from artstore.web.onefile import own_source
from artstore.web.tables.tablejson import column_json, columns_cells

ROWS = 120
CONDITIONS = 500
NUMBERS = (
    *("i", "j", "f", "g", "h", "1", "0", "-2", "0.1", "0.5", "3", "i+j", "i*2", "i/j", "i%3", "-f"),
    *("abs(i)", "round(f)", "floor(g)", "length(s)", "len(l)", "coalesce(i,j)", "day(d)"),
    "hour(ts)",
)
TEXTS = ("s", "'a'", "''", "'\uffeex'", "'it''s'", "lower(s)", "upper(s)", "s || 'x'", "trim(s)")
TIMES = ("d", "ts", "tz", "'2024-01-02'", "'2024-01-02 05:00'", "DATE '2024-01-03'")
SIGNS = ("=", "!=", "<", ">", "<=", ">=", "==", "<>", "is distinct from", "is not distinct from")
PATTERNS = ("a%", "%b", "_", "%", "_b", "a_b", "1%", "A%", "%é", "", ".%")
OTHERS = (
    *("b", "isnan(f)", "starts_with(s, 'a')", "ends_with(s, 'b')", "contains(s, '_')"),
    *("list_contains(l, 1)", "2 in l", "i in l", "b is true", "b is not false"),
    *("i is null", "s is not null", "l is null"),
)


def table(random: Random) -> Any:
    def some(make: Callable[[], Any], kind: Any) -> Any:
        return pa.array([None if random.random() < 0.15 else make() for _ in range(ROWS)], kind)

    def moment() -> dt.datetime:
        day, hour = random.randint(1, 3), random.randint(0, 23)
        return dt.datetime(2024, 1, day, hour, 0, 0, random.choice([0, 500_000]))

    texts = ["", "a", "A", "aé", "\U0001f600b", "\uffeex", "a_b", "100%", "it's"]
    floats = [0.5, -1.25, math.nan, math.inf, -math.inf, 0.1, 3.0]
    return pa.table(
        {
            "i": some(lambda: random.randint(-5, 5), pa.int64()),
            "j": some(lambda: random.randint(0, 3), pa.uint8()),
            "f": some(lambda: random.choice(floats), pa.float64()),
            "g": some(lambda: random.choice([0.1, 0.3, 2.0]), pa.float32()),
            "h": some(lambda: random.choice([0.1, 0.3, 2.0]), pa.float16()),
            "s": some(lambda: random.choice(texts), pa.string()),
            "b": some(lambda: random.random() < 0.5, pa.bool_()),
            "d": some(lambda: dt.date(2024, 1, random.randint(1, 5)), pa.date32()),
            "ts": some(moment, pa.timestamp("us")),
            "tz": some(moment, pa.timestamp("us", "UTC")),
            "l": some(
                lambda: [random.randint(0, 3) for _ in range(random.randint(0, 3))],
                pa.list_(pa.int64()),
            ),
        }
    )


def condition(random: Random, depth: int = 0) -> str:
    one = random.choice
    negated = one(["", "not "])
    plain: list[Callable[[], str]] = [
        lambda: f"{one(NUMBERS)} {one(SIGNS)} {one(NUMBERS)}",
        lambda: f"{one(TEXTS)} {one(SIGNS)} {one(TEXTS)}",
        lambda: f"{one(TIMES[:3])} {one(SIGNS)} {one(TIMES)}",
        lambda: f"{one(NUMBERS[:5])} {negated}in ({one(NUMBERS)}, {one(NUMBERS)}, {one(NUMBERS)})",
        lambda: f"{one(NUMBERS[:5])} {negated}between {one(NUMBERS)} and {one(NUMBERS)}",
        lambda: f"s {negated}{one(['like', 'ilike'])} '{one(PATTERNS)}'",
        lambda: one(OTHERS),
    ]
    if depth < 2 and random.random() < 0.3:
        inner = condition(random, depth + 1)
        if random.random() < 0.3:
            return f"not ({inner})"
        return f"({inner}) {one(['and', 'or'])} ({condition(random, depth + 1)})"
    return one(plain)()


def test_random_conditions_choose_the_same_rows(browser: Any) -> None:
    random = Random(20)
    explored = ExploredTable(art.Table.from_arrow(table(random)))
    conditions = [condition(random) for _ in range(CONDITIONS)]
    wanted = [explored.window(Selection(where=(text,)), 0, ROWS, ()).numbers for text in conditions]
    window = explored.window(Selection(), 0, ROWS)
    cells = columns_cells(window.columns, window.cells, window.lengths, lambda _: NO_LINKS)
    page = browser.new_page()
    page.route("http://own.test/**", serve_own)
    page.goto("http://own.test/")
    columns = [column_json(column) for column in window.columns]
    found = page.evaluate(
        """async ([columns, cells, count, conditions]) => {
            const { parseCondition, valuesOf } = await import("/offline/expression.js");
            const { kindOf } = await import("/offline/values.js");
            const known = new Map(columns.map((column, at) =>
                [column.name, valuesOf(cells[at], kindOf(column), column.type)]));
            const rows = [...Array(count).keys()];
            return conditions.map((text) => rows.filter(parseCondition(text, known)));
        }""",
        [columns, cells, ROWS, conditions],
    )
    page.close()
    for text, one, other in zip(conditions, wanted, found, strict=True):
        assert one == other, text


def serve_own(route: Any) -> None:
    """Give one of our modules from disk: nothing is asked of a network."""
    name = route.request.url.removeprefix("http://own.test/")
    if name.endswith(".js"):
        route.fulfill(body=own_source(name), content_type="text/javascript")
    else:
        route.fulfill(body="", content_type="text/html")

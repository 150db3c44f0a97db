"""Conditions over runs: the same answers as of tables, names, orders, and what is refused."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from artstore import clock
from artstore.catalog.runs.index import RunIndex
from artstore.catalog.runs.runlog import RunLog
from artstore.errors import ArtstoreError, InvalidInputError
from artstore.runs.conditions import ANY, RunOperand, compiled_condition
from artstore.runs.nonfinite import encoded
from artstore.runs.operations import kind_of
from artstore.runs.selecting import selected_ids, selected_runs
from artstore.storage.memory import MemoryStorage
from artstore.tables.expressions import Scope, mongo, parse_condition
from artstore.tables.expressions.relaxed import rendered
from artstore.tables.expressions.tree import Path as Name
from tests.unit.catalog.test_run_logs import FixedClock, end, start, write
from tests.unit.tables.expressions.evaluating import connection
from tests.unit.tables.expressions.test_random_trees import ROWS, TYPES, conditions, operations

NOW = 1_893_000_000.0
SOURCE = Path(__file__).resolve().parents[3] / "src"


def resolve(path: Name) -> RunOperand:
    kinds = {"i": "number", "j": "number", "x": "number", "s": "text", "t": "text", "b": "boolean"}
    name = path.parts[0]
    return RunOperand(lambda row: row[name], kinds.get(name, ANY), path.position)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def scope() -> Scope:
    return Scope.of(ibis.memtable(pa.Table.from_pylist(ROWS, TYPES)))


def kept_by_tables(condition: Any, scope: Scope) -> list[bool]:
    result = connection().to_pyarrow(parse_condition(condition, scope))
    found = result.to_pylist() if hasattr(result, "to_pylist") else [result.as_py()] * len(ROWS)
    return [value is True for value in found]


@given(tree=operations(conditions(3)))
def test_mongo_keeps_the_runs_that_tables_keep(scope: Scope, tree: dict[str, Any]) -> None:
    try:
        wanted = kept_by_tables(tree, scope)
    except Exception:
        assume(False)
        raise
    keeps = compiled_condition(mongo.read(rendered(tree)), resolve)
    assert [keeps(row) for row in ROWS] == wanted  # type: ignore[arg-type]


LEAVES = {
    "number": ["i", "j", "x", "3", "-2", "0", "0.5", "NULL"],
    "text": ["s", "t", "'abc'", "'B'", "''", "NULL"],
    "boolean": ["b", "TRUE", "NULL"],
}


def numbers(depth: int) -> st.SearchStrategy[str]:
    leaf = st.sampled_from(LEAVES["number"])
    if not depth:
        return leaf
    inner = numbers(depth - 1)
    return st.one_of(
        leaf,
        st.tuples(inner, st.sampled_from("+-*/%"), inner).map(lambda d: f"({d[0]} {d[1]} {d[2]})"),
        st.tuples(
            st.sampled_from(["abs", "floor", "ceil", "trunc", "round", "sqrt", "exp"]), inner
        ).map(lambda d: f"{d[0]}({d[1]})"),
        st.tuples(inner, inner).map(lambda d: f"coalesce({d[0]}, {d[1]})"),
        st.tuples(inner, inner).map(lambda d: f"greatest({d[0]}, {d[1]})"),
        texts(0).map(lambda text: f"length({text})"),
    )


def texts(depth: int) -> st.SearchStrategy[str]:
    leaf = st.sampled_from(LEAVES["text"])
    if not depth:
        return leaf
    inner = texts(depth - 1)
    return st.one_of(
        leaf,
        st.tuples(st.sampled_from(["lower", "upper", "trim"]), inner).map(
            lambda drawn: f"{drawn[0]}({drawn[1]})"
        ),
        inner.map(lambda text: f"substr({text}, 2, 1)"),
    )


def sql_conditions(depth: int) -> st.SearchStrategy[str]:
    leaf = st.sampled_from(LEAVES["boolean"])
    if not depth:
        return leaf
    inner, number, text = sql_conditions(depth - 1), numbers(depth - 1), texts(depth - 1)
    sign = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "IS DISTINCT FROM"])
    pattern = st.sampled_from(["'a%'", "'_b_'", "'%'", "''", "'%B'", "'a%b%c'"])
    return st.one_of(
        st.tuples(number, sign, number).map(" ".join),
        st.tuples(text, sign, text).map(" ".join),
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda d: f"({' '.join(d)})"),
        inner.map(lambda one: f"NOT ({one})"),
        inner.map(lambda one: f"({one}) IS NULL"),
        number.map(lambda one: f"{one} IS NOT NULL"),
        st.tuples(number, number, number).map(lambda d: f"{d[0]} BETWEEN {d[1]} AND {d[2]}"),
        st.tuples(number, number, number).map(lambda d: f"{d[0]} NOT IN ({d[1]}, {d[2]})"),
        st.tuples(text, st.sampled_from(["LIKE", "NOT LIKE", "ILIKE"]), pattern).map(" ".join),
        st.tuples(inner, number, number).map(
            lambda d: f"CASE WHEN {d[0]} THEN {d[1]} ELSE {d[2]} END > 1"
        ),
    )


@given(text=sql_conditions(3))
def test_sql_keeps_the_runs_that_tables_keep(scope: Scope, text: str) -> None:
    from artstore.tables.expressions import sql

    try:
        wanted = kept_by_tables(text, scope)
    except Exception:
        assume(False)
        raise
    keeps = compiled_condition(sql.read(text), resolve)
    assert [keeps(row) for row in ROWS] == wanted  # type: ignore[arg-type]


# names, over an index ---------------------------------------------------------------------

RUNS: dict[str, dict[str, Any]] = {
    "one": {
        "name": "first",
        "tags": ["cnn", "x"],
        "config": {"lr": 0.1, "optim": {"name": "adam"}, "seed": 1, "both": 1},
        "summary": {"acc": 0.5, "val/acc": 0.4, "val.loss": 2, "both": 1},
    },
    "two": {
        "name": "second",
        "group": "g",
        "job_type": "train",
        "config": {"lr": "auto", "seed": None, "value": 3},
        "summary": {"acc": math.nan},
    },
    "three": {"tags": ["cnn"], "config": {"lr": 1}, "summary": {"acc": 0.75, "val/acc": 0.9}},
    "four": {"notes": "nothing logged"},
}


@pytest.fixture(params=["file", "python"])
def index(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RunIndex:
    if request.param == "python":
        monkeypatch.setattr("artstore.catalog.runs.index._JSON_SINCE", (99,))
    storage = MemoryStorage()
    found = RunIndex(storage, "s" * 32, RunIndex.file_in(tmp_path), "me@here")
    with clock.use(FixedClock(NOW)):
        for run_id, changes in RUNS.items():
            log = RunLog(storage, "demo", run_id, "me@here")
            stored = {name: encoded(value) for name, value in changes.items()}
            write(log, start(**stored))
            if run_id != "four":
                write(log, end())
        found.refresh("demo")
    return found


def kept(index: RunIndex, where: Any, **options: Any) -> list[str]:
    with clock.use(FixedClock(NOW)):
        return selected_ids(index, "demo", where=where, **options)


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("config.lr = 0.1", {"one"}),
        ("config.lr = 'auto'", {"two"}),
        ("config.lr > 0", {"one", "three"}),
        ("config.lr != 1", {"one", "two"}),
        ("config.lr IS NULL", {"four"}),
        ("config.optim.name = 'adam'", {"one"}),
        ("config.seed.x = 1", set()),
        ("config.value = 3", {"two"}),
        ('summary."val/acc" > 0.5', {"three"}),
        ("summary.val.loss = 2", {"one"}),
        ('summary."val.loss" = 2', {"one"}),
        ("isnan(summary.acc)", {"two"}),
        ("summary.acc > 0.6", {"two", "three"}),
        ("acc >= 0.5 AND NOT isnan(acc)", {"one", "three"}),
        ("name LIKE '%st'", {"one"}),
        ("id = 'two' OR run = 'one'", {"one", "two"}),
        ("'cnn' IN tags", {"one", "three"}),
        ("list_contains(tags, 'x')", {"one"}),
        ("len(tags) = 0", {"two", "four"}),
        ("group = 'g' AND job_type = 'train'", {"two"}),
        ("notes IS NOT NULL", {"four"}),
        ("regexp_matches(name, '^(fir|sec)')", {"one", "two"}),
        ("config.lr AND TRUE", set()),
        ("upper(config.lr) = 'AUTO'", {"two"}),
        ({"config.lr.value": 0.1}, {"one"}),
        ({"summary_metrics.acc": {"$gt": 0.7, "$lt": 1}}, {"three"}),
        ({"tags": {"$in": ["x", "y"]}}, {"one"}),
        ({"tags": "cnn"}, {"one", "three"}),
        ({"tags": {"$nin": ["cnn"]}}, {"two", "four"}),
        ({"display_name": {"$regex": "^f"}}, {"one"}),
        ({"jobType": "train"}, {"two"}),
        ({"$or": [{"config.lr": 1}, {"group": "g"}]}, {"two", "three"}),
        ({"config.seed": {"$exists": True}}, {"one"}),
        ({"config.lr": {"$ne": 1}}, {"one", "two", "four"}),
        ({}, {"one", "two", "three", "four"}),
        (["config.lr = 1", {"tags": "cnn"}], {"three"}),
    ],
)
def test_names_stand_for_facts_and_keys(index: RunIndex, where: Any, wanted: set[str]) -> None:
    assert set(kept(index, where)) == wanted


def test_times_and_states_are_facts(index: RunIndex) -> None:
    facts = {whole["run"]: whole for whole in index.runs("demo")}
    ended = facts["one"]["created"]
    assert dt.datetime.fromisoformat(ended).tzinfo is not None
    assert kept(index, f"created = '{ended}'")
    assert kept(index, "created > '2000-01-01' AND updated >= created AND year(created) > 2000")
    assert kept(index, {"createdAt": {"$lt": "2000-01-01"}}) == []
    states = {whole["run"]: whole["sessions"][-1].get("state") for whole in facts.values()}
    finished = {run for run, state in states.items() if state == "finished"}
    assert set(kept(index, "state = 'finished'")) == finished
    assert set(kept(index, "duration >= 0")) <= set(RUNS)


@pytest.mark.parametrize(
    ("sort", "wanted"),
    [
        ("-summary.acc", ["three", "one", "two", "four"]),
        ("summary.acc", ["one", "three", "two", "four"]),
        ("+summary.acc", ["one", "three", "two", "four"]),
        ("config.lr,id", ["one", "three", "two", "four"]),
        (["-group", "-id"], ["two", "three", "one", "four"]),
        ("-summary.val/acc, id", ["three", "one", "four", "two"]),
        ('summary."val/acc",-id', ["one", "three", "two", "four"]),
        ("acc", ["one", "three", "two", "four"]),
    ],
)
def test_what_is_missing_is_last_whichever_way(
    index: RunIndex, sort: Any, wanted: list[str]
) -> None:
    assert kept(index, None, sort=sort) == wanted


@pytest.mark.parametrize(
    ("where", "code", "position"),
    [
        ("acx > 1", "column-unknown", 0),
        ("id = 'x' AND both = 1", "column-ambiguous", 13),
        ("summary", "column-unknown", 0),
        ("name > 1", "expression-type-invalid", 7),
        ("created > 'yesterday'", "expression-type-invalid", 10),
        ("tags = 'cnn'", "expression-type-invalid", 7),
        ("name", "expression-type-invalid", 0),
        ("name.x = 1", "column-unknown", 5),
        ("lr >", "expression-invalid", 4),
        ("lr = 1; DROP", "expression-invalid", 6),
        ("frobnicate(lr) = 1", "expression-invalid", 0),
        ("regexp_matches(name, '(')", "expression-invalid", 21),
        ("name LIKE name", "expression-type-invalid", 10),
        ("{$frob: 1}", "expression-invalid", 1),
        ("sum(lr) > 1", "expression-invalid", 0),
        ("substr(name, 0) = 'x'", "expression-invalid", 13),
        ("round(lr, 21) = 1", "expression-invalid", 10),
    ],
)
def test_what_cannot_be_asked_is_told_with_its_place(
    index: RunIndex, where: str, code: str, position: int
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        kept(index, where)
    assert caught.value.code == code
    assert caught.value.context["position"] == position


def test_a_slip_is_answered_with_the_nearest_key(index: RunIndex) -> None:
    with pytest.raises(InvalidInputError) as caught:
        kept(index, "sumary > 1 OR seeed = 1")
    assert caught.value.hint
    with pytest.raises(InvalidInputError) as caught:
        kept(index, "seeed = 1")
    assert "seed" in str(caught.value.hint)


@pytest.mark.parametrize("sort", ["-", "", "summary..acc", "-nothing", "a,,b"])
def test_an_order_that_is_none_is_refused(index: RunIndex, sort: str) -> None:
    if sort:
        with pytest.raises(ArtstoreError):
            kept(index, None, sort=sort)


def test_runs_are_given_whole_and_in_order(index: RunIndex) -> None:
    with clock.use(FixedClock(NOW)):
        found = selected_runs(index, "demo", where="config.lr > 0", sort="-config.lr", limit=1)
    assert [whole["run"] for whole in found] == ["three"]
    assert found[0]["config"] == {"lr": 1}


def test_deleted_runs_are_left_out(index: RunIndex) -> None:
    log = RunLog(index._storage, "demo", "one", "me@here")
    log.refresh()
    with clock.use(FixedClock(NOW)):
        index.accept("demo", "one", log.append(lambda _: ("delete", {})))
    assert "one" not in kept(index, None, sort="id")
    assert "one" in kept(index, "state = 'deleted'", deleted=True)


def test_keys_that_sqlite_cannot_name_are_found_too(tmp_path: Path) -> None:
    storage = MemoryStorage()
    found = RunIndex(storage, "s" * 32, RunIndex.file_in(tmp_path), "me@here")
    with clock.use(FixedClock(NOW)):
        for number, key in enumerate(['a"b', "a\\b", "ä/ß", "$.x[0]", "a b"]):
            log = RunLog(storage, "demo", f"r{number}", "me@here")
            write(log, start(config={key: number}), end())
        found.refresh("demo")
        for number, name in enumerate(['"a""b"', r'"a\b"', '"ä/ß"', '"$.x[0]"', '"a b"']):
            assert selected_ids(found, "demo", where=f"config.{name} = {number}") == [f"r{number}"]


def test_asking_imports_none_of_the_engine() -> None:
    program = (
        "import json, sys\n"
        "from artstore.runs import selecting\n"
        "selecting._tree(\"summary.acc > 0.9 AND state = 'finished' OR acc IN (1, 2)\")\n"
        "selecting._tree(\"{state: 'finished', 'config.lr': {$gt: 1}}\")\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True
    )
    assert not {"ibis", "sqlglot", "duckdb", "pyarrow", "numpy"} & set(json.loads(ran.stdout))


def test_values_of_two_kinds_are_not_equal_and_none_is_less() -> None:
    values: list[Any] = [True, 1, "1", dt.date(2024, 1, 1), [1], {"a": 1}]
    for one in values:
        for other in values:
            if kind_of(one) != kind_of(other):
                row = [one, other]
                for sign, wanted in (("equal", False), ("differs", True), ("at_most", False)):
                    from artstore.runs.operations import FUNCTIONS

                    assert FUNCTIONS[sign][0](*row) is wanted

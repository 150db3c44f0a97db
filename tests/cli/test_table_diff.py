"""`art table diff`: what changed between two versions of a table, and whether it may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.api import Store, open_store
from artstore.artifact import Artifact
from artstore.cli.tablegate import GATE_NAMES, parse_gate
from artstore.errors import InvalidInputError
from artstore.tables.joined import JoinedTable
from artstore.tables.table import Table
from tests.cli.conftest import Art
from tests.cli.test_json import check


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two versions of `pred/rows` and of `pred/joined`, which has their labels."""
    monkeypatch.setenv("ARTSTORE_URL", str(home / "store"))
    monkeypatch.setenv("ARTSTORE_PROJECT", "vision")
    store = open_store()
    truth = Table(["id", "label"], data=[[at, at % 3] for at in range(60)])
    digits = Artifact("digits", "dataset")
    digits.add(truth, "examples")
    store.log_artifact(digits)
    stored = store.artifact("digits").get("examples")
    for version in range(2):
        wrong = {4, 7, 11, 30, 31} if version else {3, 7}
        rows = [[at, (at + (at in wrong)) % 3, "x" * 50] for at in range(50 + version)]
        table = Table(["id", "guess", "note"], data=rows)
        table.set_pk("id")
        pred = Artifact("pred", "predictions")
        pred.add(table, "rows")
        pred.add(JoinedTable(table, stored, "id"), "joined")
        store.log_artifact(pred)
    return store


A, B = "pred:v0/rows", "pred:v1/rows"
JOINED = ("pred:v0/joined", "pred:v1/joined", "--key", "id")


@pytest.mark.usefixtures("store")
def test_it_shows_rows_that_were_added_and_changed(art: Art) -> None:
    ran = art("table", "diff", A, B, "--limit", "2")
    assert [line.split() for line in ran.out.splitlines()] == [
        ["in", "the", "old", "table", "50"],
        ["in", "the", "new", "table", "51"],
        ["added", "1"],
        ["removed", "0"],
        ["changed", "5"],
        ["unchanged", "45"],
        [],
        ["Cells", "that", "changed"],
        ["column", "cells"],
        ["guess", "5"],
        [],
        ["Changed:", "2", "of", "5", "rows"],
        ["id", "column", "old", "new"],
        ["3", "guess", "1", "0"],
        ["4", "guess", "1", "2"],
        [],
        ["Added:", "1", "row"],
        ["id", "guess", "note"],
        ["50", "2", "x" * 39 + "…"],
    ]
    assert ran.err.startswith("read ")
    assert art("table", "diff", A, B, "-q").out == ""


@pytest.mark.usefixtures("store")
def test_json_is_as_documented(art: Art) -> None:
    value = art("table", "diff", *JOINED, "--json").json
    check("table diff", value)
    assert (value["a"], value["added"], value["changed"]) == ("pred:v0/joined", 1, 5)
    assert (value["regressed"], value["fixed"], value["truth"]) == (4, 1, "label")
    check("table diff changed_rows", value["changed_rows"][0], without={"truth"})
    check("table diff changed_rows", value["regressed_rows"][0])
    assert value["regressed_rows"][0]["key"] == {"id": 4}
    assert value["fixed_rows"][0]["old"] == {"guess": 1}
    assert value["added_rows"] == [{"id": 50, "guess": 2, "note": "x" * 50, "label": 2}]
    assert value["failed"] == []
    assert art("table", "diff", A, B, "--format", "json").json["key"] == ["id"]


@pytest.mark.usefixtures("store")
def test_a_gate_that_is_true_fails_with_a_status_of_its_own(art: Art, home: Path) -> None:
    report = home / "work" / "report.md"
    ran = art(
        *("table", "diff", *JOINED, "--fail-if", "regressed > 3 and rows_new >= 50"),
        *("--fail-if", "removed > 0", "--markdown", str(report)),
        status=3,
    )
    assert "Regressed: 4 rows" in ran.out
    assert ran.err.splitlines()[-1] == (
        "art: error: regressed > 3 and rows_new >= 50: regressed is 4, rows_new is 51"
    )
    text = report.read_text()
    assert "## Regressed: 4 rows" in text
    assert "| 4 | 1 | 1 | 2 |" in text
    failed = art("table", "diff", *JOINED, "--fail-if", "fixed == 1", "--json", status=3)
    assert failed.json["failed"] == ["fixed == 1"]
    assert failed.error["code"] == "gate-failed"
    assert failed.error["context"] == {"conditions": ["fixed == 1"], "fixed": 1}


@pytest.mark.usefixtures("store")
def test_a_gate_that_is_false_passes(art: Art) -> None:
    art("table", "diff", *JOINED, "--fail-if", "regressed > 4 or removed != 0")
    art("table", "diff", A, A, "--fail-if", "changed > 0")


@pytest.mark.usefixtures("store")
def test_markdown_goes_to_stdout_when_asked_for(art: Art) -> None:
    out = art("table", "diff", A, B, "--format", "markdown", "--limit", "1").out
    assert out.startswith("# Table diff by id\n")
    assert "## Changed: 1 of 5 rows" in out
    assert (
        "two formats" in art("table", "diff", A, B, "--json", "--format", "markdown", status=2).err
    )


@pytest.mark.usefixtures("store")
def test_what_is_missing_is_told_before_rows_are_read(art: Art, store: Store) -> None:
    ran = art("table", "diff", A, B, "--fail-if", "regressed > 1", status=2)
    assert "--truth label --guess guess" in ran.err
    keyless = Artifact("keyless")
    keyless.add(Table(["a", "b"], data=[[1, 2]]), "rows")
    store.log_artifact(keyless)
    ran = art("table", "diff", "keyless/rows", "keyless/rows", status=2)
    assert "give --key with one or more of: a, b" in ran.err
    assert "did you mean: guess" in art("table", "diff", A, B, "--key", "gues", status=2).err
    ran = art("table", "diff", A, B, "--truth", "note", status=2)
    assert "judged by both" in ran.err


@pytest.mark.usefixtures("store")
def test_rows_that_share_a_key_are_told(art: Art) -> None:
    ran = art("table", "diff", A, B, "--key", "note")
    assert "rows of the old table share their key" in ran.err


# the language of gates ------------------------------------------------------------------------

VALUES = {name: number for number, name in enumerate(GATE_NAMES)}


@pytest.mark.parametrize(
    ("text", "is_true"),
    [
        ("added > 0", False),
        ("removed == 1", True),
        ("1 < changed", True),
        ("added != 0 or removed >= 1", True),
        ("added == 0 or removed == 0 and changed == 0", True),
        ("(added == 0 or removed == 0) and changed == 0", False),
        ("REMOVED == 1 AND changed<=2", None),
        ("removed == 1 AND changed<=2", True),
        ("fixed < regressed", False),
        ("((rows_new>rows_old))", True),
    ],
)
def test_conditions(text: str, is_true: bool | None) -> None:
    if is_true is None:
        with pytest.raises(InvalidInputError):
            parse_gate(text)
    else:
        assert parse_gate(text).is_true(VALUES) is is_true


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("added", 5),
        ("added > ", 8),
        ("added > x", 8),
        ("added > 1 removed", 10),
        ("(added > 1", 10),
        ("added = 1", 6),
        ("added > 1.5", 9),
        ("__import__ > 1", 0),
        ("added > 1 and", 13),
        ("added > -1", 8),
    ],
)
def test_what_is_no_condition_is_refused_at_its_place(text: str, position: int) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_gate(text)
    assert caught.value.code == "usage-invalid"
    assert caught.value.context["position"] == position


@given(st.text(max_size=40))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        found: Any = parse_gate(text).is_true(VALUES)
    except InvalidInputError as error:
        assert error.code == "usage-invalid"
    else:
        assert isinstance(found, bool)

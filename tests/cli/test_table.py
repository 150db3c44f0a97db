"""`art table show|head|query|join`: rows of stored tables on the command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from artstore.api import Store, open_store
from artstore.artifact import Artifact
from artstore.media.image import Image
from artstore.tables.joined import JoinedTable
from artstore.tables.table import Table
from tests.cli.conftest import Art
from tests.cli.test_json import check


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """`digits/examples`, 45 rows with images, and `pred/rows` of 40 of them, with `pred/joined`."""
    monkeypatch.setenv("ARTSTORE_URL", str(home / "store"))
    monkeypatch.setenv("ARTSTORE_PROJECT", "vision")
    store = open_store()
    truth = Table(["id", "image", "label"])
    for number in range(45):
        pixels = np.full((28, 28), number, np.uint8)
        truth.add_data(number, Image(pixels), number % 10)
    truth.set_pk("id")
    digits = Artifact("digits", "dataset")
    digits.add(truth, "examples")
    store.log_artifact(digits)
    stored = store.artifact("digits").get("examples")
    rows = [[at, (at + (at % 7 == 0)) % 10, at / 4] for at in range(39)]
    guesses = Table(["id", "guess", "score"], data=[*rows, [99, 1, float("nan")]])
    guesses.set_fk("id", stored, "id")
    pred = Artifact("pred", "predictions")
    pred.add(guesses, "rows")
    pred.add(JoinedTable(guesses, stored, "id"), "joined")
    store.log_artifact(pred)
    return store


pytestmark = pytest.mark.usefixtures("store")


# show and head ----------------------------------------------------------------------------


def test_show_tells_columns_rows_size_and_keys(art: Art) -> None:
    out = art("table", "show", "pred:v0/rows").out.splitlines()
    assert out[0] == "pred:v0/rows"
    assert out[1].startswith("  40 rows, ")
    assert out[1].endswith(" in 1 fragment")
    assert out[2] == "  foreign key  id > vision/digits:v0/examples id"
    assert [line.split() for line in out[3:]] == [
        ["COLUMN", "TYPE"],
        ["id", "int"],
        ["guess", "int"],
        ["score", "float64"],
    ]
    assert "  primary key  id" in art("table", "show", "digits/examples").out.splitlines()


def test_show_of_a_joined_table_tells_what_it_joins(art: Art) -> None:
    value = art("table", "show", "pred/joined", "--json").json
    check("table show", value)
    assert value["kind"] == "joined"
    assert value["joined"]["on"] == [{"left": "id", "right": "id"}]
    assert value["row_count"] == 39
    assert "inner join by id" in art("table", "show", "pred/joined").out


def test_json_of_show_is_as_documented(art: Art) -> None:
    value = art("table", "show", "digits:v0/examples", "--json").json
    check("table show", value)
    assert value["columns"][1] == {"name": "image", "type": "image"}
    assert value["primary_key"] == ["id"]
    assert value["fragment_count"] == 1
    assert len(value["digest"]) == 64


def test_head_shows_the_first_rows_and_how_many_there_are(art: Art) -> None:
    assert art("table", "head", "digits/examples", "-n", "2").out.splitlines() == [
        "id  image            label",
        " 0  image 28x28 png      0",
        " 1  image 28x28 png      1",
        "2 of 45 rows",
    ]
    assert art("table", "head", "pred/rows").out.endswith("10 of 40 rows\n")
    assert art("table", "head", "pred/rows", "-n", "400").out.endswith("\n40 rows\n")


def test_media_are_objects_in_json(art: Art) -> None:
    value = art("table", "head", "digits/examples", "-n", "1", "--json").json
    check("table head", value)
    image = value["rows"][0]["image"]
    assert (image["format"], image["width"], image["height"]) == ("png", 28, 28)
    assert (value["row_count"], value["total_row_count"]) == (1, 45)
    assert value["sources"] == ["digits/examples"]


def test_a_table_that_is_not_there_is_told_with_those_that_are(art: Art) -> None:
    ran = art("table", "head", "pred/nope", "--json", status=4)
    assert ran.error["code"] == "table-not-found"
    assert "joined, rows" in ran.error["message"]
    assert art("table", "show", "pret/rows", "--json", status=4).error["context"]["close"] == [
        "pred"
    ]
    assert art("table", "show", "pred", "--json", status=2).error["code"] == "table-name-invalid"


def test_a_column_that_is_not_there_is_told_with_those_that_are_near(art: Art) -> None:
    ran = art("table", "head", "pred/rows", "--columns", "id,scor", status=2)
    assert ran.err.splitlines() == [
        "art: error: there is no column 'scor'",
        "  did you mean: score",
    ]


# query ------------------------------------------------------------------------------------


def rows_of(art: Art, *arguments: str) -> list[dict[str, object]]:
    value = art("table", "query", *arguments, "--json").json
    check("table query", value)
    assert value["row_count"] == len(value["rows"])
    found: list[dict[str, object]] = value["rows"]
    return found


def test_rows_are_chosen_by_sql_and_by_mongo(art: Art) -> None:
    by_sql = rows_of(art, "pred/rows", "--where", "guess = 3 and score > 5")
    assert [row["id"] for row in by_sql] == [23, 33]
    mongo = "{$and: [{$eq: ['$guess', 3]}, {$gt: ['$score', 5]}]}"
    assert rows_of(art, "pred/rows", "--where", mongo) == by_sql
    assert rows_of(art, "pred/rows", "--where", "guess = 3", "--where", "score > 5") == by_sql


def test_rows_come_in_the_order_of_the_table_or_as_sorted(art: Art) -> None:
    where = ("--where", "id < 39")
    assert [row["id"] for row in rows_of(art, "pred/rows", *where)] == list(range(39))
    found = rows_of(art, "pred/rows", *where, "--sort", "guess desc", "--sort", "id desc")
    assert [row["id"] for row in found][:3] == [29, 28, 19]
    ties = rows_of(art, "pred/rows", *where, "--sort", "guess")
    assert [row["id"] for row in ties if row["guess"] == 1] == [0, 1, 11, 31]


def test_columns_are_computed_and_chosen(art: Art) -> None:
    arguments = ("--computed", "half=score / 2", "--where", "half > 4.6", "--columns", "half,id")
    found = rows_of(art, "pred/rows", *arguments, "--where", "id < 99")
    assert found == [{"half": 4.625, "id": 37}, {"half": 4.75, "id": 38}]
    assert list(found[0]) == ["half", "id"]


def test_groups_come_in_the_order_of_their_columns(art: Art) -> None:
    arguments = ("--group-by", "guess", "--agg", "n=count()", "--agg", "top=max(id)")
    found = rows_of(art, "pred/rows", "--where", "id < 39", *arguments)
    assert found[0] == {"guess": 0, "n": 3, "top": 30}
    assert [row["guess"] for row in found] == list(range(10))
    by_count = rows_of(art, "pred/rows", "--group-by", "guess", "--agg", "n=count()", "--sort", "n")
    counts = [(row["n"], row["guess"]) for row in by_count]
    assert counts == sorted(counts)
    assert rows_of(art, "pred/rows", "--agg", "n=count()") == [{"n": 40}]
    assert list(rows_of(art, "pred/rows", "--group-by", "guess")[0]) == ["guess", "count"]


def test_two_group_columns_give_a_pivot(art: Art) -> None:
    found = rows_of(art, "pred/joined", "--group-by", "label,guess", "--pivot")
    assert found[0]["label"] == 0
    assert sum(number for row in found for name, number in row.items() if name != "label") == 39  # type: ignore[misc]
    ran = art("table", "query", "pred/rows", "--group-by", "id", "--pivot", status=2)
    assert "--pivot takes two columns" in ran.err


def test_a_joined_table_is_queried_like_any_other(art: Art) -> None:
    found = rows_of(art, "pred/joined", "--where", "guess != label", "--columns", "id")
    assert [row["id"] for row in found] == [0, 7, 14, 21, 28, 35]


def test_sql_runs_over_several_tables(art: Art) -> None:
    text = (
        "select e.label, count(*) as n from 'pred:v0/rows' p join 'digits/examples' e using (id) "
        "where p.guess != e.label group by e.label order by e.label"
    )
    assert rows_of(art, "--sql", text)[:2] == [{"label": 0, "n": 1}, {"label": 1, "n": 1}]
    assert (
        art("table", "query", "--sql", "select 1; select 2", "--json", status=2).error["code"]
        == "sql-invalid"
    )
    assert "one of them" in art("table", "query", status=2).err
    assert "one of them" in art("table", "query", "pred/rows", "--sql", "select 1", status=2).err


def test_what_a_limit_leaves_out_is_told(art: Art) -> None:
    shown = art("table", "query", "pred/rows", "--where", "id < 39")
    assert shown.out.splitlines()[-1] == "20 of 39 rows"
    limited = art("table", "query", "pred/rows", "--where", "id < 3", "--limit", "2", "--json").json
    assert (limited["row_count"], limited["total_row_count"]) == (2, 3)
    whole = art("table", "query", "pred/rows", "--where", "id < 39", "--format", "csv").out
    assert len(whole.splitlines()) == 40


def test_an_error_in_a_condition_points_at_the_character(art: Art) -> None:
    ran = art("table", "query", "pred/rows", "--where", "guess !! 3", status=2)
    first, *lines = ran.err.splitlines()
    assert "\\x0a" not in ran.err
    assert first.startswith("art: error: ")
    assert any(line.strip() == "^" for line in lines)
    ran = art("table", "query", "pred/rows", "--sort", "scor desc", status=2)
    assert "did you mean: score" in ran.err
    assert "NAME=VALUE" in art("table", "query", "pred/rows", "--computed", "id", status=2).err


# formats ----------------------------------------------------------------------------------


def test_formats_of_rows(art: Art, home: Path) -> None:
    where = ("table", "query", "pred/rows", "--where", "id > 37")
    lines = art(*where, "--format", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": 38, "guess": 8, "score": 9.5},
        {"id": 99, "guess": 1, "score": "NaN"},
    ]
    rows = list(csv.reader(io.StringIO(art(*where, "--format", "csv").out)))
    assert rows == [["id", "guess", "score"], ["38", "8", "9.5"], ["99", "1", "NaN"]]
    markdown = art(*where, "--format", "markdown", "--limit", "1").out
    assert markdown.splitlines() == [
        "| id | guess | score |",
        "| --- | --- | --- |",
        "| 38 | 8 | 9.5 |",
        "",
        "1 of 2 rows",
    ]
    assert art(*where, "--format", "json").json["rows"][0]["id"] == 38


def test_the_ending_of_a_file_says_its_format(art: Art, home: Path) -> None:
    for name in ("a.parquet", "a.csv", "a.jsonl", "a.json", "a.md"):
        ran = art("table", "query", "digits/examples", "--where", "id < 2", "-o", name)
        assert ran.out == f"2 rows written to {name}\n"
    made = home / "work"
    assert pq.read_table(made / "a.parquet")["label"].to_pylist() == [0, 1]
    assert json.loads((made / "a.json").read_text())["row_count"] == 2
    value = art("table", "head", "pred/rows", "-o", "b.csv", "--json").json
    check("table head", value, without={"rows"})
    assert value["file"] == "b.csv"
    assert len((made / "b.csv").read_text().splitlines()) == 11
    assert "--format" in art("table", "head", "pred/rows", "-o", "noending", status=2).err
    assert (
        "two formats"
        in art("table", "head", "pred/rows", "--json", "--format", "csv", status=2).err
    )
    assert sorted(path.name for path in made.iterdir()) == sorted(
        ["a.parquet", "a.csv", "a.jsonl", "a.json", "a.md", "b.csv"]
    )


def test_text_out_of_a_store_cannot_command_the_terminal(art: Art, store: Store) -> None:
    artifact = Artifact("odd")
    artifact.add(Table(["na|me"], data=[["\x1b[31mred\nline"], ["a,b"], [""], [None]]), "rows")
    store.log_artifact(artifact)
    shown = art("table", "head", "odd/rows").out
    assert "\x1b" not in shown
    assert "\\x1b[31mred\\x0aline" in shown
    assert art("table", "head", "odd/rows", "--format", "csv").out == (
        'na|me\n"\x1b[31mred\nline"\n"a,b"\n""\n\n'
    )
    markdown = art("table", "head", "odd/rows", "--format", "markdown").out
    assert "| na\\|me |" in markdown
    assert "\x1b" not in markdown


# join and saving --------------------------------------------------------------------------


def test_a_join_tells_how_many_rows_found_no_partner(art: Art) -> None:
    ran = art("table", "join", "pred/rows", "digits/examples", "--on", "id", "--how", "outer")
    assert ran.err.splitlines() == [
        "left: 39 of 40 rows with a partner, 1 without",
        "right: 39 of 45 rows with a partner, 6 without",
    ]
    assert ran.out.splitlines()[-1] == "20 of 46 rows"
    value = art("table", "join", "pred/rows", "digits/examples", "--on", "id", "--json").json
    check("table join", value)
    assert value["counts"] == {
        "rows": 39,
        "left_matched": 39,
        "left_missing": 1,
        "right_matched": 39,
        "right_missing": 6,
    }
    check("table join counts", value["counts"])


def test_joined_rows_are_chosen_and_sorted(art: Art) -> None:
    arguments = ("pred/rows", "digits/examples", "--on", "id=id", "--where", "guess != label")
    value = art("table", "join", *arguments, "--sort", "id desc", "--columns", "id", "--json").json
    assert [row["id"] for row in value["rows"]] == [35, 28, 21, 14, 7, 0]
    ran = art("table", "join", "pred/rows", "digits/examples", "--on", "nope", status=2)
    assert "no column 'nope'" in ran.err


def test_a_result_is_saved_as_a_table_that_names_its_sources(art: Art, store: Store) -> None:
    where = ("--where", "guess != label")
    ran = art("table", "query", "pred/joined", *where, "--save-as", "errors/wrong", "--limit", "1")
    assert "saved as errors:v0/wrong" in ran.err
    saved = store.artifact("errors:v0").get("wrong")
    assert saved.row_count == 6
    assert saved.rows[1]["image"].to_pil().size == (28, 28)
    value = art("table", "show", "errors/wrong", "--json").json
    assert value["sources"] == ["vision/pred:v0/rows", "vision/digits:v0/examples"]
    art("table", "query", "pred/rows", *("--where", "id < 3"), "--save-as", "errors/few", "--json")
    assert store.artifact("errors").get("wrong").row_count == 6
    assert store.artifact("errors").get("few").row_count == 3


def test_saving_a_join_keeps_the_join(art: Art, store: Store) -> None:
    arguments = ("pred/rows", "digits/examples", "--on", "id", "--how", "left")
    value = art("table", "join", *arguments, "--save-as", "both/all", "--json").json
    assert value["saved_as"] == "both:v0/all"
    joined = store.artifact("both").get("all")
    assert isinstance(joined, JoinedTable)
    assert (joined.how, joined.row_count) == ("left", 40)


@pytest.mark.parametrize("name", ["errors", "errors:v1/x", "/x", "errors/"])
def test_a_name_to_save_under_is_an_artifact_and_a_table(art: Art, name: str) -> None:
    ran = art("table", "query", "pred/rows", "--save-as", name, status=2)
    assert "--save-as takes NAME/TABLE" in ran.err


def test_a_value_that_a_query_cannot_take_is_told(art: Art) -> None:
    ran = art("table", "query", "--sql", "select cast('a' as int) x from 'pred/rows'", status=2)
    assert "the query failed: Conversion Error" in ran.err

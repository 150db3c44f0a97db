"""Foreign keys name the table that they lead to, in whatever order the two are added."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path

import pytest

import artstore as art
from tests.trees import open_at


def tables() -> dict[str, art.Table]:
    guesses = art.Table(data={"id": [1, 2], "who": ["x", "y"]})
    people = art.Table(data={"name": ["x", "y"], "boss": ["y", None], "guess": [1, 2]})
    teams = art.Table(data={"lead": ["x"], "first": [1]})
    guesses.set_fk("who", people, "name")
    people.set_fk("guess", guesses, "id")
    people.set_fk("boss", people, "name")
    teams.set_fk("lead", people, "name")
    teams.set_fk("first", guesses, "id")
    return {"guesses": guesses, "people": people, "teams": teams}


def draft_of(order: tuple[str, ...]) -> art.Artifact:
    made = tables()
    draft = art.Artifact("ds", "dataset")
    for name in order:
        draft.add(made[name], name)
    return draft


def test_the_order_in_which_tables_are_added_makes_no_difference(tmp_path: Path) -> None:
    store = open_at(tmp_path / "store")
    versions = {
        store.log_artifact(draft_of(order)).version
        for order in itertools.permutations(["guesses", "people", "teams"])
    }
    assert versions == {"v0"}
    version = store.artifact("ds")
    assert version.get("guesses").keys["foreign_keys"] == {
        "who": {"column": "name", "table": "people"}
    }
    assert version.get("people").keys["foreign_keys"] == {
        "guess": {"column": "id", "table": "guesses"},
        "boss": {"column": "name", "table": "people"},
    }
    assert version.get("teams").keys["foreign_keys"] == {
        "lead": {"column": "name", "table": "people"},
        "first": {"column": "id", "table": "guesses"},
    }
    assert store.verify("ds").problems == ()


def test_a_table_that_took_the_place_of_another_keeps_its_own_keys() -> None:
    made, other = tables(), art.Table(data={"name": ["x"]})
    draft = art.Artifact("ds", "dataset")
    draft.add(made["guesses"], "one")
    instead = art.Table(data={"id": [1], "who": ["x"]})
    instead.set_fk("who", other, "name")
    draft.add(instead, "one", overwrite=True)
    draft.add(made["people"], "people")
    (item,) = (one for one in draft.additions if one.path == "one.parquet")  # type: ignore[union-attr]
    assert item.keys["foreign_keys"]["who"]["table"] is None  # type: ignore[union-attr]
    draft.add(other, "other")
    (item,) = (one for one in draft.additions if one.path == "one.parquet")  # type: ignore[union-attr]
    assert item.keys["foreign_keys"]["who"]["table"] == "other"  # type: ignore[union-attr]


def test_keys_are_those_that_a_table_had_when_it_was_added(tmp_path: Path) -> None:
    made = tables()
    draft = art.Artifact("ds", "dataset")
    draft.add(made["guesses"], "guesses")
    made["guesses"].set_fk("id", made["teams"], "first")
    draft.add(made["teams"], "teams")
    draft.add(made["people"], "people")
    logged = open_at(tmp_path / "store").log_artifact(draft)
    assert logged.get("guesses").keys["foreign_keys"] == {
        "who": {"column": "name", "table": "people"}
    }


def test_the_same_table_again_is_added_once_and_a_draft_is_still_packed(tmp_path: Path) -> None:
    made = tables()
    draft = art.Artifact("ds", "dataset")
    for name in ("guesses", "people", "guesses", "teams"):
        draft.add(made[name], name)
    draft.add(made["people"], "people")
    assert len(draft.additions) == 3
    again = pickle.loads(pickle.dumps(draft_of(("guesses",))))
    again.add(tables()["people"], "people")
    assert len(again.additions) == 2


def test_a_table_of_a_store_is_named_by_where_it_is(tmp_path: Path) -> None:
    store = open_at(tmp_path / "store")
    store.log_artifact(draft_of(("people",)))
    people = store.artifact("ds").get("people")
    guesses = art.Table(data={"who": ["x"]})
    guesses.set_fk("who", people, "name")
    draft = art.Artifact("other", "dataset")
    draft.add(guesses, "guesses")
    assert store.log_artifact(draft).get("guesses").keys["foreign_keys"]["who"]["table"] == (
        "p/ds:v0/people"
    )
    draft = art.Artifact("both", "dataset")
    draft.add(guesses, "guesses")
    draft.add(people, "people")
    keys = store.log_artifact(draft).get("guesses").keys["foreign_keys"]
    assert keys["who"]["table"] == "people"


@pytest.mark.parametrize("name", ["guesses", "people"])
def test_a_key_to_a_table_that_never_comes_names_none(name: str, tmp_path: Path) -> None:
    logged = open_at(tmp_path / "store").log_artifact(draft_of((name,)))
    told = logged.get(name).keys["foreign_keys"]
    expected = {"guesses": {"who": None}, "people": {"guess": None, "boss": "people"}}
    assert {column: key["table"] for column, key in told.items()} == expected[name]

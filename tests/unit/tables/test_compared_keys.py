"""
Which key tables are compared by, if nobody says, and which others there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from artstore.media.image import Image
from artstore.tables.exploring.comparekeys import CompareKey, default_key, possible_keys
from artstore.tables.joined import JoinedTable
from artstore.tables.partitioned import PartitionedTable
from artstore.tables.table import Table

POSITION = CompareKey("position")


def by(*columns: str) -> CompareKey:
    return CompareKey("columns", columns)


def table(key: str | None = None, **columns: list[Any]) -> Table:
    made = Table(data=columns)
    if key is not None:
        made.set_pk(key)
    return made


def test_a_primary_key_that_all_have_comes_first() -> None:
    one = table("name", id=[1, 2], name=["a", "b"])
    two = table("name", name=["a", "b"], id=[1, 2])
    assert default_key([one, two]) == by("name")
    assert possible_keys([one, two]) == [by("name"), by("id"), POSITION]
    assert default_key([one, table("id", id=[1], name=["a"])]) == by("id")
    assert default_key([one, table("name", name=[1], id=[1])]) == by("id")


def test_of_joined_and_partitioned_tables_it_is_that_of_their_tables() -> None:
    one = table("name", id=[1, 2], name=["a", "b"])
    joined = JoinedTable(one, table(id=[1], x=[2]), "id")
    parts = PartitionedTable("parts", [one, one])
    assert default_key([joined, parts, one]) == by("name")


def test_an_id_counts_if_it_is_unique_and_can_be_compared() -> None:
    one = table(x=[1, 1], id=[1, 2])
    assert default_key([one, table(id=[2.0, 1.0])]) == by("id")
    assert default_key([one, table(id=[1, 1])]) == POSITION
    assert default_key([one, table(id=[1, None])]) == POSITION
    assert default_key([one, table(id=["1", "2"])]) == POSITION
    assert default_key([one, table(x=[1])]) == POSITION
    assert default_key([one, Table(["id"])]) == by("id")
    assert default_key([Table(["id"]), Table(["id"])]) == POSITION


def test_images_are_a_key_where_there_is_no_other() -> None:
    shades = [Image(np.full((2, 2, 3), shade, np.uint8)) for shade in (1, 2)]
    one, two = table(id=[1, 1], image=shades), table(image=shades, id=[1, 2])
    assert default_key([one, two]) == CompareKey("digest", ("image",))
    assert possible_keys([one, two]) == [by("id"), CompareKey("digest", ("image",)), POSITION]
    assert default_key([one, table(image=[1])]) == POSITION


def test_only_what_all_tables_share_is_a_possible_key() -> None:
    one = table(b=[1], a=["x"], c=[[1]], only=[1])
    two = table(a=["x"], b=[2.5], c=[[1]])
    assert possible_keys([one, two]) == [by("b"), by("a"), POSITION]

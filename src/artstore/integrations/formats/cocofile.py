"""
The JSON of COCO on its way into a table: in a database of this process, by images.

Annotations may stand before their images in the file, and there are millions of them:
they wait in a temporary SQLite file until the images are read.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterator
from typing import Any, Final

from artstore.errors import ArtstoreError
from artstore.integrations.formats.failures import damaged, reading
from artstore.integrations.formats.jsonparts import JsonParts
from artstore.integrations.placing import placed
from artstore.media.classes import Classes

__all__ = ["UNNAMED", "CocoFile"]

UNNAMED: Final = "artstore_unnamed"
"""Of a category: its name was made up by an export."""

_NO_COLUMNS: Final = frozenset(("id", "file_name", "width", "height", "artstore"))


class CocoFile:
    """
    Images, annotations and categories of one file.

    Attributes:
        path: names the file in errors.
        columns: members that images have beyond those that all have.
        classes: the categories; None if there are none with a name.
    Raises:
        DamagedDataError: `exchange-file-damaged`: no JSON of COCO, an id twice, or an
            annotation of an image or a category that is not there.
    Cost: reads the file once; disk for the annotations, memory for one of them.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.columns: dict[str, None] = {}
        self.categories: dict[int, dict[str, Any]] = {}
        self._directory = tempfile.mkdtemp(prefix="artstore-coco-")
        weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        self._data = sqlite3.connect(os.path.join(self._directory, "coco.sqlite"))
        self._data.execute("PRAGMA journal_mode = OFF")
        self._data.execute("PRAGMA synchronous = OFF")
        self._data.execute("CREATE TABLE images (id PRIMARY KEY, body)")
        self._data.execute("CREATE TABLE annotations (id, image, category, is_drawn, body)")
        with reading(path), open(path, "rb") as file:
            self._read(JsonParts(file, path))
        self._data.execute("CREATE INDEX by_image ON annotations (image)")
        self._check()
        self.classes = self._classes()

    def images(self) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Yield each image with its annotations, both in the order of the file."""
        for number, body in self._data.execute("SELECT id, body FROM images ORDER BY rowid"):
            found = self._data.execute(
                "SELECT body FROM annotations WHERE image = ? ORDER BY rowid", (number,)
            )
            yield json.loads(body), [json.loads(one) for (one,) in found]

    @property
    def draws_class_zero(self) -> bool:
        """Whether an object of class 0 has a segmentation: then 0 is no background."""
        sql = "SELECT 1 FROM annotations WHERE category = 0 AND is_drawn LIMIT 1"
        return self._data.execute(sql).fetchone() is not None

    def close(self) -> None:
        """Take the database away."""
        self._data.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _read(self, parts: JsonParts) -> None:
        found = set()
        for name in parts.members():
            found.add(name)
            if name == "images":
                self._keep(parts, "images", self._image)
            elif name == "annotations":
                self._keep(parts, "annotations", self._annotation)
            elif name == "categories":
                for one in parts.items():
                    self._category(one)
            else:
                parts.value()
        parts.end()
        if "images" not in found:
            raise damaged(self.path, "it has no images: it is no file of COCO")

    def _keep(self, parts: JsonParts, table: str, record: Any) -> None:
        for number, value in enumerate(parts.items()):
            place = f"{self.path}, {table}[{number}]"
            if not isinstance(value, dict):
                raise damaged(place, "it is no object with names and values")
            row = record(value, place)
            marks = ", ".join("?" * len(row))
            try:
                self._data.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - names of ours
            except sqlite3.IntegrityError as error:
                raise damaged(place, f"the id {row[0]!r} is there twice") from error
            except (sqlite3.Error, OverflowError) as error:
                raise damaged(place, f"it cannot be kept: {error}") from error

    def _image(self, value: dict[str, Any], place: str) -> tuple[Any, str]:
        number = _id(value, "id", place)
        if not isinstance(value.get("file_name"), str):
            raise damaged(place, "it has no file_name")
        self.columns |= dict.fromkeys(name for name in value if name not in _NO_COLUMNS)
        return number, json.dumps(value)

    def _annotation(self, value: dict[str, Any], place: str) -> tuple[Any, ...]:
        number = _id(value, "id", place) if "id" in value else None
        image = _id(value, "image_id", place)
        category = value.get("category_id")
        if category is not None and type(category) is not int:
            raise damaged(place, f"its category_id is {category!r:.40}")
        is_drawn = bool(value.get("segmentation"))
        return number, image, category, is_drawn, json.dumps(value)

    def _category(self, value: Any) -> None:
        place = f"{self.path}, categories"
        if not isinstance(value, dict) or type(value.get("id")) is not int:
            raise damaged(place, "a category has no whole number as its id")
        if value["id"] in self.categories:
            raise damaged(place, f"the category {value['id']} is there twice")
        if not isinstance(value.get("name"), str):
            raise damaged(place, f"the category {value['id']} has no name")
        self.categories[value["id"]] = value

    def _check(self) -> None:
        lost = self._data.execute(
            "SELECT id, image FROM annotations WHERE image NOT IN (SELECT id FROM images) LIMIT 1"
        ).fetchone()
        if lost is not None:
            raise damaged(
                self.path,
                f"the annotation {lost[0]!r} is of the image {lost[1]!r}, which it has not",
            )
        for (category,) in self._data.execute("SELECT DISTINCT category FROM annotations"):
            if category is not None and category not in self.categories:
                sql = "SELECT id FROM annotations WHERE category = ? LIMIT 1"
                number = self._data.execute(sql, (category,)).fetchone()[0]
                raise damaged(
                    self.path,
                    f"the annotation {number!r} is of the category {category}, which it has not",
                )

    def _classes(self) -> Classes | None:
        named = [
            {"id": number, "name": one["name"]}
            for number, one in self.categories.items()
            if not one.get(UNNAMED)
        ]
        try:
            return Classes(named) if named else None
        except ArtstoreError as error:
            raise placed(error, f"{self.path}, categories") from error


def _id(value: dict[str, Any], name: str, place: str) -> int | str:
    found = value.get(name)
    if type(found) not in (int, str):
        raise damaged(place, f"its {name} is {found!r:.40}, neither a number nor a text")
    return found  # type: ignore[return-value]

"""
A version with a file for every preview, and a list of every kind of page that a server has.
"""

from __future__ import annotations

import io
import json
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image as PillowImage

import artstore as art
from artstore.api import Store

FILES: Final = "/p/demo/c/album/v1/files/"
GUESSES: Final = "/p/demo/c/guesses/v0/tables/joined"
ZOO: Final = "/p/demo/c/zoo/v0/tables/everything"
COMPARED: Final = "/p/demo/c/guesses/v0/tables/pred?with=demo/guesses:v0/joined"

RUNS: Final = "/p/lab/runs"

LIKE_OTHERS: Final = frozenset(
    ("train.py", "rows.jsonl", "tiny.png", "array.npy", "deep/down/below.txt", "deep/other.csv")
)
"""Files whose pages have nothing that pages of others have not."""

READY: Final = (
    ".grid-row:not(:has(.waiting)), .tile:not(:has(.waiting)), .grid-empty:not([hidden]), "
    "table.groups"
)
"""What is there once the rows of a table are."""

Steps = Callable[[Any], None]


class Kind(NamedTuple):
    """
    A kind of page.

    Attributes:
        steps: what opens it once the address is there; needs scripts.
        needs_write: whether only a server that may write has it.
    """

    name: str
    path: str
    steps: Steps | None = None
    needs_write: bool = False

    @property
    def word(self) -> str:
        """The name as a part of the name of a file."""
        return re.sub(r"\W+", "-", self.name)


def fill_album(store: Store) -> Store:
    """
    Log demo/album and demo/kept.

    album:v0  two files
    album:v1  a file for every preview, directories, links, references, media and classes
    kept:v0   deleted; v1 pinned, with a protected alias and a rule
    """
    for number in range(3):
        kept = art.Artifact("kept", "dataset")
        put_file(kept, "number", b"%d" % number)
        store.log_artifact(kept, aliases=["best"] if number == 1 else [])
    store.delete("demo/kept:v0")
    store.pin("demo/kept:v1", "2099-12-31", holder="paper")
    store.protect("demo/kept", ["best", "prod"])
    store.set_retention("demo/kept", art.Retention(keep_last=5))
    first = art.Artifact("album", "dataset", metadata={"rate": 0.1, "only": "in v0"})
    for path, data in (("README.md", b"# Album\n"), ("notes.txt", b"one line\n")):
        put_file(first, path, data)
    store.log_artifact(first, message="a beginning", tags=["raw"])
    draft = art.Artifact(
        "album",
        "dataset",
        description="# An album\n\nWith **every** preview:\n\n- `pictures`\n- [a link](https://example.org)\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        metadata={"rate": 0.2, "nested": {"list": [1, 2, {"deep": None}], "flag": True}},
    )
    for path, data in previewed_files().items():
        put_file(draft, path, data)
    draft.add_reference("https://example.org/far.bin", "far.bin", checksum=False)
    classes = art.Classes([{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}])
    draft.add(classes, "classes")
    pixels = np.zeros((40, 60, 3), np.uint8)
    box = {"position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.6}, "class_id": 1}
    layer = {"truth": {"box_data": [box]}}
    draft.add(art.Image(pixels, boxes=layer, classes=classes, caption="a cat"), "one")
    draft.add(art.Table(["a", "b"], data=[[1, "x"], [2, "y"]]), "small")
    store.log_artifact(draft, message="every preview", aliases=["best"], tags=["whole", "second"])
    return store


def previewed_files() -> Mapping[str, bytes]:
    """A file for every kind of preview, by path."""
    rng = np.random.default_rng(0)
    table = pa.table({"id": [1, 2, 3], "name": ["a", "b", "c"]})
    header = {"weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}
    text = json.dumps(header).encode()
    return {
        "README.md": b"# Album\n\nA *list*:\n\n1. one\n2. two\n\n> told\n\n```\ncode\n```\n",
        "notes.txt": b"a line\n" * 60 + b"one very long line " * 40,
        "train.py": b"def main():\n    return 1\n",
        "config.json": json.dumps({"a": [1, 2, {"b": None}], "long": "x" * 300}).encode(),
        "broken.json": b'{"a": ',
        "rows.csv": b"id,name,a column with a long name\n" + b"1,alpha,3.5\n" * 30,
        "rows.parquet": _written(lambda file: pq.write_table(table, file)),
        "rows.jsonl": b'{"a": 1}\n{"a": 2}\n',
        "picture.png": _picture(),
        "tiny.png": _picture(8),
        "damaged.png": _picture()[:200],
        "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40">'
        b'<rect width="80" height="40" fill="teal"/></svg>',
        "page.html": b"<!doctype html><title>x</title><h1>A figure</h1>"
        b"<script>document.body.append('drawn by a script')</script>",
        "sound.wav": _sound(),
        "array.npy": _written(lambda file: np.save(file, rng.normal(size=(20, 3)))),
        "arrays.npz": _written(lambda file: np.savez(file, a=np.arange(3), b=np.eye(2))),
        "model.safetensors": struct.pack("<Q", len(text)) + text + bytes(16),
        "weights.pkl": pickle.dumps({"weight": [1.0, 2.0], "step": 7}),
        "archive.zip": _zip(),
        "bytes.bin": bytes(range(256)) * 4,
        "empty.txt": b"",
        "deep/down/below.txt": b"below\n",
        "deep/other.csv": b"a;b\n1;2\n",
    }


def kinds_of_pages() -> tuple[Kind, ...]:
    """Every kind of page, and what is opened on the page of a table."""
    return (
        Kind("projects", "/"),
        Kind("project", "/p/demo"),
        Kind("collection", "/p/demo/c/album"),
        Kind("history", "/p/demo/c/album?show=history"),
        Kind("version", "/p/demo/c/album/v1"),
        Kind("version without words", "/p/demo/c/zoo/v0"),
        Kind("kept collection", "/p/demo/c/kept"),
        Kind("kept history", "/p/demo/c/kept?show=history"),
        Kind("kept version", "/p/demo/c/kept/v1"),
        Kind("deleted version", "/p/demo/c/kept/v0"),
        Kind("compare", "/p/demo/c/album/compare?a=v0&b=v1"),
        Kind("same", "/p/demo/c/album/compare?a=v1&b=v1"),
        Kind("views", "/p/demo/views"),
        Kind("lineage", "/lineage?node=demo/album:v1"),
        Kind("lineage of a file", "/lineage?node=demo/album:v1&path=notes.txt&explode=1"),
        Kind("not here", "/p/demo/c/nothing"),
        Kind("files", FILES),
        Kind("directory", FILES + "deep"),
        *(
            Kind(f"file {path}", FILES + path)
            for path in previewed_files()
            if path not in LIKE_OTHERS
        ),
        Kind("file reference", FILES + "far.bin"),
        Kind("file image", FILES + "one.image-file.json"),
        Kind("file classes", FILES + "classes.classes.json"),
        *(one for one in table_pages()),
        *(one for one in runs_pages()),
    )


def table_pages() -> tuple[Kind, ...]:
    """The page of a table, and what is opened on it."""
    return (
        Kind("table", GUESSES),
        Kind("table of everything", ZOO),
        Kind("table filtered", f"{GUESSES}?where=guess+!%3D+label&sort=desc:score"),
        Kind("table without rows", f"{GUESSES}?where=id+%3C+0"),
        Kind("table wrong", f"{GUESSES}?where=nothing+%3D+1"),
        Kind("chosen rows", f"{GUESSES}?chosen=2,30&among=0-40"),
        Kind("row of compared tables", f"{COMPARED}&row=10", _opened(".row-beside table")),
        Kind("grouped", f"{GUESSES}?group=label"),
        Kind("compared", COMPARED),
        Kind("side by side", f"{COMPARED}&how=side"),
        Kind("compared in groups", f"{COMPARED}&group=0.guess"),
        Kind("compare dialog", GUESSES, _by_button("Compare", "dialog[open]")),
        Kind("matrix", GUESSES, _by_button("Matrix", "dialog[open] table.matrix")),
        Kind("row", f"{GUESSES}?row=30", _opened("dialog.row-panel .row-cells > div")),
        Kind("pictures", f"{ZOO}?mode=images"),
        Kind("pictures by group", f"{GUESSES}?mode=images&group=label&where=guess+!%3D+label"),
        Kind("captions", f"{GUESSES}?mode=images", _by_button("Captions", ".popup")),
        Kind("row of everything", f"{ZOO}?row=13", _opened("dialog.row-panel .row-cells > div")),
        Kind("help", GUESSES, _by_key("?", "dialog.ask")),
        Kind("go to row", GUESSES, _by_key("g", "dialog.ask")),
        Kind("column menu", GUESSES, _by_button("Menu of score", ".popup")),
        Kind("columns", GUESSES, _by_button("Columns", ".popup")),
        Kind("export", GUESSES, _by_button("Export", ".popup")),
        Kind("boxes and masks", ZOO, _by_button("Boxes and masks", ".popup")),
        Kind("completion", GUESSES, _complete),
        Kind("save view", GUESSES, _by_button("Save view", "dialog[open]"), needs_write=True),
        Kind("save rows", GUESSES, _by_button("Save rows", "dialog[open]"), needs_write=True),
    )


def runs_pages() -> tuple[Kind, ...]:
    """Lists of runs, and runs side by side."""
    return (
        Kind("project of runs", "/p/lab"),
        Kind("runs", RUNS),
        Kind(
            "runs chosen", f"{RUNS}?run=r0,r1,evil&deleted=1&state=finished&tag=cnn&sort=-created"
        ),
        Kind("runs one chosen", f"{RUNS}?run=evil"),
        Kind("runs wrong", f"{RUNS}?where=config.lr+%3E"),
        Kind("runs of groups", f"{RUNS}?group=config.lr,state&open=%5B0.1%2C+%22finished%22%5D"),
        Kind("runs of hostile columns", f"{RUNS}?columns=config,summary,notes"),
        Kind("runs without any", f"{RUNS}?where=config.seed+%3C+0"),
        Kind("columns of runs", RUNS, _by_button("Columns", ".run-columns label")),
        Kind("names of runs", RUNS, _complete_name),
        Kind("points of runs", f"{RUNS}?plot=scatter&colour=group", _opened("#runs-plots .chart")),
        Kind("axes of runs", f"{RUNS}?plot=parallel", _opened("#runs-plots .chart")),
        Kind("runs compared", "/p/lab/compare?run=r0,r3,odd,evil"),
        Kind("differences of runs", "/p/lab/compare?run=r0,r3&differ=1"),
        Kind("no runs compared", "/p/lab/compare"),
    )


def is_ready(page: Any) -> None:
    """Wait until the grid or the groups of a table stand; other pages are ready as they come."""
    if page.locator("#table-data").count():
        page.locator(READY).first.wait_for()


def _opened(selector: str) -> Steps:
    return lambda page: page.locator(selector).first.wait_for()


def _by_key(key: str, selector: str) -> Steps:
    def press(page: Any) -> None:
        page.keyboard.press(key)
        page.locator(selector).wait_for()

    return press


def _by_button(name: str, selector: str) -> Steps:
    def click(page: Any) -> None:
        page.get_by_role("button", name=name, exact=True).click()
        page.locator(selector).first.wait_for()

    return click


def _complete(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("gue")
    page.locator("#condition-list [role=option]").first.wait_for()
    page.keyboard.press("ArrowDown")


def _complete_name(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("lr")
    page.locator("#runs-suggestions [role=option]").first.wait_for()
    page.keyboard.press("ArrowDown")


def put_file(draft: art.Artifact, path: str, data: bytes) -> None:
    with draft.new_file(path, "wb") as file:
        file.write(data)


def _written(write: Callable[[io.BytesIO], Any]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def _picture(side: int = 320) -> bytes:
    rows, columns = np.mgrid[0:side, 0:side]
    pixels = np.stack([columns % 256, rows % 256, (rows + columns) % 256], axis=-1)
    picture = PillowImage.fromarray(pixels.astype(np.uint8))
    return _written(lambda file: picture.save(file, "png"))


def _sound() -> bytes:
    samples = (np.sin(np.arange(4000) / 8) * 9000).astype("<i2").tobytes()
    head = struct.pack(
        "<4sI4s4sIHHIIHH",
        b"RIFF",
        36 + len(samples),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        8000,
        16000,
        2,
        16,
    )
    return head + struct.pack("<4sI", b"data", len(samples)) + samples


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "a" * 100)
        archive.writestr("b/c.txt", "c")
    return file.getvalue()

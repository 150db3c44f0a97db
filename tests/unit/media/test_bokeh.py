"""Documents of Bokeh: files as they are, figures as JSON that is the same each time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from artstore.errors import InvalidInputError, StateError
from artstore.media.bokeh import Bokeh
from tests.unit.media.making import stored, written

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = b'{"version": "3.4.0", "title": "", "roots": []}'


def refused(code: str, value: object) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        Bokeh(value)
    assert caught.value.code == code
    return caught.value


def test_a_file_is_kept_as_it_is(tmp_path) -> None:
    document = Bokeh(written(tmp_path / "a.bokeh.json", DOCUMENT))
    assert (document.read(), document.format) == (DOCUMENT, "bokeh.json")
    assert document.path.startswith("media/bokeh/")
    assert Bokeh(written(tmp_path / "b.json", DOCUMENT)).digest == document.digest
    prepared = document.prepare()
    assert Bokeh.from_cell(prepared.cell, stored(prepared.files)) == document


def test_a_url_is_a_reference() -> None:
    with pytest.raises(StateError):
        Bokeh("https://example.org/plot.bokeh.json").read()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"roots": NaN}', b'{"roots": [}'])
def test_what_is_no_document_is_refused(tmp_path, data) -> None:
    refused("figure-invalid", written(tmp_path / "a.json", data))


def test_other_files_and_values_are_refused(tmp_path) -> None:
    refused("media-format-unknown", tmp_path / "a.html")
    refused("media-file-missing", tmp_path / "a.json")
    refused("media-input-unknown", 5)


def test_without_bokeh_nothing_is_a_figure_and_it_is_not_imported(monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "bokeh.model", raising=False)
    refused("media-input-unknown", object())
    assert "bokeh.model" not in sys.modules


def figure(points: list[float]) -> object:
    plotting = pytest.importorskip("bokeh.plotting")
    plot = plotting.figure(width=200, height=100, title="losses")
    plot.line([1, 2, 3], points)
    plot.scatter([1, 2], [3, 4], size=5)
    return plot


def test_the_same_figure_made_twice_is_the_same_document() -> None:
    first, second = Bokeh(figure([1, 2, 3.5])), Bokeh(figure([1, 2, 3.5]))
    assert first == second
    assert first.read() == second.read()
    assert Bokeh(figure([1, 2, 4])) != first
    value = json.loads(first.read())
    assert re.fullmatch(r"p\d", value["roots"][0]["id"])
    assert '"id":"p1"' in first.read().decode()


def test_a_figure_is_the_same_document_in_another_process() -> None:
    pytest.importorskip("bokeh")
    program = (
        "from tests.unit.media.test_bokeh import *; figure([0]); figure([1]);"
        "print(Bokeh(figure([1, 2, 3.5])).digest.hex())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {Bokeh(figure([1, 2, 3.5])).digest.hex()}


def test_references_between_models_still_lead_to_them() -> None:
    known, named = set(), set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            if "id" in value:
                (named if len(value) == 1 else known).add(value["id"])
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(json.loads(Bokeh(figure([1, 2, 3])).read()))
    assert named
    assert named <= known


def test_a_figure_keeps_its_document_and_a_document_is_taken_too() -> None:
    plot = figure([1, 2, 3])
    from bokeh.document import Document

    document = Document()
    document.add_root(plot)
    alone = Bokeh(plot)
    assert plot.document is document
    assert Bokeh(document).digest == alone.digest
    read = Document.from_json(json.loads(alone.read()))
    assert read.roots[0].title.text == "losses"

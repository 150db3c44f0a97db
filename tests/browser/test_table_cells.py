"""Each renderer of cells draws what it is for, and nothing of a cell becomes markup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.browser.zoo import SCRIPT

OpenPage = Callable[..., Any]

DRAW: Final = """async ([name, kind, cell, enlarged]) => {
  const script = document.querySelector("script[src*='page.js']").src;
  const { RENDERERS } = await import(script.replace("page.js", "cells/registry.js"));
  const renderer = RENDERERS.find((one) => one.name === name);
  const column = { name: "c", type: kind, role: kind, kind, computed: false };
  const drawn = renderer.draw(cell, { column, height: 60, enlarged, range: [0, 10] });
  const box = document.createElement("div");
  box.append(drawn);
  const tags = [...box.querySelectorAll("*")].map((one) => one.tagName.toLowerCase());
  return { text: box.textContent, tags };
}"""

ARRAY: Final = {"$": "array", "dtype": "f", "shape": [2, 2], "shown": [2, 2], "v": [0, 1, None, 3]}
LINE: Final = {"$": "array", "dtype": "f", "shape": [3], "shown": [3], "v": [0, 5, 2]}
TREE: Final = {
    "$": "dict",
    "v": [["k", {"$": "list", "v": [1, SCRIPT], "length": 9}]],
    "length": 1,
}
SOUND: Final = {"$": "media", "kind": "audio", "src": "/x.wav", "frame": None, "caption": SCRIPT}
PAGE: Final = {"$": "media", "kind": "html", "src": None, "frame": None, "caption": SCRIPT}
ELSEWHERE: Final = {"$": "image", "src": None, "thumb": None, "caption": SCRIPT}

CASES: Final = [
    ("number", "number", 0.123456789, "0.123457", {"span"}),
    ("number", "number", {"$": "number", "v": "nan"}, "NaN", {"span"}),
    ("number", "number", {"$": "number", "v": "9007199254740993"}, "9007199254740993", {"span"}),
    ("bar", "number", 5, "5", {"span"}),
    ("bool", "bool", True, "✓ true", {"span"}),
    ("text", "text", SCRIPT, SCRIPT, {"span", "p"}),
    ("text", "text", {"$": "text", "v": SCRIPT, "length": 5000}, SCRIPT, None),
    ("time", "time", {"$": "time", "v": "2024-01-31T12:00:00Z"}, "2024-01-31 12:00:00 UTC", None),
    ("time", "time", {"$": "time", "v": 90.5, "unit": "s"}, "90.5 s", None),
    ("sparkline", "array", LINE, "f 3, 0 to 5", None),
    ("heatmap", "array", ARRAY, "", None),
    ("tree", "dict", TREE, SCRIPT, None),
    ("image", "image", ELSEWHERE, SCRIPT, {"span"}),
    ("audio", "audio", SOUND, "", None),
    ("html", "html", PAGE, SCRIPT, {"span"}),
    ("plain", "other", {"$": "binary", "v": "00", "size": 2000}, "2,000 bytes", {"span"}),
    ("plain", "other", {"$": "of a newer release", "v": SCRIPT}, SCRIPT, {"span"}),
]


@pytest.fixture
def page(open_page: OpenPage) -> Any:
    return open_page("/p/demo/c/guesses/v0/tables/pred")


def test_a_renderer_draws_its_cells_and_never_markup_of_theirs(page: Any) -> None:
    for name, kind, cell, text, tags in CASES:
        for enlarged in (False, True):
            drawn = page.evaluate(DRAW, [name, kind, cell, enlarged])
            where = (name, cell, enlarged, drawn)
            if not (enlarged and name == "number"):
                assert text in drawn["text"], where
            assert "script" not in drawn["tags"], where
            assert tags is None or set(drawn["tags"]) <= tags, where


def test_every_renderer_is_tried_here(page: Any) -> None:
    names = page.evaluate(
        """async () => {
          const script = document.querySelector("script[src*='page.js']").src;
          const { RENDERERS } = await import(script.replace("page.js", "cells/registry.js"));
          return RENDERERS.map((one) => one.name);
        }"""
    )
    # A film is only a player; it has no text of its own.
    assert set(names) - {"video"} == {case[0] for case in CASES}

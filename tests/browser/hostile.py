"""
A store whose every word and file means harm: scripts, formulas, and what no page should hold.
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np

import artstore as art
from artstore.api import Store
from tests.browser.album import put_file

MARK: Final = "hacked"
"""What every script here sets in the window that it runs in, and says in its dialog."""

SCRIPT: Final = f"<script>window.{MARK}=1;alert('{MARK}')</script>"
IMAGE: Final = f"<img src=x onerror=\"window.{MARK}=1;alert('{MARK}')\">"
BREAKOUT: Final = f"\"'></textarea></title></script>{IMAGE}{SCRIPT}"
FORMULA: Final = "=cmd|'/C calc'!A1"
TEMPLATE: Final = "{{ 7*7 }}${7*7}{% raise %}"
NAMES: Final = (SCRIPT, IMAGE, BREAKOUT, FORMULA, TEMPLATE, "__proto__", "constructor")
WORDS: Final = (*NAMES, "\u202egnp.exe")
"""The last one is refused as a name of a column."""
FILE_NAME: Final = f"{IMAGE[:60].replace('/', '_')}'\" #1?x=%2e&a.txt"
LONG_CHARS: Final = 10_000_000

FRAME: Final = f"""<!doctype html><title>x</title><p id="told">still here</p><script>
window.name = "{MARK}";
const told = [];
const attempt = (name, run) => {{
  try {{ told.push(`${{name}} ${{run()}}`); }} catch (error) {{ told.push(`${{name}} refused`); }}
}};
attempt("alert", () => alert("{MARK}"));
attempt("cookie", () => document.cookie);
attempt("storage", () => localStorage.length);
attempt("parent", () => parent.document.title);
attempt("mark", () => {{ parent.{MARK} = 1; return "set"; }});
attempt("top", () => {{ top.location = "https://example.org/"; return "asked"; }});
attempt("popup", () => String(window.open("https://example.org/")));
const picture = new Image();
picture.src = "https://example.org/pixel.png";
Promise.allSettled([fetch("/api/v1/"), fetch("https://example.org/")]).then((answers) => {{
  told.push(`fetch ${{answers.map((one) => one.status)}}`);
  document.getElementById("told").textContent = told.join("; ");
}});
</script>"""

LEAVING: Final = """<!doctype html><title>x</title>
<form action="/p/demo" method="post" id="f"><button>x</button></form>
<script>document.getElementById("f").submit();</script>
<meta http-equiv="refresh" content="0;url=https://example.org/">"""

SVG: Final = f"""<svg xmlns="http://www.w3.org/2000/svg" width="90" height="40"
 onload="window.{MARK}=1;alert('{MARK}')"><script>window.{MARK}=1;alert('{MARK}')</script>
<foreignObject width="90" height="40"><body xmlns="http://www.w3.org/1999/xhtml">
<img src="https://example.org/pixel.png" onerror="alert('{MARK}')"/></body></foreignObject>
<image href="https://example.org/pixel.png"/><rect width="90" height="40" fill="teal"/></svg>"""

MARKDOWN: Final = f"""# {SCRIPT}

{IMAGE}

[click](javascript:window.{MARK}=1) [data](data:text/html,{SCRIPT})
<a href="javascript:alert(1)">raw</a>
[split](java
script:alert(1)) ![picture](https://example.org/pixel.png) [fine](https://example.org/)

<iframe src="javascript:parent.{MARK}=1"></iframe>
"""


def fill_hostile(store: Store, trace: Path) -> Store:
    """
    Log what means harm.

    evil/words  v0: a table of hostile words, hostile metadata, description, message and file names
    evil/files  v0: markup with scripts, and models that would write `trace` if they were loaded
    evil/big    v0: a table with a text of 10,000,000 characters
    """
    words = art.Artifact("words", "dataset", description=MARKDOWN, metadata=_metadata())
    words.add(_table(), "rows")
    put_file(words, FILE_NAME, SCRIPT.encode())
    put_file(words, f"{FILE_NAME[:-4]}.csv", f"{SCRIPT},{FORMULA}\n{IMAGE},{TEMPLATE}\n".encode())
    store.log_artifact(words, message=BREAKOUT)
    again = art.Artifact("words", "dataset", description=IMAGE, metadata={"a": SCRIPT})
    again.add(_table(), "rows")
    store.log_artifact(again, message=SCRIPT)
    files = art.Artifact("files", "dataset")
    for path, data in _files(trace).items():
        put_file(files, path, data)
    files.add(art.Html(FRAME, inject=False), "media")
    store.log_artifact(files)
    big = art.Artifact("big", "dataset")
    text = f"{SCRIPT} " * (LONG_CHARS // (len(SCRIPT) + 1))
    big.add(art.Table(["id", "text"], data=[[1, text], [2, "short"]]), "rows")
    store.log_artifact(big)
    return store


def _table() -> art.Table:
    names = [*NAMES, "picture", "tree", "page"]
    table = art.Table(names)
    for number in range(12):
        word = WORDS[number % len(WORDS)]
        table.add_data(
            *[word] * len(NAMES),
            _image(word),
            {word: [word, {word: 1}]},
            art.Html(FRAME, inject=False),
        )
    return table


def _image(word: str) -> art.Image:
    box: dict[str, Any] = {
        "position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.6},
        "class_id": 0,
        "box_caption": word,
        "scores": {word: 0.5},
    }
    layer = {word: {"box_data": [box], "class_labels": {0: word}}}
    return art.Image(np.zeros((8, 8), np.uint8), caption=word, boxes=layer)


def _metadata() -> dict[str, Any]:
    return {word: {"value": word, "list": [word]} for word in WORDS}


class _Harm:
    """What writes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


def _files(trace: Path) -> dict[str, bytes]:
    harm = pickle.dumps({"weight": _Harm(trace)})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model/data.pkl", harm)
        archive.writestr("model/version", b"3")
    return {
        "page.html": FRAME.encode(),
        "leaving.html": LEAVING.encode(),
        "page.xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><body>'
        + SCRIPT.encode()
        + b"</body></html>",
        "drawing.svg": SVG.encode(),
        "notes.md": MARKDOWN.encode(),
        "script.js": f"window.{MARK}=1".encode(),
        "no ending": SCRIPT.encode(),
        "looks.png": FRAME.encode(),
        "data.json": b'{"__proto__": {"%s": 1}, "a": "%s"}'
        % (MARK.encode(), b"</script><script>alert(1)</script>"),
        "model.pt": file.getvalue(),
        "model.pkl": harm,
    }

"""
Our ES modules as one script, and a page that needs nothing but itself.

There is no build step: modules are put one behind another, each in a function of its
own, in the order in which they need each other. Only the few forms of `import` and
`export` that our modules have are understood; any other one is an error, not a guess.
The policy of such a page names the one script and the one style sheet by their SHA-256,
so that nothing else in it is ever run, whatever the cells of a table hold.
"""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Mapping
from html import escape
from importlib import resources
from typing import Any, Final, NamedTuple

__all__ = [
    "FilePage",
    "ModuleForm",
    "bundled",
    "file_page",
    "own_source",
    "script_json",
    "without_comments",
]

_IMPORT: Final = re.compile(
    r'^import\s+(?:\{(?P<names>[^}]*)\}\s+from\s+)?"(?P<path>\.[^"]*)";[ \t]*$', re.MULTILINE
)
_EXPORT: Final = re.compile(
    r"^export\s+(?=(?:async\s+)?(?:function|class|const)\s+(?P<name>[A-Za-z_$][\w$]*))",
    re.MULTILINE,
)
_STRANGE: Final = re.compile(
    r"^\s*(?:import\b(?!\()|export\b)|\bimport\s*\(|\bimport\.meta\b", re.MULTILINE
)
_TYPE: Final = re.compile(r"/\*\* @(?:type|param) \{(?:[^*]|\*(?!/))*\*/ ?")


class ModuleForm(ValueError):  # noqa: N818 - a fault of ours, found by a test and met by nobody
    """A module is written in a way that the assembler does not know."""


class FilePage(NamedTuple):
    """
    What a page in one file is made of.

    Attributes:
        main: its HTML, escaped, without scripts and styles.
        data: of scripts, by the id of the element that holds it.
    """

    title: str
    main: str
    script: str
    style: str
    data: Mapping[str, Any]


def own_source(name: str) -> str:
    """One of our files, by its path below `artstore/web`."""
    return resources.files("artstore.web").joinpath(name).read_text("utf-8")


def bundled(
    entry: str,
    source: Callable[[str], str] = own_source,
    replaced: Mapping[str, str] | None = None,
) -> str:
    """
    A module and all that it imports as one script that is no module.

    Args:
        source: gives the text of a module by its path.
        replaced: modules that others stand for.
    Raises:
        ModuleForm: an import or export that is not understood, or modules in a circle.
    """
    order: dict[str, str] = {}
    _add(entry, source, replaced or {}, order, ())
    parts = "".join(order.values())
    return f'"use strict";\n(() => {{\nconst modules = {{}};\n{parts}}})();\n'


def _add(
    name: str,
    source: Callable[[str], str],
    replaced: Mapping[str, str],
    order: dict[str, str],
    above: tuple[str, ...],
) -> None:
    if name in order:
        return
    if name in above:
        raise ModuleForm(f"modules import each other in a circle: {' '.join((*above, name))}")
    text = source(name)

    def imported(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), match["path"]))
        path = replaced.get(path, path)
        _add(path, source, replaced, order, (*above, name))
        if match["names"] is None:
            return ""
        names = re.sub(r"(\S+)\s+as\s+(\S+)", r"\1: \2", " ".join(match["names"].split()))
        return f"const {{ {names} }} = modules[{json.dumps(path)}];"

    body = _IMPORT.sub(imported, without_comments(text))
    exports = [match["name"] for match in _EXPORT.finditer(body)]
    body = _EXPORT.sub("", body)
    strange = _STRANGE.search(body)
    if strange is not None:
        line = body[strange.start() :].strip().partition("\n")[0]
        raise ModuleForm(f"{name} has an import or export that is not understood: {line:.100}")
    given = ", ".join(exports)
    order[name] = (
        f"modules[{json.dumps(name)}] = (() => {{\n{body.strip()}\nreturn {{ {given} }};\n}})();\n"
    )


def without_comments(text: str) -> str:
    """
    A script or style sheet without indentation, and without the comments that have lines of
    their own or tell a type.

    What stands within backticks stays as it is. A fifth less to send, and no syntax to know.
    """
    kept: list[str] = []
    is_comment = is_template = False
    for line in text.splitlines():
        if is_template:
            kept.append(line)
        else:
            bare, is_comment = _behind_comments(line.strip(), is_comment)
            bare = _TYPE.sub("", bare)
            if not bare:
                continue
            kept.append(bare)
        is_template ^= line.count("`") % 2 == 1
    return "\n".join(kept) + "\n"


def _behind_comments(line: str, is_comment: bool) -> tuple[str, bool]:  # noqa: FBT001 - private
    """What is left of a line behind the comments that it begins with; whether one goes on."""
    while is_comment or line.startswith("/*"):
        _, end, line = line.partition("*/")
        if not end:
            return "", True
        is_comment, line = False, line.lstrip()
    return "" if line.startswith("//") else line, False


def file_page(page: FilePage) -> str:
    """
    The HTML of a page whose policy lets nothing in, and nothing out.

    Raises:
        ModuleForm: a script or style that would end its own element.
    """
    for text in (page.script, page.style):
        if re.search(r"</(?:script|style)|<!--", text, re.IGNORECASE):
            raise ModuleForm("a script or style sheet has what ends its element")
    policy = (
        f"default-src 'none'; script-src {_hash(page.script)}; style-src {_hash(page.style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    data = "".join(
        f'<script type="application/json" id="{escape(name)}">{script_json(value)}</script>\n'
        for name, value in page.data.items()
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(page.title)}</title>\n"
        # Without one of its own a browser may ask for /favicon.ico.
        '<link rel="icon" href="data:,">\n'
        f"<style>{page.style}</style>\n</head>\n"
        f'<body class="table-page">\n{page.main}\n{data}'
        f"<script>{page.script}</script>\n</body>\n</html>\n"
    )


def script_json(value: Any) -> str:
    """JSON that ends no element, wherever it stands in HTML."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode("utf-8", "replace").decode("utf-8")


def _hash(text: str) -> str:
    # The browser hashes what it has parsed, in which a line ends with a line feed.
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"

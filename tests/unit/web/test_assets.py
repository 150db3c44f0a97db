"""What our scripts and style sheets become on their way to the browser."""

from __future__ import annotations

import re

import pytest

from artstore.errors import NotFoundError
from artstore.web import assets as assets_module
from artstore.web.assets import BUNDLES, Assets
from artstore.web.onefile import without_comments

TEXT = """// what this is
import { a } from "./a.js"; // stays: code stands before it

/**
 * Told to people.
 */
export function b(c) {
  /** @type {Element|null} */ (c)?.focus();
  const d = "https://example.org/*";
  c = /** @type {any} */ (d).e(/** @type {Record<string, (a: number) => void>} */ (c));
  /* one */ /* two */ return `
  // not a comment
    ${d}`;
}
/* a
   b */ b(1);
"""


def test_comments_of_their_own_go_and_code_stays() -> None:
    assert without_comments(TEXT) == (
        'import { a } from "./a.js"; // stays: code stands before it\n'
        "export function b(c) {\n"
        "(c)?.focus();\n"
        'const d = "https://example.org/*";\n'
        "c = (d).e((c));\n"
        "return `\n"
        "  // not a comment\n"
        "    ${d}`;\n"
        "}\n"
        "b(1);\n"
    )


def test_what_has_no_comment_is_whole() -> None:
    assert without_comments("a {\n  b: c;\n}\n") == "a {\nb: c;\n}\n"


def test_a_bundle_has_each_module_once_and_imports_nothing() -> None:
    assets = Assets("")
    for name, entry in BUNDLES.items():
        text = assets.get(name)[0].data.decode()
        modules = re.findall(r'^modules\["(.*?)"\] =', text, re.MULTILINE)
        assert modules[-1] == f"static/{entry}"
        assert len(modules) == len(set(modules)) > 2
        assert not re.search(r"^(?:import|export)\b", text, re.MULTILINE)


def test_only_who_may_write_gets_what_saves() -> None:
    assets = Assets("")
    names = ("table.bundle.js", "write.bundle.js")
    plain, writing = (assets.get(name)[0].data for name in names)
    assert b'modules["static/tables/saving.js"]' in writing
    assert b'modules["static/tables/saving.js"]' not in plain


def test_what_nobody_asks_for_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = assets_module.bundled

    def noted(entry: str) -> str:
        made.append(entry)
        return real(entry)

    monkeypatch.setattr(assets_module, "bundled", noted)
    assets = Assets("/art")
    assert assets.address("write.bundle.js") == f"/art/static/{assets.digest}/write.bundle.js"
    assert set(BUNDLES) < set(assets.names())
    assert made == []
    first, is_forever = assets.get(f"{assets.digest}/table.bundle.js")
    assert (assets.get("table.bundle.js"), is_forever) == ((first, False), True)
    assert made == ["static/tables/table.js"]
    assert Assets("").digest == assets.digest
    for name in ("../assets.py", "bundle.js", ""):
        with pytest.raises(NotFoundError):
            assets.get(name)
        with pytest.raises(KeyError):
            assets.address(name)

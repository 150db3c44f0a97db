"""What our scripts and style sheets become on their way to the browser."""

from __future__ import annotations

import re

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
    for name in BUNDLES:
        text = assets.get(name)[0].data.decode()
        modules = re.findall(r'^modules\["(.*?)"\] =', text, re.MULTILINE)
        assert "static/table.js" in modules
        assert len(modules) == len(set(modules)) > 20
        assert not re.search(r"^(?:import|export)\b", text, re.MULTILINE)


def test_only_who_may_write_gets_what_saves() -> None:
    assets = Assets("")
    plain, writing = (assets.get(name)[0].data for name in BUNDLES)
    assert b'modules["static/saving.js"]' in writing
    assert b'modules["static/saving.js"]' not in plain

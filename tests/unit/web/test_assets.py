"""What our scripts and style sheets become on their way to the browser."""

from __future__ import annotations

from artstore.web.assets import without_comments

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

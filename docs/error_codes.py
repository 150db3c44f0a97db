"""
Write docs/reference/error-codes.md and tests/golden/error-codes.txt from the source.

    python docs/error_codes.py            write both
    python docs/error_codes.py --check    only say whether they are current

The golden list is append-only: a code that was once released is never taken out
of it, and a test fails when the package no longer knows it.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "artstore"
PAGE = ROOT / "docs" / "reference" / "error-codes.md"
GOLDEN = ROOT / "tests" / "golden" / "error-codes.txt"

sys.path.insert(0, str(ROOT / "src"))

from artstore import errors  # noqa: E402 - needs the path above

HEADER = """\
# Error codes

<!-- Written by docs/error_codes.py out of errors.CODES; change it there. -->

Every error of artstore has a class, which says what a handler does about it, and
a code, which says what happened: `error.code` in Python, `"code"` in what the
commands print with `--json`. A code never changes its meaning and is never
removed. The exit status of a command belongs to the class.

"""


def classes_by_code() -> dict[str, set[str]]:
    """The error classes that each code is raised with, wherever the source says it outright."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted(SOURCE.rglob("*.py")):
        text = file.read_text("utf-8")
        for node in ast.walk(ast.parse(text)) if "code=" in text else ():
            if not isinstance(node, ast.Call) or not isinstance(
                node.func, (ast.Name, ast.Attribute)
            ):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name not in errors.__all__:
                continue
            for keyword in node.keywords:
                if keyword.arg == "code":
                    for code in _texts(keyword.value):
                        found[code].add(name)
    return found


def _texts(node: ast.expr) -> list[str]:
    return [
        n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]


def class_table() -> str:
    """Every class with its exit and HTTP status."""
    rows = ["| class | also a | exit | HTTP | what it means |", "|---|---|---|---|---|"]
    kinds = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    for kind in sorted(
        kinds, key=lambda kind: (kind.exit_status, len(kind.__mro__), kind.__name__)
    ):
        bases = ", ".join(f"`{base.__name__}`" for base in kind.__bases__ if base is not Exception)
        summary = " ".join(kind.__doc__.strip().split("\n\n")[0].split())
        rows.append(
            f"| `{kind.__name__}` | {bases} | {kind.exit_status} | {kind.http_status} | {summary} |"
        )
    return "\n".join(rows)


def code_table() -> str:
    """Every code in the order of errors.CODES."""
    found = classes_by_code()
    rows = ["| code | what happened | class |", "|---|---|---|"]
    for code, meaning in errors.CODES.items():
        classes = ", ".join(f"`{name}`" for name in sorted(found[code]))
        rows.append(f"| `{code}` | {meaning} | {classes} |")
    return "\n".join(rows)


def page() -> str:
    """The whole page."""
    return f"{HEADER}## Codes\n\n{code_table()}\n\n## Classes\n\n{class_table()}\n"


def golden() -> str:
    """What was released before, then what is new."""
    known = GOLDEN.read_text("utf-8").split() if GOLDEN.exists() else []
    return "\n".join([*known, *(code for code in errors.CODES if code not in known)]) + "\n"


def main() -> int:
    """Write or check both files; the exit status is 1 if one was out of date."""
    stale = []
    for file, text in ((PAGE, page()), (GOLDEN, golden())):
        if file.exists() and file.read_text("utf-8") == text:
            continue
        stale.append(file.relative_to(ROOT))
        if "--check" not in sys.argv[1:]:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    for file in stale:
        print(f"{'out of date' if '--check' in sys.argv[1:] else 'written'}: {file}")
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())

"""
The package as syntax trees, for all checks of the whole source: parsed once, walked once.
"""

from __future__ import annotations

import ast
import gc
from functools import cache
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).resolve().parents[1] / "src" / "artstore"


@cache
def sources() -> dict[str, ast.Module]:
    """Dotted name -> syntax tree, packages by the name of their directory."""
    gc.collect()
    gc.disable()
    try:
        found = {_name(file): _parsed(file) for file in sorted(SOURCE.rglob("*.py"))}
        for tree in found.values():
            walked(tree)
    finally:
        # Millions of nodes that stay: no search for garbage goes through them.
        gc.freeze()
        gc.enable()
    return found


@cache
def walked(tree: ast.AST) -> tuple[ast.AST, ...]:
    """All nodes of a tree."""
    return tuple(ast.walk(tree))


def _name(file: Path) -> str:
    parts = ("artstore", *file.relative_to(SOURCE).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 2:
        parts = parts[:-1]
    return ".".join(parts)


def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"), str(file))

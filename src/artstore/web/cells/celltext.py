"""
Cells as one line of text: for the first page of a table, which is there without scripts.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["cell_text"]

_CHARS: Final = 120
_MEMBERS: Final = 8


def cell_text(cell: Any, depth: int = 0) -> str:
    """A cell as `celljson.cells_json` tells it, in at most some 120 characters."""
    if cell is None:
        return "null" if depth else ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return f"{cell:.6g}"
    if isinstance(cell, (int, str)):
        return _cut(str(cell))
    return _cut(_TELLERS.get(cell["$"], _unknown)(cell, depth))


def _cut(text: str) -> str:
    return text if len(text) <= _CHARS else f"{text[:_CHARS]}…"


def _plain(cell: dict[str, Any], depth: int) -> str:
    del depth
    unit = f" {cell['unit']}" if "unit" in cell else ""
    return f"{cell['v']}{unit}"


def _binary(cell: dict[str, Any], depth: int) -> str:
    del depth
    return f"{cell['size']:,} bytes"


def _list(cell: dict[str, Any], depth: int) -> str:
    shown = [cell_text(one, depth + 1) for one in cell["v"][:_MEMBERS]]
    more = [f"… {cell['length']:,} in all"] if cell["length"] > len(shown) else []
    return f"[{', '.join(shown + more)}]"


def _dict(cell: dict[str, Any], depth: int) -> str:
    pairs = [f"{name}: {cell_text(one, depth + 1)}" for name, one in cell["v"][:_MEMBERS]]
    return f"{{{', '.join(pairs + (['…'] if len(cell['v']) > _MEMBERS else []))}}}"


def _array(cell: dict[str, Any], depth: int) -> str:
    del depth
    return f"{cell['dtype']} {'x'.join(map(str, cell['shape']))}"


def _media(cell: dict[str, Any], depth: int) -> str:
    del depth
    return str(cell.get("caption") or cell.get("kind") or cell["$"])


def _unknown(cell: dict[str, Any], depth: int) -> str:
    del depth
    return str(cell["$"])


_TELLERS: Final = {
    "number": _plain,
    "text": _plain,
    "time": _plain,
    "binary": _binary,
    "list": _list,
    "dict": _dict,
    "array": _array,
    "image": _media,
    "media": _media,
}

"""What is out of date, as JSON values and as text."""

from __future__ import annotations

from typing import Any, Final

from artstore.lineage.captions import visible
from artstore.lineage.jsonvalues import version_value
from artstore.lineage.spreading import Cause
from artstore.lineage.stale import StaleReport
from artstore.lineage.texttree import describe

__all__ = ["cause_line", "cause_value", "report_lines", "report_value"]

_LONGEST_CHARS: Final = 5000
"""The way to a cause may lead by many nodes."""
_SAID: Final = {
    "bad": "is marked bad",
    "deleted": "was deleted",
    "missing": "is not in the store",
}


def report_value(report: StaleReport) -> dict[str, Any]:
    """`stale` of docs/reference/json.md."""
    return {
        "checked_versions": report.checked_count,
        "versions": [
            {
                "version": version_value(one.version),
                "current": one.is_current,
                "causes": [cause_value(cause) for cause in one.causes],
                "more": one.has_more,
            }
            for one in report.versions
        ],
    }


def cause_value(cause: Cause) -> dict[str, Any]:
    """`causes` of docs/reference/json.md, `stale`."""
    return {
        "kind": cause.kind,
        "input": str(cause.input),
        "newer": None if cause.newer is None else str(cause.newer),
        "asked": cause.asked,
        "direct": cause.is_direct,
        "path": [str(name) for name in cause.path],
    }


def report_lines(report: StaleReport) -> list[str]:
    """A line for each version, and one below it for each cause."""
    lines = []
    for one in report.versions:
        lines.append(describe(one.version))
        lines += [
            f"  {visible(cause_line(cause), longest_chars=_LONGEST_CHARS)}" for cause in one.causes
        ]
        lines += ["  (more not shown)"] if one.has_more else []
    return lines


def cause_line(cause: Cause) -> str:
    """`from demo/digits:v1: there is demo/digits:v2`, as it is; not made fit to be shown."""
    asked = f" (asked for: {cause.asked})" if cause.asked else ""
    said = f"there is {cause.newer}" if cause.kind == "newer" else _SAID[cause.kind]
    if cause.kind != "newer" and cause.newer is not None:
        said += f"; there is {cause.newer}"
    between = "".join(f", by way of {name}" for name in cause.path[-2:0:-1])
    return f"from {cause.input}{asked}{between}: {said}"

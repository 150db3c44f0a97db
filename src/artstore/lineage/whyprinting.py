"""Answers to why, as JSON values and as text."""

from __future__ import annotations

from typing import Any, Final

from artstore.lineage.captions import visible
from artstore.lineage.jsonvalues import edge_value, run_value, version_value
from artstore.lineage.records import Edge, RunFacts, VersionName
from artstore.lineage.texttree import describe
from artstore.lineage.why import Step, WhyReport

__all__ = ["why_lines", "why_value"]

_LONGEST_CHARS: Final = 5000
"""A path has up to 4,096, and of a command line all is of interest."""
_TRAIL: Final = {
    "asked": "{path} of {version}",
    "unchanged": "  has not changed since {version}",
    "linked": "  is a link to {path} of {version}",
}
_INPUT: Final = {
    "used": "used",
    "linked": "link to",
    "depends": "depends on",
    "derived": "copied from",
}


def why_value(answer: WhyReport) -> dict[str, Any]:
    """`why` of docs/reference/json.md."""
    return {
        "id": str(answer.version.name),
        "path": answer.path,
        "digest": answer.digest,
        "trail": [
            {"id": str(one.version), "path": one.path, "how": one.how} for one in answer.trail
        ],
        "steps": [_step_value(step) for step in answer.steps],
    }


def _step_value(step: Step) -> dict[str, Any]:
    return {
        "level": step.level,
        "version": version_value(step.version),
        "run": None if step.run is None else run_value(step.run),
        "also_logged_by": [str(name) for name in step.also],
        "inputs": [edge_value(edge) for edge in step.inputs],
        "truncated": step.is_truncated,
    }


def why_lines(answer: WhyReport) -> list[str]:
    """One block a step, nearest first."""
    lines = [
        _full(_TRAIL[one.how].format(path=one.path, version=one.version)) for one in answer.trail
    ]
    told: set[VersionName] = {step.version.name for step in answer.steps}
    for step in answer.steps:
        lines += [""] if lines else []
        lines.append(describe(step.version))
        lines += [f"  {line}" for line in _made_by(step)]
        lines += [f"  {line}" for line in _inputs(step, told)]
    return lines


def _full(text: str) -> str:
    return visible(text, longest_chars=_LONGEST_CHARS)


def _made_by(step: Step) -> list[str]:
    version, run = step.version, step.run
    if run is None:
        by = f" by {version.created_by}" if version.created_by else ""
        when = f", {version.created}" if version.created else ""
        return [visible(f"no run logged it; pushed{by}{when}")] if by or when else []
    lines = [f"logged by {describe(run)}", *(_full(line) for line in _run_lines(run))]
    if step.also:
        lines.append(visible(f"logged again by {', '.join(str(name) for name in step.also)}"))
    return lines


def _run_lines(run: RunFacts) -> list[str]:
    lines = []
    if run.started or run.author:
        by = f"by {run.author}" if run.author else ""
        lines.append(f"started   {' '.join(part for part in (run.started, by) if part)}")
    if run.command:
        lines.append(f"command   {run.command}")
    if run.commit:
        changed = " with uncommitted changes" if run.is_changed else ""
        where = f" of {run.repository}" if run.repository else ""
        lines.append(f"commit    {run.commit}{where}{changed}")
    return lines


def _inputs(step: Step, told: set[VersionName]) -> list[str]:
    lines = []
    for edge in step.inputs:
        assert isinstance(edge.before, VersionName)
        beyond = "" if edge.before in told else "  (more not shown)"
        lines.append(f"{_INPUT[edge.kind]} {visible(_input_text(edge))}{beyond}")
    if step.is_truncated and not step.inputs:
        lines.append("(more not shown)")
    return list(dict.fromkeys(lines))


def _input_text(edge: Edge) -> str:
    asked = f" (asked for: {edge.asked})" if edge.asked else ""
    return f"{edge.before}{asked}"

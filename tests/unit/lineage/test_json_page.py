"""The JSON values have the keys that docs/reference/json.md lists, of the types it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from artstore.lineage.graph import graph
from artstore.lineage.records import FileFacts
from artstore.lineage.stale import stale
from artstore.lineage.why import why
from tests.unit.lineage.memory import MemorySource, node, pipeline, version

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "json.md"
TYPES = {
    "text": str,
    "number": int,
    "boolean": bool,
    "object": dict,
    "list": list,
    "list of texts": list,
}
ROW = re.compile(r"\| (`[^|]+) \| ([^|]+) \|")


def documented() -> dict[str, dict[str, str]]:
    """By `command` or `command member`: keys and their types, in the order of the page."""
    found: dict[str, dict[str, str]] = {}
    command = title = ""
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("### "):
            command = title = line.removeprefix("### ")
        elif match := re.match(r"A member of `(\w+)`", line):
            title = f"{command} {match[1]}"
        elif match := ROW.match(line):
            keys = re.findall(r"`(\w+)`", match[1])
            found.setdefault(title, {}).update(dict.fromkeys(keys, match[2].strip()))
    return found


DOCUMENTED = documented()


def check(title: str, value: dict[str, Any], keys: set[str] | None = None) -> None:
    told = DOCUMENTED[title]
    assert set(value) == (set(told) if keys is None else keys), title
    for key, item in value.items():
        kinds = told[key].split(" or ")
        if item is None:
            assert "null" in kinds, (title, key)
        else:
            allowed = tuple(TYPES[kind] for kind in kinds if kind != "null")
            assert isinstance(item, allowed), (title, key, item)
            assert isinstance(item, bool) == ("boolean" in kinds), (title, key)


def filled() -> MemorySource:
    source = pipeline()
    source.add("raw:v1")
    for number in range(2):
        source.files[version(f"raw:v{number}"), "f"] = FileFacts("00" * 32)
    return source


VERSION_KEYS = (
    "id kind project state name version store_id type digest size_bytes created_at created_by "
    "aliases tags bad"
)
RUN_KEYS = (
    "id kind project state run title job_type started_at ended_at author commit repository "
    "uncommitted_changes command"
)


def test_lineage() -> None:
    value = graph(filled(), [node("model:v0")], depth=2).to_json()
    check("lineage", value)
    for member in ("nodes", "edges", "truncated"):
        assert value[member]
        for one in value[member]:
            check(f"lineage {member}", one)


def test_why() -> None:
    value = why(filled(), version("raw:v1"), "f").to_json()
    check("why", value)
    check("why", why(filled(), version("model:v0")).to_json())
    assert len(value["trail"]) == 2
    for one in value["trail"]:
        check("why trail", one)
    for step in why(filled(), version("model:v0")).to_json()["steps"]:
        check("why steps", step)
        check("lineage nodes", step["version"], set(VERSION_KEYS.split()))
        check("lineage nodes", step["run"], set(RUN_KEYS.split()))
        for one in step["inputs"]:
            check("lineage edges", one)


def test_stale() -> None:
    value = stale(filled()).to_json()
    check("stale", value)
    assert value["versions"]
    for one in value["versions"]:
        check("stale versions", one)
        check("lineage nodes", one["version"], set(VERSION_KEYS.split()))
        for cause in one["causes"]:
            check("stale causes", cause)

"""Every command prints the keys that docs/reference/json.md lists for it, no more, no fewer."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from artstore.cli.demo import DemoReport
from artstore.cli.program import COMMANDS
from tests.cli.conftest import Art

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "json.md"
TYPES = {
    "text": str,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "list": list,
    "list of texts": list,
}


def documented() -> dict[str, dict[str, str]]:
    """By command, or `command member`: the keys of its tables and their types."""
    found: dict[str, dict[str, str]] = {}
    titles: list[str] = []
    for line in PAGE.read_text("utf-8").partition("## Values by command")[2].splitlines():
        if line.startswith("### "):
            commands = titles = line.removeprefix("### ").split(", ")
        elif match := re.match(r"A member of (?:`(\w+)`|each list)", line):
            titles = [f"{name} {match[1] or 'each'}" for name in commands]
        elif line.startswith("With a KEY"):
            titles = ["config KEY"]
        elif match := re.match(r"\| (`[^|]+) \| ([^|]+) \|", line):
            for title in titles:
                keys = re.findall(r"`(\w+)`", match[1])
                found.setdefault(title, {}).update(dict.fromkeys(keys, match[2].strip()))
    return found


DOCUMENTED = documented()


def check(title: str, value: dict[str, Any], *, without: set[str] | None = None) -> None:
    keys = DOCUMENTED[title]
    assert set(value) == set(keys) - (without or set()), title
    for key, item in value.items():
        kinds = keys[key].replace(", ", " or ").split(" or ")
        if item is None:
            assert "null" in kinds, (title, key)
        else:
            allowed = tuple(TYPES[kind] for kind in kinds if kind != "null")
            assert any(isinstance(item, kind) for kind in allowed), (title, key, item)
            assert not isinstance(item, bool) or "boolean" in kinds, (title, key)


@pytest.fixture
def filled(art: Art, home: Path) -> Art:
    data = home / "work" / "data"
    (data / "train").mkdir(parents=True)
    (data / "a.txt").write_text("a")
    (data / "b.txt").write_text("b")
    (data / "link").symlink_to("a.txt")
    check("push", art("push", "data", "ds", "--alias", "best", "-m", "why", "--json").json)
    (data / "a.txt").write_text("changed")
    (data / "c.txt").write_text("c")
    (data / "b.txt").rename(data / "train/b.txt")
    check("push", art("push", "data", "ds", "--metadata", "k=1", "--json").json)
    return art


def test_every_command_is_documented() -> None:
    titles = {title.split()[0] for title in DOCUMENTED}
    assert titles >= set(COMMANDS) - {"show"}
    page = PAGE.read_text("utf-8")
    assert "\n### show\n" in page


def test_demo() -> None:
    assert list(DOCUMENTED["demo"]) == [field.name for field in fields(DemoReport)]


def test_push_of_equal_content_has_the_same_keys(filled: Art) -> None:
    check("push", filled("push", "data", "ds", "--json").json)


def test_pull(filled: Art) -> None:
    check("pull", filled("pull", "ds", "--json").json)
    check("pull", filled("pull", "ds", "--dry-run", "--json").json)


def test_ls(filled: Art) -> None:
    others = {"name", "version", "prefix", "versions", "entries"}
    found = filled("ls", "--json").json
    check("ls", found, without=others)
    check("ls artifacts", found["artifacts"][0])
    check("ls", filled("ls", "default/", "--json").json, without=others | {"projects"})
    found = filled("ls", "ds", "--json").json
    check("ls", found, without={"version", "prefix", "projects", "artifacts", "entries"})
    assert [item["version"] for item in found["versions"]] == ["v1", "v0"]
    check("ls versions", found["versions"][0])
    found = filled("ls", "ds:v0", "--json").json
    check("ls", found, without={"projects", "artifacts", "versions"})
    for entry in found["entries"]:
        check("ls entries", entry)
    assert [e["target"] for e in found["entries"] if e["kind"] == "symlink"] == ["a.txt"]


def test_show(filled: Art) -> None:
    without = {"is_new", "stored_bytes", "read_bytes", "seconds", "warnings"}
    kept = DOCUMENTED["show"].keys()
    for name in ("ds", "ds:v0"):
        found = filled("show", name, "--json").json
        check("show", {key: found.pop(key) for key in kept})
        check("push", found, without=without)


def test_log(filled: Art) -> None:
    found = filled("log", "ds", "--json").json
    check("log", found)
    for record in found["log"]:
        check("log log", record)
    assert [record["version"] for record in found["log"]][:2] == ["v1", "v0"]


def test_cat(filled: Art) -> None:
    found = filled("cat", "ds", "a.txt", "--json").json
    check("cat", found)
    assert found["content"] == "changed"


def test_diff(filled: Art) -> None:
    found = filled("diff", "ds:v0", "ds:v1", "--json").json
    check("diff", found)
    for key in ("added", "changed", "renamed"):
        assert found[key], key
        check("diff each", found[key][0])


def test_alias_and_tag(filled: Art) -> None:
    check("alias", filled("alias", "ds", "x", "--json").json)
    check("tag", filled("tag", "ds", "x", "--json").json)


def test_what_is_kept(filled: Art) -> None:
    check("pin", filled("pin", "ds", "--until", "1d", "--json").json)
    check("unpin", filled("unpin", "ds", "--json").json)
    check("protect", filled("protect", "ds", "best", "--json").json)
    found = filled("prune", "ds", "--keep-last", "1", "--save", "--json").json
    check("prune", found)
    check("prune collections", found["collections"][0])


def test_rm_and_restore(filled: Art) -> None:
    check("rm", filled("rm", "ds:v0", "--force", "--json").json)
    check("restore", filled("restore", "ds:v0", "--json").json)


def test_gc_and_purge(filled: Art) -> None:
    report = filled("gc", "--dry-run", "--json").json
    check("gc", report)
    check("gc plan", report["plan"])
    purged = filled("rm", "ds:v0", "--purge", "--force", "--json").json
    check("rm --purge", purged)
    check("gc", purged["garbage"])
    check("gc", filled("du", "--reclaimable", "--json").json)


def test_verify_check_and_du(filled: Art) -> None:
    check("verify", filled("verify", "ds", "--json").json)
    filled("pull", "ds")
    check("verify", filled("verify", "ds", "ds", "--json").json)
    check("check", filled("check", "--json").json)
    check("check", filled("check", "--repair", "--dry-run", "--json").json)
    check("du", filled("du", "--json").json)
    check("du", filled("du", "ds", "--json").json)


def test_table_import_and_export(art: Art, home: Path) -> None:
    (home / "work" / "rows.csv").write_text("id,label\n1,cat\n2,dog\n")
    art("init", "store")
    imported = art("table", "import", "pets/examples", "rows.csv", "--json").json
    check("table import", imported)
    assert (imported["name"], imported["sources"]) == ("pets:v0/examples", [])
    assert imported["columns"] == [{"name": "id", "type": "int"}, {"name": "label", "type": "text"}]
    exported = art("table", "export", "pets/examples", "out.csv", "--json").json
    check("table export", exported)
    assert (exported["name"], exported["row_count"]) == ("pets/examples", 2)
    again = art("table", "import", "pets/again", "out.csv", "--json").json
    check("table import", again)
    assert again["sources"] == ["default/pets:v0/examples"]
    check("table show", art("table", "show", "pets/examples", "--json").json)


def test_cache(filled: Art) -> None:
    check("cache", filled("cache", "--json").json)
    check("cache prune", filled("cache", "prune", "0", "--json").json)


def test_init(filled: Art) -> None:
    check("init", filled("init", "store", "--json").json)


def test_doctor(filled: Art) -> None:
    for place in ((), ("elsewhere",)):
        found = filled("doctor", *place, "--json").json
        check("doctor", found)
        for finding in found["findings"]:
            check("doctor findings", finding)


def test_config_and_completion(art: Art) -> None:
    check("config", art("config", "--json").json)
    check("config KEY", art("config", "url", "--json").json)
    check("config KEY", art("config", "cache_max", "1GB", "--json").json)
    check("config KEY", art("config", "cache_max", "--json").json)
    check("config KEY", art("config", "cache_max", "--unset", "--json").json)
    check("completion", art("completion", "bash", "--json").json)

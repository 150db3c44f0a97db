"""
The shape of the package: layers, fences around third parties, names, sizes, start-up cost.

The layers are those of ARCHITECTURE.md. Imports count wherever they stand:
inside functions and under TYPE_CHECKING too, since knowing a type is knowing
the module.
"""

from __future__ import annotations

import ast
import fnmatch
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.sourcetrees import SOURCE, sources, walked

ROOT = Path(__file__).resolve().parent.parent

# Rooms by layer, the lowest first; a room is a module or a package right below
# artstore/. Imports go down. Within a room everything may import everything
# (without cycles); rooms of one layer do not know each other. `+` joins modules
# into one room.
LAYERS: list[tuple[str, ...]] = [
    (
        (
            "errors + limits + clock + durations + forks + digest + names + canonical + sealed"
            " + columns + _version"
        ),
    ),
    ("storage",),
    ("chunks",),
    ("packs",),
    ("manifests",),
    ("catalog", "media"),
    ("references", "tables", "lineage"),
    ("transfer", "upkeep", "runs"),
    ("garbage",),
    (
        (
            "additions + api + artifact + defaultstore + drafts + lineagesource + logged"
            " + publicapi + records + settings + storelineage"
            " + storeaccess + storeconnection + storegarbage + storeretention + storeruns"
            " + storetables + storeupkeep + versions"
        ),
    ),
    ("tracking", "syncing"),
    # The package itself names what is public, lazily: it knows all below it.
    ("__init__",),
    ("integrations", "testing", "web"),
    ("cli",),
]

# The same within web/: rooms right below it.
WEB_LAYERS: list[tuple[str, ...]] = [
    ("departures", "live", "memorybound", "onefile", "settings", "visible", "warming"),
    ("assets + routing + site + templating", "previews"),
    ("content", "failures", "listing"),
    ("artifacts", "cells", "guarding"),
    ("runs", "tables"),
    ("lineage",),
    ("pages",),
    ("app", "opening"),
    ("serving",),
    ("showing",),
]

# Where a third party may be imported; paths below src/artstore. One place each,
# so that it can be replaced and its errors are translated once.
FENCES: dict[str, tuple[str, ...]] = {
    # Below s3fs: what it leaves no other way to set.
    "aiobotocore": ("storage/remote.py",),
    "blake3": ("digest.py",),
    "bokeh": ("media/bokeh.py",),
    "botocore": ("storage/bucket.py", "storage/credentials.py"),
    "click": ("cli/*",),
    "dask": ("integrations/*",),
    "duckdb": ("tables/engine.py",),
    "fsspec": ("storage/remote.py", "references/*", "integrations/*"),
    "ibis": ("tables/engine.py", "tables/sharedbackend.py", "tables/expressions/*"),
    "jinja2": ("web/*",),
    "markdown_it": ("web/*",),
    # What Jinja takes for text that is escaped already.
    "markupsafe": ("web/*",),
    "numpy": (
        "garbage/*",
        "manifests/places.py",
        "media/*",
        "tables/*",
        "runs/*",
        "integrations/*",
        "cli/demo_runs.py",
        "web/cells/celljson.py",
    ),
    "obstore": ("storage/cloud.py",),
    "PIL": ("media/*",),
    # What a frame of theirs is made of, and made into.
    "pandas": ("tables/reading.py",),
    "polars": ("tables/reading.py",),
    "pyarrow": ("tables/*", "runs/*", "integrations/formats/*"),
    "pyfastcdc": ("chunks/cut.py",),
    # The shipped suite is for people who test a backend of theirs.
    "pytest": ("testing/storage_suite.py",),
    "rdkit": ("media/molecule.py",),
    "rich": ("cli/*",),
    "s3fs": ("storage/remote.py", "integrations/*"),
    "sklearn": ("cli/demo_runs.py",),
    "sqlglot": ("tables/sql.py", "tables/expressions/*"),
    "starlette": ("web/*",),
    "torch": ("integrations/*",),
    "uvicorn": ("web/*",),
    # Only for configs in YAML; not a dependency.
    "yaml": ("tracking/configsource.py",),
    # Segment boundaries hash a million paths: no call in between.
    "xxhash": ("digest.py", "manifests/segment.py", "integrations/wandb_files/digests.py"),
    "zstandard": ("chunks/codec.py",),
}

# What `import artstore` and the command line's entry point must not load: each
# costs milliseconds of every command, or is not installed everywhere.
HEAVY = {
    "PIL",
    "asyncio",
    "botocore",
    "dask",
    "duckdb",
    "fsspec",
    "ibis",
    "jinja2",
    "markdown_it",
    "multiprocessing",
    "numpy",
    "obstore",
    "pandas",
    "pyarrow",
    "pyfastcdc",
    "rich",
    "s3fs",
    "sqlglot",
    "sqlite3",
    "ssl",
    "starlette",
    "tomllib",
    "torch",
    "urllib.request",
    "uvicorn",
    "zstandard",
}

# Names that say nothing about what is inside.
BANNED_MODULES = {"core", "base", "common", "util", "utils", "helper", "helpers", "misc", "manager"}

# Time and randomness come through clock.py, where tests can fix them.
BANNED_CALLS = {"time.time", "time.time_ns", "time.sleep", "os.urandom", "os.getrandom"}
BANNED_IMPORTS = {"random", "secrets", "uuid"}

LONGEST_FILE_LINES = 600
LONG_FILE_REASON = "# Longer than 600 lines because "


def places_of(layers: list[tuple[str, ...]]) -> dict[str, tuple[int, str]]:
    return {
        name: (level, room)
        for level, rooms in enumerate(layers)
        for room in rooms
        for name in room.split(" + ")
    }


@cache
def room_of() -> dict[str, tuple[int, str]]:
    return places_of(LAYERS)


def python_files() -> Iterator[Path]:
    for folder in ("src", "tests", "benchmarks", "examples", "docs"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all imports; `from a import b` yields a.b if that is a module."""
    for node in walked(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                is_module = name in sources() or node.module == "artstore"
                yield node.lineno, name if is_module else str(node.module)


def room_name(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def file_of(module: str) -> str:
    parts = module.split(".")[1:]
    path = SOURCE.joinpath(*parts)
    return "/".join([*parts, "__init__.py"]) if path.is_dir() else "/".join(parts) + ".py"


def test_every_module_has_its_layer() -> None:
    homeless = {room_name(module) for module in sources()} - set(room_of())
    assert not homeless, f"give these a place in LAYERS and in ARCHITECTURE.md: {sorted(homeless)}"


def test_imports_go_down_the_layers_and_never_to_a_sibling() -> None:
    wrong = []
    for module, tree in sources().items():
        level, room = room_of()[room_name(module)]
        for line, name in imported(tree):
            if name != "artstore" and not name.startswith("artstore."):
                continue
            target = room_name(name)
            if target not in room_of():
                # `from artstore import Store`: a public name, hence the package itself.
                target = "__init__"
            target_level, target_room = room_of()[target]
            if target_room != room and target_level >= level:
                wrong.append(f"{file_of(module)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_imports_within_the_page_go_down_its_own_layers() -> None:
    places, prefix = places_of(WEB_LAYERS), "artstore.web."
    inside = {
        module: module.removeprefix(prefix).split(".")[0]
        for module in sources()
        if module.startswith(prefix)
    }
    odd = set(inside.values()) ^ set(places)
    assert not odd, f"in WEB_LAYERS and not in web/, or the other way round: {sorted(odd)}"
    wrong = []
    for module, name in inside.items():
        level, room = places[name]
        for line, target in imported(sources()[module]):
            if target in inside:
                target_level, target_room = places[inside[target]]
                if target_room != room and target_level >= level:
                    wrong.append(f"{file_of(module)}:{line} imports {target}")
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_through_others() -> None:
    graph = {
        module: {name for _, name in top_level_imports(tree) if name in sources()} - {module}
        for module, tree in sources().items()
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for target in sorted(graph[module]):
                visit(target, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def top_level_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Only what is imported when the module is: lazy imports are how a cycle is cut."""
    statements = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    yield from imported(ast.Module(body=list(statements), type_ignores=[]))


def test_third_parties_stay_behind_their_fences() -> None:
    wrong = []
    for module, tree in sources().items():
        path = file_of(module)
        for line, name in imported(tree):
            party = name.split(".")[0]
            if party == "artstore" or party in sys.stdlib_module_names or party == "__future__":
                continue
            if not any(fnmatch.fnmatch(path, fence) for fence in FENCES.get(party, ())):
                allowed = ", ".join(FENCES.get(party, ())) or "nowhere"
                wrong.append(f"{path}:{line} imports {party}, allowed: {allowed}")
    assert not wrong, "\n".join(wrong)


def test_time_and_randomness_come_through_the_clock() -> None:
    wrong = []
    for module, tree in sources().items():
        if module == "artstore.clock":
            continue
        for line, name in imported(tree):
            if name in BANNED_IMPORTS:
                wrong.append(f"{file_of(module)}:{line} imports {name}")
        for node in walked(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                dotted = f"{node.value.id}.{node.attr}"
                if dotted in BANNED_CALLS:
                    wrong.append(f"{file_of(module)}:{node.lineno} uses {dotted}")
    assert not wrong, "\n".join(wrong)


def test_no_module_has_a_name_that_says_nothing() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in python_files()
        if BANNED_MODULES & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    ]
    assert not wrong


def test_long_files_say_at_the_top_why() -> None:
    wrong = []
    for path in python_files():
        lines = path.read_text("utf-8").splitlines()
        if len(lines) > LONGEST_FILE_LINES and not any(
            line.startswith(LONG_FILE_REASON) for line in lines[:40]
        ):
            wrong.append(f"{path.relative_to(ROOT)}: {len(lines)} lines")
    assert not wrong, f"split, or say `{LONG_FILE_REASON}...`: {wrong}"


@pytest.mark.parametrize("module", ["artstore", "artstore.cli.main"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    program = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    bare = subprocess.run(
        [sys.executable, "-c", "import sys, json; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    # What the interpreter loads on its own (site, .pth files) is not ours.
    loaded = set(json.loads(result.stdout)) - set(json.loads(bare.stdout))
    assert module in loaded
    assert not loaded & HEAVY

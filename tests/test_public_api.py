"""What others build on changes only on purpose: public names and error codes."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import artstore
from artstore import errors
from tests.sourcetrees import sources, walked

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs" / "reference").glob("*.md"))
GOLDEN_CODES = ROOT / "tests" / "golden" / "error-codes.txt"

# A public name is documented where a heading of the page names it: "## `open_store`",
# "### `Store.log_artifact(...)`" tells of a method and adds no name.
HEADING = re.compile(r"^#{2,4} `([A-Za-z_]\w*)(?:\(.*\))?`", re.MULTILINE)


def test_public_names_are_sorted_and_there() -> None:
    assert list(artstore.__all__) == sorted(artstore.__all__)
    missing = [name for name in artstore.__all__ if not hasattr(artstore, name)]
    assert not missing


def test_dir_lists_the_public_names_before_they_are_loaded() -> None:
    assert set(artstore.__all__) <= set(dir(artstore))


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(artstore, "no_such_name")  # noqa: B009 - mypy knows that it is not there


def test_public_names_are_the_documented_names() -> None:
    documented = [name for page in PAGES for name in HEADING.findall(page.read_text("utf-8"))]
    assert sorted(documented) == sorted(
        name for name in artstore.__all__ if not name.startswith("__")
    )


def test_error_codes_only_grow() -> None:
    released = GOLDEN_CODES.read_text("utf-8").split()
    assert len(released) == len(set(released))
    assert not set(released) - set(errors.CODES), "a released code is gone"


def test_error_codes_and_their_page_are_written_down() -> None:
    script = load(ROOT / "docs" / "error_codes.py")
    stale = [
        str(file.relative_to(ROOT))
        for file, text in ((script.PAGE, script.page()), (script.GOLDEN, script.golden()))
        if file.read_text("utf-8") != text
    ]
    assert not stale, "run `make docs`"


def test_error_codes_are_well_formed() -> None:
    for code, meaning in errors.CODES.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+|unexpected", code), code
        assert meaning[0].isupper(), code
        assert meaning.endswith("."), code


def test_every_code_in_the_source_is_registered_and_every_registered_one_is_used() -> None:
    literals, passed = set(), set()
    for module, tree in sources().items():
        if module == "artstore.errors":
            continue
        for node in walked(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                literals.add(node.value)
            if isinstance(node, ast.keyword) and node.arg == "code":
                passed |= constants(node.value)
    unregistered = sorted(passed - set(errors.CODES))
    assert not unregistered, "register these in errors.CODES"
    unused = sorted(set(errors.CODES) - literals)
    assert not unused, "nothing raises these"


def constants(node: ast.expr) -> set[str]:
    """The texts that `node` may be: a literal, or either side of a conditional."""
    if isinstance(node, ast.IfExp):
        return constants(node.body) | constants(node.orelse)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    return set()


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

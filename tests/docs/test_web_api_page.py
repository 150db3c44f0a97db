"""docs/reference/web-api.md tells every address of the server, and no other."""

from __future__ import annotations

import re

from artstore.web.pages import PAGES
from artstore.web.routing import API_PREFIX
from tests.docs.pages import DOCS

PAGE = (DOCS / "reference" / "web-api.md").read_text("utf-8")
VERSION = "/p/{project}/c/{collection}/{version}"
TOLD = re.compile(r"`(GET|POST) ((?:\.\.\.)?/[^`\s?]*)[^`]*`")
"""`...` stands for the address of a version."""


def addresses() -> set[tuple[str, str]]:
    return {(method, page.path.replace(":path}", "}")) for page in PAGES for method in page.methods}


def test_every_address_is_told_and_no_other() -> None:
    told = {
        (method, path.replace("...", VERSION).removeprefix(API_PREFIX) or "/")
        for method, path in TOLD.findall(PAGE)
    }
    assert told == addresses()


def test_no_address_and_no_name_is_given_twice() -> None:
    names = [page.name for page in PAGES]
    assert sorted(names) == sorted(set(names))
    given = [(method, page.path) for page in PAGES for method in page.methods]
    assert sorted(given) == sorted(set(given))

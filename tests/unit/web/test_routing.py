"""Addresses: every part encoded, read back as it was; our own files; what is kept."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Callable
from importlib import resources
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from artstore.web.routing import Page, Routes, Visit, json_response
from artstore.web.site import RecentValues, Site, version_name
from artstore.web.templating import format_age, format_bytes, format_count, script_data
from tests.unit.web.conftest import MakeClient

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1).filter(
    lambda text: text not in (".", "..")
)
ECHO: Callable[[Visit], object] = lambda visit: json_response(dict(visit.params))  # noqa: E731


def echoing(site: Site) -> Site:
    pages = [
        *site.pages,
        Page("/echo/{name}", ECHO, "echo"),  # type: ignore[arg-type]
        Page("/paths/{name}/{path:path}", ECHO, "paths"),  # type: ignore[arg-type]
    ]
    return Site(site.store, pages=pages)


@given(name=NAMES, path=st.lists(NAMES, min_size=1, max_size=3), data=st.data())
def test_any_name_and_path_comes_back_from_its_address(
    name: str, path: list[str], data: st.DataObject
) -> None:
    page = Page("/paths/{name}/{path:path}", ECHO, "paths")  # type: ignore[arg-type]
    routes = Routes([page], "/art")
    address = routes.html("paths", {"name": name, "path": "/".join(path)})
    assert address.isascii()
    assert not set(address) & set("<>\"' ?#&\\")
    assert unquote(address) == f"/art/paths/{name}/{'/'.join(path)}"


@pytest.mark.parametrize("name", ["a b", "a%2fb", "ä", "#?&=", "<script>", "'\"", "%00", "+"])
def test_a_server_reads_a_name_as_it_was_linked(
    site: Site, make_client: MakeClient, name: str
) -> None:
    asked = echoing(site)
    client = make_client(asked)
    assert client.get(asked.routes.html("echo", {"name": name})).json() == {"name": name}
    path = f"{name}/{name}.txt"
    address = asked.routes.html("paths", {"name": name, "path": path}, {"q": name})
    assert client.get(address).json() == {"name": name, "path": path}


def test_words_come_before_names_and_names_before_paths(
    site: Site, make_client: MakeClient
) -> None:
    def told(text: str) -> Callable[[Visit], object]:
        return lambda _visit: json_response(text)

    pages = [
        Page("/x/{rest:path}", told("path"), "a"),  # type: ignore[arg-type]
        Page("/x/{name}", told("name"), "b"),  # type: ignore[arg-type]
        Page("/x/word", told("word"), "c"),  # type: ignore[arg-type]
    ]
    client = make_client(Site(site.store, pages=[*site.pages, *pages]))
    found = [client.get(f"/x/{rest}").json() for rest in ("word", "other", "more/of/it")]
    assert found == ["word", "name", "path"]


def test_a_query_may_hold_a_name_several_times() -> None:
    page = Page("/x", ECHO, "x")  # type: ignore[arg-type]
    address = Routes([page], "").api("x", {}, {"a": ["1", "&"], "b": 2})
    assert address == "/api/v1/x?a=1&a=%26&b=2"


@pytest.mark.parametrize("text", ["</script>", "<!--", "&amp;", "\u2028"])
def test_data_for_scripts_cannot_end_its_element(text: str) -> None:
    written = script_data({text: [text]})
    assert not set(written) & set("<>&\u2028")


@pytest.mark.parametrize(
    ("size", "told"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (5 * 10**18, "5,000.0 PB")],
)
def test_sizes_are_told_in_powers_of_a_thousand(size: int, told: str) -> None:
    assert format_bytes(size) == told


def test_counts_have_their_word() -> None:
    assert format_count(1, "file") == "1 file"
    assert format_count(20_000, "entry", "entries") == "20,000 entries"
    assert format_count(1234) == "1,234"


def test_ages_are_told_in_the_largest_unit() -> None:
    assert format_age("2000-01-01T00:00:00Z").endswith(" years ago")
    assert format_age("2999-01-01T00:00:00Z") == "now"
    assert format_age("some day") == "some day"


# our own files -----------------------------------------------------------------------


def test_our_files_are_kept_for_ever_under_the_digest_of_all(
    site: Site, client: TestClient
) -> None:
    address = site.assets.address("page.css")
    answer = client.get(address, headers={"Accept-Encoding": "identity"})
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    plain = client.get("/static/page.css")
    assert plain.headers["cache-control"] == "no-cache"
    assert plain.text == answer.text
    again = client.get("/static/page.css", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")


def test_our_files_come_compressed(client: TestClient) -> None:
    with client.stream("GET", "/static/page.css", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        data = b"".join(answer.iter_raw())
    assert b"--accent" in gzip.decompress(data)


@pytest.mark.parametrize("name", ["nope.js", "../app.py", "%2e%2e/app.py", "", "page.css/"])
def test_nothing_but_our_files_is_given(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


def test_all_that_a_page_may_load_is_small(site: Site) -> None:
    assets = site.assets

    def packed(name: str) -> int:
        asset = assets.get(name)[0]
        return len(asset.packed or asset.data)

    base = _loaded("base.html")
    assert "page.css" in base
    assert "table.css" in _loaded("tables/table.html")
    for template in site.templates.list_templates():
        names = base | _loaded(template)
        # A page loads one of them, which may depend on whether it may write.
        bundles = [packed(name) for name in names if name.endswith(".bundle.js")]
        others = sum(packed(name) for name in names if not name.endswith(".bundle.js"))
        assert others + max(bundles, default=0) <= 60_000, template


def _loaded(template: str) -> set[str]:
    text = resources.files("artstore.web").joinpath("templates", template).read_text("utf-8")
    return set(re.findall(r"'([\w.]+\.(?:css|js))'", text))


# what is kept ------------------------------------------------------------------------


def test_only_the_values_used_last_are_kept() -> None:
    values: RecentValues[int, str] = RecentValues(2)
    values.put(1, "a")
    values.put(2, "b")
    assert values.get(1) == "a"
    values.put(3, "c")
    assert (values.get(1), values.get(2), values.get(3)) == ("a", None, "c")


def test_what_is_dear_is_made_once_for_all_who_come_at_once(site: Site) -> None:
    made: list[int] = []
    gate = threading.Barrier(4)

    def make() -> str:
        made.append(1)
        return "value"

    def ask() -> None:
        gate.wait()
        assert site.kept("key", make) == "value"

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_what_failed_to_be_made_is_made_by_the_next(site: Site) -> None:
    def fail() -> str:
        raise ValueError

    with pytest.raises(ValueError):
        site.kept("key", fail)
    assert site.kept("key", lambda: "value") == "value"


def test_an_opened_version_is_used_again_for_a_while(site: Site) -> None:
    first = site.opened("demo", "files", "v1")
    assert site.opened("demo", "files", "v1") is first
    assert site.version("demo", "files", "v1") is not first


@pytest.mark.parametrize(
    ("version", "name"),
    [("v3", "p/c:v3"), ("best", "p/c:best"), ("deadbeef", "p/c@deadbeef"), ("abc", "p/c:abc")],
)
def test_versions_are_named_by_number_alias_or_digest(version: str, name: str) -> None:
    assert version_name("p", "c", version) == name

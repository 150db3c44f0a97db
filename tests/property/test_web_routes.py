"""
Whatever is asked of the page's addresses: an answer in one of the known shapes, never a fault.

The requests are made of what the store holds and of what nobody would write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from artstore.errors import CODES
from artstore.web.app import create_app
from artstore.web.opening import open_site
from artstore.web.pages import PAGES
from artstore.web.routing import API_PREFIX, Page
from tests.trees import open_at
from tests.unit.web.runshelf import add_run
from tests.unit.web.shelves import FORMULA, HOSTILE_COLUMNS, HOSTILE_FILE, PROJECT, SCRIPT, fill

FINE: Final = {200, 206, 302, 303, 304, 307}
REFUSED: Final = {400, 401, 403, 404, 405, 409, 410, 413, 414, 416, 421, 422, 429, 431}
SLOT: Final = re.compile(r"{([a-z_]+)(:path)?}")

STREAMS: Final = {"events"}
"""Answers that go on as long as somebody listens."""
READ: Final = tuple(page for page in PAGES if "GET" in page.methods and page.name not in STREAMS)

ODD: Final = st.one_of(
    st.sampled_from(
        [
            "",
            "..",
            "../..",
            "%2e%2e",
            "\0",
            "v-1",
            "v99999999999999999999",
            "latest",
            "@",
            SCRIPT,
            FORMULA,
        ]
    ),
    st.text(max_size=20),
    st.integers(-(10**20), 10**20).map(str),
)
FILES: Final = ("", "sub", "sub/data.csv", "readme.txt", HOSTILE_FILE)
PLACES: Final = [
    {
        "project": project,
        "collection": collection,
        "version": version,
        "path": path,
        "run": "odd" if path else "r1",
    }
    for project, collection, versions, paths in (
        (PROJECT, "files", ("v1", "v2", "best"), FILES),
        (PROJECT, "digits", ("v0", "v1", "latest"), ("examples", "examples.parquet", "")),
        (PROJECT, "guesses", ("v0",), ("pred", "joined", "pred.table.json", "one", "")),
        (PROJECT, "hostile", ("v0",), ("rows",)),
        ("other", "model", ("v0", "linked"), FILES),
    )
    for version in versions
    for path in paths
]
TABLES: Final = [
    place for place in PLACES if place["path"] in {"examples", "pred", "joined", "rows"}
]
COLUMNS: Final = st.one_of(
    st.sampled_from(["id", "image", "label", "guess", "score", *HOSTILE_COLUMNS]), ODD
)
CONDITIONS: Final = st.one_of(
    st.sampled_from(
        [
            "guess != label",
            "score > 0.5 and id < 10",
            "{$gt: ['$score', 0.2]}",
            "{$gt: [{$size: '$image.boxes'}, 0]}",
            "1=1); drop table x",
            "read_csv('/etc/passwd')",
            "(" * 300,
            "'" * 1001,
            "nope = 1",
            "id = 'x'",
        ]
    ),
    ODD,
)
COMPARED: Final = [
    ("with", "demo/digits:v1/examples"),
    ("with", "demo/guesses:v0/pred"),
    ("with", "demo/hostile:v0/rows"),
    ("with", "demo/digits:v9/examples"),
    ("how", "side"),
    ("how", "concat"),
    ("key", ":position"),
    ("quick", "changed"),
    ("quick", "fixed"),
    ("truth", "label"),
    ("guess", "id"),
    ("matrix", "label,id"),
    ("where", "*.id < 5 and t0.label is not null"),
    ("group", "0.label"),
]
RUN_NAMES: Final = st.one_of(
    st.sampled_from(
        [
            "config.lr",
            "-summary.acc",
            "state",
            "tags",
            "duration",
            "config",
            "summary",
            "lr",
            "-count",
        ]
    ),
    st.sampled_from([f'config."{name}"'.replace("a'b\"c", 'a\'b""c') for name in HOSTILE_COLUMNS]),
    ODD,
)
RUN_CONDITIONS: Final = [
    ("where", "config.lr > 0.01 AND state = 'finished'"),
    ("where", "{tags: 'cnn'}"),
    ("where", "lr = 'x'"),
    ("state", "running"),
    ("tag", SCRIPT),
    ("deleted", "1"),
    ("run", "r1,odd"),
    ("rows", "r1,nobody"),
    ("open", "[0.1]"),
    ("show", "points"),
    ("show", "columns"),
    ("format", "csv"),
    ("format", "json"),
    ("differ", "1"),
    ("find", "l"),
    ("kind", "runs"),
]
LINEAGE_NODES: Final = st.one_of(
    st.sampled_from(
        [
            *("demo/files:v1", "demo/files:v0", "digits", "demo/guesses:latest", "other/model:v0"),
            *(
                "run:demo/r1",
                "run:odd",
                "run:demo/nobody",
                "demo/nothing:v1",
                "demo/digits@00000000",
            ),
        ]
    ),
    ODD,
)
LINEAGE: Final = st.tuples(
    st.lists(st.tuples(st.just("node"), LINEAGE_NODES), min_size=1, max_size=2),
    st.lists(
        st.one_of(
            st.tuples(st.just("direction"), st.sampled_from(["up", "down", "both", "left"])),
            st.tuples(st.just("depth"), st.one_of(st.sampled_from(["0", "1", "all"]), ODD)),
            st.tuples(st.just("path"), st.one_of(st.sampled_from(["joined", *FILES]), ODD)),
            st.tuples(st.just("format"), st.sampled_from(["svg", "dot", "mermaid", "openlineage"])),
            st.tuples(st.sampled_from(["explode", "wide", "row"]), st.one_of(st.just("1"), ODD)),
            st.tuples(
                st.sampled_from(["open", "fold", "extract", "tile", "project", "search"]), ODD
            ),
        ),
        max_size=4,
    ),
).map(lambda parts: [*parts[0], *parts[1]])
QUERY: Final = st.lists(
    st.one_of(
        st.sampled_from(RUN_CONDITIONS),
        st.tuples(st.sampled_from(["sort", "columns", "group", "axis"]), RUN_NAMES),
        st.tuples(st.sampled_from(["run", "rows", "state", "tag", "show", "format", "open"]), ODD),
        st.tuples(st.just("where"), CONDITIONS),
        st.tuples(st.just("compute"), st.tuples(COLUMNS, CONDITIONS).map("=".join)),
        st.tuples(st.just("sort"), COLUMNS.map(lambda name: f"desc:{name}")),
        st.tuples(st.sampled_from(["group", "pin", "key", "column", "columns"]), COLUMNS),
        st.tuples(
            st.sampled_from(["start", "count", "row", "page", "after", "size", "offset"]),
            st.one_of(st.integers(-5, 50).map(str), ODD),
        ),
        st.tuples(st.sampled_from(["a", "b", "d", "with", "view", "how", "quick", "prefix"]), ODD),
        st.sampled_from(COMPARED),
        st.tuples(ODD, ODD),
    ),
    max_size=5,
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Path]]:
    root = tmp_path_factory.mktemp("asked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        store = fill(open_at(root / "store", project=PROJECT))
        hostile = {name: [SCRIPT, {name: float("nan")}] for name in HOSTILE_COLUMNS}
        add_run(store, "r1", config={"lr": 0.1}, summary={"acc": 1.0}, tags=["cnn", SCRIPT])
        add_run(store, "odd", name=SCRIPT, config=hostile, summary={FORMULA: float("inf")})
        add_run(store, "live", state="running", config={"lr": SCRIPT})
        site = open_site(store)
        client = TestClient(
            create_app(site),
            base_url="http://localhost",
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        with client:
            yield client, root


@st.composite
def requests(draw: st.DrawFn) -> tuple[Page, bool, str, str]:
    """A page, whether its JSON is asked for, the path and the query."""
    page = draw(st.sampled_from(READ))

    # Mostly what is there, so that most requests get far.
    place = draw(st.sampled_from(TABLES if "table" in page.name else PLACES))

    def filled(match: re.Match[str]) -> str:
        value = place.get(match[1], "x") if draw(st.integers(0, 9)) else draw(ODD)
        return quote(value, safe="/" if match[2] else "", errors="replace")

    query = draw(LINEAGE if page.name.startswith("lineage") else QUERY)
    text = urlencode(query, errors="replace")
    return page, draw(st.booleans()) or page.api_only, SLOT.sub(filled, page.path), text


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(request=requests())
def test_every_request_is_answered_in_a_known_shape(
    served: tuple[TestClient, Path], request: tuple[Page, bool, str, str]
) -> None:
    client, root = served
    page, is_api, path, query = request
    address = (API_PREFIX if is_api else "") + path + (f"?{query}" if query else "")
    response = client.get(address)
    told = f"{page.name}: GET {address} -> {response.status_code}: {response.text[:500]}"
    assert response.status_code in FINE | REFUSED, told
    assert "default-src 'none'" in response.headers["content-security-policy"], told
    assert response.headers["x-content-type-options"] == "nosniff", told
    # What a user's file holds may be anything; what we say names no place of this machine.
    if page.name not in {"content", "frame", "thumbnail"} or response.status_code in REFUSED:
        assert str(root) not in response.text, told
        assert "Traceback" not in response.text, told
    if response.status_code in REFUSED and is_api:
        check_error(response.json(), told)
    # A redirect has no body, and says of none what it is.
    kind = response.headers.get("content-type", "")
    assert kind or response.is_redirect or response.status_code == 304, told
    if kind.startswith("text/html") and page.name != "frame":
        assert SCRIPT not in response.text, told


def check_error(value: Any, told: str) -> None:
    assert set(value) == {"error"}, told
    error = value["error"]
    assert set(error) <= {"code", "message", "hint", "position", "retry_after", "part"}, told
    assert error["code"] in CODES, told
    assert error["message"], told

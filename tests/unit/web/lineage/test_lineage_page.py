"""The graph of lineage as a page, as JSON, as cards and as files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from starlette.testclient import TestClient

from artstore.api import Store
from artstore.lineage.captions import visible
from artstore.web.lineage.asked import LineageAsked, lineage_asked
from artstore.web.lineage.drawing import fitted
from artstore.web.lineage.found import laid_out
from artstore.web.opening import open_site
from artstore.web.settings import ServeSettings
from artstore.web.site import Site
from tests.trees import open_at
from tests.unit.web.conftest import MakeClient
from tests.unit.web.lineageshelf import BIDI, LONG, fill_lineage
from tests.unit.web.runshelf import add_run
from tests.unit.web.shelves import SCRIPT, fill

Told = dict[str, Any]
Ask = Callable[..., Told]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("lineage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        return fill_lineage(fill(open_at(root / "store", project="demo")))


@pytest.fixture
def site(store: Store) -> Site:
    return open_site(store)


@pytest.fixture
def ask(client: TestClient) -> Ask:
    def asked(node: str, status: int = 200, page: str = "/lineage", **parts: Any) -> Told:
        answer = client.get(f"/api/v1{page}?{urlencode({'node': node, **parts}, doseq=True)}")
        assert answer.status_code == status, answer.text
        value: Told = answer.json()
        return value

    return asked


def titles(told: Told) -> set[str]:
    return {tile["title"] for tile in told["tiles"]}


def titled(told: Told, title: str) -> Told:
    (tile,) = [one for one in told["tiles"] if one["title"] == title]
    found: Told = tile
    return found


def follow(ask: Ask, address: str) -> Told:
    """The JSON of an address of the page."""
    parts: dict[str, list[str]] = {}
    for name, value in parse_qsl(urlsplit(address).query):
        parts.setdefault(name, []).append(value)
    return ask(parts.pop("node"), **parts)


def test_a_group_unfolds_to_its_members_and_one_of_them_folds_it_again(ask: Ask) -> None:
    told = ask("demo/model:v0")
    assert titled(told, "sweep")["detail"] == "6 runs"
    assert titled(told, "swept")["detail"] == "6 versions, v0 to v5"
    group = titled(told, "swept")
    unfolded = follow(ask, group["links"]["unfold"])
    assert {f"swept:v{at}" for at in range(6)} <= titles(unfolded)
    again = follow(ask, titled(unfolded, "swept:v2")["links"]["fold"])
    assert again["tiles"] == told["tiles"]
    exploded = ask("demo/model:v0", explode=1)
    assert {tile["node_count"] for tile in exploded["tiles"]} == {1}
    assert len(exploded["tiles"]) == len(exploded["nodes"]) == len(told["nodes"])


def test_edges_lead_from_the_left_to_the_right_and_meet_their_tiles(ask: Ask) -> None:
    told = ask("demo/model:v0", explode=1)
    places = {tile["tile"]: tile for tile in told["tiles"]}
    assert told["edges"]
    for edge in told["edges"]:
        before, after = places[edge["from"]], places[edge["to"]]
        assert before["layer"] < after["layer"]
        (x0, y0), (x1, y1) = edge["points"][0], edge["points"][-1]
        assert (x0, x1) == (before["x"] + before["width"], after["x"])
        assert before["y"] <= y0 <= before["y"] + before["height"]
        assert after["y"] <= y1 <= after["y"] + after["height"]
    for tile in told["tiles"]:
        assert 0 <= tile["x"] <= told["width"] - tile["width"]
        assert 0 <= tile["y"] <= told["height"] - tile["height"]


def test_the_page_has_all_that_the_json_has_and_every_link_leads_somewhere(
    client: TestClient, ask: Ask
) -> None:
    told = ask("demo/model:v0", explode=1)
    page = client.get("/lineage?node=demo/model:v0&explode=1").text
    for tile in told["tiles"]:
        assert f'id="t-{tile["tile"]}"' in page
        assert page.count(f'href="#t-{tile["tile"]}"') >= 1
    links = {unescape(link) for link in re.findall(r'href="(/[^"#]*)"', page)}
    assert len(links) > 40
    for link in links:
        answer = client.get(link)
        assert answer.status_code == 200, (link, answer.text[:300])


def test_without_scripts_the_graph_is_a_list_too(client: TestClient) -> None:
    page = client.get("/lineage?node=demo/model:v0").text
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.sub(r"<[^>]*>", " ", row) for row in table.split("<tr")[1:]]
    (row,) = [row for row in rows if "6 versions, v0 to v5" in row]
    assert "sweep" in row
    assert "check" in row
    assert "far:v0" in row


def test_the_walk_goes_where_it_is_told_and_says_where_it_ends(
    client: TestClient, ask: Ask
) -> None:
    up = ask("demo/model:v0", direction="up")
    assert titles(up) == {"digits:v0", "lively cedar", "model:v0"}
    near = ask("demo/model:v0", depth=1, explode=1)
    assert len(near["nodes"]) == 9
    assert {one["reason"] for one in near["truncated"]} == {"depth"}
    assert titled(near, "lively cedar")["more"] == ["up"]
    page = client.get("/lineage?node=demo/model:v0&depth=1").text
    count = len({one["id"] for one in near["truncated"]})
    assert f"The walk ends after 1 step; it would go on at {count} nodes." in page
    whole = ask("demo/model:v0", depth="all")
    assert (whole["depth"], whole["truncated"]) == (None, [])


def test_what_is_bad_stale_deleted_or_failed_is_told_in_words_and_patterns(
    client: TestClient, ask: Ask
) -> None:
    told = ask("demo/model:v0", explode=1)
    assert titled(told, "model:v0")["marks"] == ["bad", "stale"]
    assert titled(told, "report:v0")["marks"] == ["stale"]
    assert titled(told, "sweep5")["marks"] == ["failed"]
    report = next(node for node in told["nodes"] if node["id"] == "demo/report:v0")
    assert {cause["kind"] for cause in report["causes"]} == {"bad", "newer"}
    assert {edge["spoiled_count"] for edge in told["edges"]} == {0, 1}
    grouped = ask("demo/digits:v0")
    assert titled(grouped, "swept")["marks"] == ["6 stale"]
    page = client.get("/lineage?node=demo/model:v0").text
    for pattern in ("bad", "stale", "failed"):
        assert f'fill="url(#lineage-{pattern})"' in page
        assert f'<pattern id="lineage-{pattern}"' in page
    assert 'class="strand spoiled"' in page


def test_deleted_versions_are_struck_out_and_have_a_graph_of_their_own(
    client: TestClient, ask: Ask
) -> None:
    told = ask("demo/files:v0")
    deleted = titled(told, "files:v0")
    assert (deleted["marks"], deleted["links"]["page"]) == (["deleted"], None)
    assert "old" in titles(told)
    page = client.get("/lineage?node=run:demo/old").text
    assert 'class="tile version gone"' in page
    assert '<tr class="gone">' in page


def test_nodes_are_found_by_what_people_know_of_them(client: TestClient, ask: Ask) -> None:
    for text, found in [
        ("best", ["demo/model:v0"]),
        ("#BAD", ["demo/model:v0"]),
        ("lively", ["run:demo/train"]),
        ("report", ["demo/report:v0"]),
        ("nothing like it", []),
    ]:
        assert ask("demo/model:v0", search=text)["matches"] == found
    digest = next(
        node["digest"] for node in ask("demo/model:v0")["nodes"] if node["id"] == "demo/swept:v2"
    )
    told = ask("demo/model:v0", search=digest[:10])
    assert told["matches"] == ["demo/swept:v2"]
    assert titled(told, "swept")["match_count"] == 1
    page = client.get("/lineage?node=demo/model:v0&search=best").text
    assert "1 node found" in page
    assert 'class="found"' in page


def test_an_extract_has_only_what_hangs_together_with_a_node(client: TestClient, ask: Ask) -> None:
    told = ask("demo/model:v0", explode=1)
    cut = follow(ask, titled(told, "swept:v2")["links"]["extract"])
    assert titles(cut) == {"digits:v0", "lively cedar", "model:v0", "sweep2", "swept:v2"}
    assert cut["hidden_count"] == len(told["nodes"]) - 5
    key = titled(told, "swept:v2")["tile"]
    assert titles(ask("demo/model:v0", extract=key)) == titles(cut)
    page = client.get(f"/lineage?node=demo/model:v0&extract={key}").text
    assert "nodes beside what was extracted." in page
    ask("demo/model:v0", extract="nothing", status=400)


def test_projects_are_left_out_where_one_is_chosen(client: TestClient, ask: Ask) -> None:
    told = ask("demo/model:v0", explode=1)
    assert told["known_projects"] == ["demo", "other"]
    assert "other/far:v0" in titles(told)
    only = ask("demo/model:v0", explode=1, project="demo")
    assert titles(only) == titles(told) - {"other/far:v0"}
    page = client.get("/lineage?node=demo/model:v0&project=demo").text
    assert "Left out: 1 node of other projects." in page


def test_a_picture_has_so_many_tiles_and_says_what_is_cut(
    store: Store, make_client: MakeClient
) -> None:
    logged = [
        {"artifact": "big/made", "version": at, "is_new": True, "time": "2026-01-01T00:00:00Z"}
        for at in range(1600)
    ]
    add_run(store, "many", project="big", logged=logged)
    client = make_client(open_site(store))
    page = client.get("/lineage?node=run:big/many&explode=1&wide=0").text
    assert "Not drawn: 101 nodes; a picture has 1,500 tiles at most" in page
    assert page.count('<a id="t-') == 1500
    clustered = client.get("/api/v1/lineage?node=run:big/many&explode=1").json()
    assert len(clustered["tiles"]) == 61
    (cluster,) = [tile for tile in clustered["tiles"] if tile["cluster"]]
    assert cluster["detail"].startswith("1,541 more versions, v0 to v1540")


# names that mean harm ----------------------------------------------------------------


def test_hostile_names_are_text_wherever_they_stand(client: TestClient) -> None:
    place = "node=run:demo/evil"
    for page in (
        f"/lineage?{place}&explode=1&search={'%3Cscript%3E'}",
        f"/lineage/export?{place}&format=svg",
        f"/lineage/export?{place}&format=mermaid",
        f"/lineage?{urlencode({'node': 'demo/hostile:v0', 'path': SCRIPT})}",
    ):
        text = client.get(page).text
        assert SCRIPT not in text
        assert BIDI not in text
    title = client.get(f"/api/v1/lineage?{place}").json()
    tile = next(one for one in title["tiles"] if one["root"])
    assert len(tile["title"]) <= 29
    card = client.get(f"/api/v1/lineage/card?{place}&tile={tile['tile']}").json()
    assert len(card["title"]) <= 2_000
    assert BIDI not in json.dumps(card, ensure_ascii=False)
    assert all(len(value) <= 200 for _, value in card["metrics"])
    assert LONG not in json.dumps(card["metrics"])


def test_the_file_of_the_picture_is_xml_without_links_and_scripts(client: TestClient) -> None:
    answer = client.get("/lineage/export?node=run:demo/evil&explode=1&format=svg")
    assert answer.headers["content-disposition"] == (
        'attachment; filename="lineage-run-demo-evil.svg"'
    )
    root = ET.fromstring(answer.text)
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "text" in names
    assert not names & {"a", "script", "foreignObject", "image", "use"}
    assert not [key for element in root.iter() for key in element.attrib if "href" in key]


@given(st.text(max_size=60), st.integers(8, 40))
def test_a_title_fits_and_keeps_its_beginning_and_end(text: str, columns: int) -> None:
    found = fitted(text, columns)
    assert found.isprintable()
    assert len(found) <= max(columns, len(visible(text)))
    if found != visible(text):
        head, _, tail = found.partition("\u2026")
        assert visible(text).startswith(head)
        assert visible(text).endswith(tail)


# cards ---------------------------------------------------------------------------------


def card_of(ask: Ask, node: str, title: str, **parts: Any) -> Told:
    tile = titled(ask(node, **parts), title)["tile"]
    return ask(node, page="/lineage/card", tile=tile, **parts)


def test_the_card_of_a_version_tells_what_is_known_of_it(ask: Ask) -> None:
    card = card_of(ask, "demo/model:v0", "model:v0")
    assert (card["kind"], card["title"], card["message"]) == (
        "version",
        "demo/model:v0",
        "the first",
    )
    assert (card["node"]["aliases"], card["node"]["tags"]) == (["best"], ["bad"])
    assert card["links"]["page"] == "/p/demo/c/model/v0"
    assert any("demo/digits:v1" in cause for cause in card["causes"])


def test_the_card_of_a_run_tells_its_metrics_commit_and_command(ask: Ask) -> None:
    card = card_of(ask, "demo/model:v0", "lively cedar")
    assert card["metrics"] == [["acc", "0.75"], ["nan", "nan"]]
    assert card["node"]["command"] == "train.py --lr 1"
    assert (card["node"]["commit"], card["node"]["uncommitted_changes"]) == ("c0ffee", True)
    assert card["rows"] is None


def test_the_card_of_a_group_lists_its_members(ask: Ask) -> None:
    card = card_of(ask, "demo/model:v0", "sweep")
    assert (card["kind"], card["member_count"]) == ("runs", 6)
    assert [one["title"] for one in card["members"]] == [f"sweep{at}" for at in range(6)]
    assert card["members"][5]["marks"] == ["failed"]
    assert card["links"]["unfold"]
    ask("demo/model:v0", page="/lineage/card", tile="nothing", status=400)


def test_first_pictures_come_from_a_table_or_from_files(client: TestClient, ask: Ask) -> None:
    card = card_of(ask, "demo/digits:v0", "digits:v0")
    rows = client.get(card["rows"]).json()
    assert (rows["table"]["name"], rows["table"]["row_count"]) == ("examples", 20)
    assert len(rows["pictures"]) == 8
    for picture in rows["pictures"]:
        assert client.get(picture["src"]).headers["content-type"].startswith("image/")
        assert client.get(picture["page"]).status_code == 200


def test_first_rows_of_a_table_without_pictures_are_text(client: TestClient) -> None:
    rows = client.get("/api/v1/lineage/rows?node=demo/hostile:v0").json()
    assert len(rows["columns"]) == 4
    assert len(rows["rows"]) == 2
    assert BIDI not in json.dumps(rows, ensure_ascii=False)
    nothing = client.get("/api/v1/lineage/rows?node=demo/seed:v0").json()
    assert (nothing["table"], nothing["pictures"], nothing["told"]) == (None, [], None)
    assert client.get("/api/v1/lineage/rows?node=demo/files:v0").status_code == 404
    for node in ("", "x", "a/b", ":v1"):
        assert client.get(f"/api/v1/lineage/rows?node={node}").status_code == 400


# where files and cells come from ---------------------------------------------------------


def test_a_file_is_followed_to_where_it_came_in(client: TestClient, ask: Ask) -> None:
    told = ask("demo/report:v0", path="weights.bin")
    assert [(one["id"], one["how"]) for one in told["trail"]] == [
        ("demo/report:v0", "asked"),
        ("demo/model:v0", "linked"),
    ]
    assert told["roots"] == ["demo/model:v0", "demo/report:v0"]
    page = client.get("/lineage?node=demo/report:v0&path=weights.bin").text
    assert "is a link to weights.bin of demo/model:v0" in page
    same = ask("demo/files:v2", path="sub/data.csv")
    assert [one["how"] for one in same["trail"]] == ["asked", "unchanged"]
    ask("demo/report:v0", path="nothing", status=404)


def test_pages_of_versions_and_files_lead_there(client: TestClient) -> None:
    assert 'href="/lineage?node=demo%2Fmodel%3Av0"' in client.get("/p/demo/c/model/best").text
    page = client.get("/p/demo/c/report/v0/files/told.txt").text
    assert 'href="/lineage?node=demo%2Freport%3Av0&amp;path=told.txt"' in page


def test_a_row_of_a_join_comes_from_two_tables_and_its_picture_from_a_file(
    client: TestClient,
) -> None:
    told = client.get("/api/v1/p/demo/c/guesses/v0/table-origin/joined?row=7").json()
    left, right = told["tables"]
    assert (left["told"], left["row"]) == ("pred of demo/guesses:v0", 7)
    assert [column["name"] for column in right["columns"]] == ["id", "image", "label"]
    (file,) = told["files"]
    assert (file["column"], file["version"]) == ("image", "demo/digits:v0")
    for address in (left["address"], left["lineage"], right["lineage"], file["lineage"]):
        assert client.get(address).status_code == 200
    page = client.get(right["lineage"]).text
    assert "Row 7" in page
    assert "is a link to examples.parquet of demo/digits:v0" in page
    for query in ("", "row=20", "row=x", "row=0&with=demo/guesses:v0/pred"):
        refused = client.get(f"/api/v1/p/demo/c/guesses/v0/table-origin/joined?{query}")
        assert refused.status_code == 400, query


# addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("node=", 400),
        ("node=a/b/c", 400),
        ("node=demo/nope:v0", 404),
        ("node=demo/model:v99", 404),
        ("node=demo/model:nope", 404),
        ("node=run:demo/nope", 404),
        ("node=run:", 400),
        ("node=demo/model:v0&direction=left", 400),
        ("node=demo/model:v0&depth=-1", 400),
        ("node=demo/model:v0&depth=9999999", 400),
        ("node=demo/model:v0&wide=x", 400),
        ("node=demo/model:v0&row=1e3", 400),
        ("node=demo/model:v0&node=demo/report:v0&path=x", 400),
        ("&".join(f"node=demo/model:v{at}" for at in range(21)), 400),
        (f"node=demo/model:v0&search={'x' * 5000}", 400),
        ("node=demo/model:v0&format=exe", 400),
    ],
)
def test_what_cannot_be_asked_is_refused(client: TestClient, query: str, status: int) -> None:
    pages = ["/lineage/export"] if "format=" in query else ["/lineage", "/lineage/export"]
    for page in pages:
        for prefix in ("", "/api/v1"):
            assert client.get(f"{prefix}{page}?{query}").status_code == status


ASKED = st.builds(
    LineageAsked,
    st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3, unique=True).map(tuple),
    st.sampled_from(["up", "down", "both"]),
    st.one_of(st.none(), st.integers(0, 100_000)),
    st.booleans(),
    st.lists(st.text("0a", min_size=1), max_size=3, unique=True).map(tuple),
    st.lists(st.text("0a", min_size=1), max_size=3, unique=True).map(tuple),
    st.integers(0, 100_000),
    st.one_of(st.none(), st.text("0a", min_size=1)),
    st.lists(st.text(min_size=1, max_size=5), max_size=2, unique=True).map(tuple),
    st.text(max_size=9).map(str.strip),
)


@given(ASKED)
def test_a_view_comes_back_from_its_address(asked: LineageAsked) -> None:
    pairs = parse_qsl(urlencode(asked.query(), doseq=True, errors="surrogatepass"), True)
    assert lineage_asked(QueryParams(pairs)) == asked


def test_every_format_is_a_file_to_save(client: TestClient, site: Site, tmp_path: Path) -> None:
    found = {}
    for kind in ("svg", "dot", "mermaid", "openlineage"):
        answer = client.get(f"/lineage/export?node=demo/model:v0&format={kind}")
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        found[kind] = answer.text
    assert found["svg"].startswith("<svg")
    assert found["dot"].startswith("digraph")
    assert found["mermaid"].startswith("flowchart")
    events = [json.loads(line) for line in found["openlineage"].splitlines()]
    assert len(events) == 8
    assert {event["job"]["namespace"] for event in events} == {site.store.id}
    assert str(tmp_path.parent) not in found["openlineage"]


def test_behind_a_proxy_every_link_has_its_prefix(store: Store, make_client: MakeClient) -> None:
    client = make_client(open_site(store, ServeSettings(root_path="/art")))
    page = client.get("/lineage?node=demo/model:v0").text
    links = re.findall(r'(?:href|data-[a-z]+|action)="(/[^"]*)"', page)
    assert len(links) > 20
    assert all(link.startswith("/art/") for link in links)


def test_the_same_graph_is_laid_out_once(site: Site) -> None:
    first = laid_out(site, (40, 40), ((0, 1),))
    assert laid_out(site, (40, 40), ((0, 1),)) is first
    assert laid_out(site, (40, 64), ((0, 1),)) is not first

"""Who may come in: names, tokens, origins; and what every answer carries."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from artstore.web.guarding import host_of, is_loopback
from artstore.web.opening import open_site
from artstore.web.routing import Page
from artstore.web.settings import ServeSettings
from artstore.web.site import Site
from tests.unit.web.conftest import MakeClient

API = "/api/v1"
TOKEN = "a-token-of-this-test"
CHANGE = "/p/demo/c/files/v1"
ANSWERS = [
    "/",
    "/nowhere",
    "/api/v1/nowhere",
    "/p/demo/c/files/v0",
    "/api/v1/session",
    "/static/page.css",
]


def with_settings(site: Site, **settings: object) -> Site:
    return open_site(site.store, ServeSettings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ANSWERS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_every_answer_carries_the_headers_that_keep_it_safe(
    client: TestClient, place: str, method: str
) -> None:
    headers = client.request(method, place).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "server" not in headers


def test_an_unexpected_failure_carries_them_too(site: Site, make_client: MakeClient) -> None:
    def fail(_visit: object) -> PlainTextResponse:
        raise RuntimeError("/home/somebody/secret")

    client = make_client(Site(site.store, pages=[*site.pages, Page("/fail", fail, "fail")]))
    for place in ("/fail", API + "/fail"):
        answer = client.get(place)
        assert answer.status_code == 500
        assert "content-security-policy" in answer.headers
        assert "somebody" not in answer.text
        assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8420", "LOCALHOST", "127.0.0.1", "127.0.0.1:1", "[::1]:9"),
        "a.localhost:80",
    ],
)
def test_names_of_this_machine_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.nip.io"),
        *("localhost@evil.example", "evil.example#localhost", "evil.example/localhost"),
        *("", ":80", "localhost:x", "[::1", "192.168.1.5", "[2001:db8::1]", "0.0.0.0"),
    ],
)
def test_foreign_names_are_refused(client: TestClient, host: str) -> None:
    for place in ("/", API, "/static/page.css", CHANGE):
        answer = client.get(place, headers={"Host": host})
        assert answer.status_code == 421, place
    told = client.get(API, headers={"Host": host}).json()["error"]
    assert told["code"] == "address-refused"


def test_who_is_refused_learns_no_secret(site: Site, make_client: MakeClient) -> None:
    site = with_settings(site, token=TOKEN, write=True)
    client = make_client(site)
    for headers in ({"Host": "evil.example"}, {}):
        text = client.get("/", headers=headers).text
        assert site.secret not in text
        assert TOKEN not in text


def test_a_name_that_was_allowed_is_answered(site: Site, make_client: MakeClient) -> None:
    client = make_client(with_settings(site, allowed_hosts=("data.example.org",)))
    assert client.get("/", headers={"Host": "Data.Example.org:443"}).status_code == 200
    assert client.get("/", headers={"Host": "example.org"}).status_code == 421


def test_who_listens_for_others_is_called_by_numbers_but_not_by_names(
    site: Site, make_client: MakeClient
) -> None:
    client = make_client(with_settings(site, is_loopback=False))
    assert client.get("/", headers={"Host": "192.168.1.5:8420"}).status_code == 200
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    ("text", "host"),
    [("A.b:80", "a.b"), ("[::1]:80", "::1"), ("x.", "x"), ("a:b:c", ""), ("u@h", ""), ("h/p", "")],
)
def test_a_host_header_is_read_as_a_name(text: str, host: str) -> None:
    assert host_of(text) == host


def test_loopback_is_what_can_only_mean_this_machine() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.8.9.1", "::1", "x.localhost")))
    assert not any(map(is_loopback, ("", "localhost.x", "10.0.0.1", "0.0.0.0", "::", "127.1")))


# the token ---------------------------------------------------------------------------


def test_without_the_token_nothing_is_told(site: Site, make_client: MakeClient) -> None:
    client = make_client(with_settings(site, token=TOKEN))
    for place in ("/", "/p/demo", "/nowhere", API, API + "/session", "/?token=wrong"):
        answer = client.get(place)
        assert answer.status_code == 401, place
        assert "demo" not in answer.text
        assert "token-refused" in answer.text
    wrong = {"Authorization": "Bearer nonsense"}
    assert client.get(API, headers=wrong).status_code == 401
    assert client.get(API, headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401


def test_a_token_in_the_address_is_taken_once_and_becomes_a_cookie(
    site: Site, make_client: MakeClient
) -> None:
    client = make_client(with_settings(site, token=TOKEN))
    answer = client.get(f"/p/demo?page=1&token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/p/demo?page=1")
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert part in cookie
    assert TOKEN not in cookie
    # The client keeps the cookie.
    assert client.get("/p/demo?page=1").status_code == 200


def test_a_link_on_a_foreign_site_works_although_its_cookie_is_strict(
    site: Site, make_client: MakeClient
) -> None:
    client = make_client(with_settings(site, token=TOKEN))
    answer = client.get(f"/?token={TOKEN}", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.headers["refresh"]) == (200, "0; url=/")


def test_a_token_leads_to_no_other_host(site: Site, make_client: MakeClient) -> None:
    client = make_client(with_settings(site, token=TOKEN))
    answer = client.get(f"http://localhost//evil.example/?token={TOKEN}")
    assert answer.headers["location"] == "/evil.example/"


def test_programs_send_the_token_as_a_header(site: Site, make_client: MakeClient) -> None:
    client = make_client(with_settings(site, token=TOKEN))
    answer = client.get(API, headers={"Authorization": f"bearer {TOKEN}"})
    assert answer.status_code == 200


# changes -----------------------------------------------------------------------------


def test_a_server_that_only_reads_changes_nothing(client: TestClient, site: Site) -> None:
    for place in (CHANGE, API + CHANGE):
        answer = client.post(
            place, data={"add_alias": "x"}, headers={"X-Artstore-Token": site.secret}
        )
        assert answer.status_code == 403
        assert "writing-refused" in answer.text
    assert "<form" not in client.get(CHANGE).text
    assert "x" not in site.store.artifact("files:v1").aliases


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": ""},
        {"X-Artstore-Token": "wrong"},
        {"X-Artstore-Token": ""},
    ],
)
def test_changes_that_come_from_elsewhere_are_refused(
    write_client: TestClient, write_site: Site, headers: dict[str, str]
) -> None:
    for place in (CHANGE, API + CHANGE):
        answer = write_client.post(place, data={"add_alias": "x"}, headers=headers)
        assert (answer.status_code, "origin-refused" in answer.text) == (403, True)
    assert "x" not in write_site.store.artifact("files:v1").aliases


def test_a_form_without_the_token_of_its_page_is_refused(
    write_site: Site, make_client: MakeClient
) -> None:
    client = make_client(write_site)
    assert client.post(CHANGE, data={"add_alias": "x"}).status_code == 403
    other = open_site(write_site.store, write_site.settings).secret
    for token in ("", other):
        fields = {"add_alias": "x", "artstore-token": token}
        assert client.post(CHANGE, data=fields).status_code == 403
    fields = {"add_alias": "x", "artstore-token": write_site.secret}
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.post(CHANGE, data=fields, headers=headers).status_code == 303
    assert "x" in write_site.store.artifact("files:v1").aliases


def test_behind_a_proxy_the_name_that_was_allowed_may_change_things(
    write_site: Site, make_client: MakeClient
) -> None:
    settings = ServeSettings(write=True, allowed_hosts=("data.example.org",))
    site = open_site(write_site.store, settings)
    answer = make_client(site).post(
        API + CHANGE,
        json={"add_tag": "x"},
        headers={"Origin": "https://data.example.org", "X-Artstore-Token": site.secret},
    )
    assert answer.status_code == 200


def test_programs_with_the_token_of_the_server_need_no_page(
    write_site: Site, make_client: MakeClient
) -> None:
    site = open_site(write_site.store, ServeSettings(write=True, token=TOKEN))
    client = make_client(site)
    answer = client.post(
        API + CHANGE, json={"add_tag": "x"}, headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert answer.status_code == 200
    client.cookies.clear()
    assert client.post(API + CHANGE, json={"add_tag": "y"}).status_code == 401


def test_the_cookie_alone_changes_nothing(write_site: Site, make_client: MakeClient) -> None:
    client = make_client(open_site(write_site.store, ServeSettings(write=True, token=TOKEN)))
    client.get(f"/?token={TOKEN}")
    assert client.get("/").status_code == 200
    assert client.post(API + CHANGE, json={"add_tag": "y"}).status_code == 403


def test_programs_learn_the_token_of_changes(write_site: Site, make_client: MakeClient) -> None:
    value = make_client(write_site).get(API + "/session").json()
    assert (value["token"], value["write"]) == (write_site.secret, True)


# proxies -----------------------------------------------------------------------------


@pytest.mark.parametrize("is_kept", [True, False])
def test_behind_a_proxy_every_link_has_its_prefix(
    site: Site, make_client: MakeClient, is_kept: bool
) -> None:
    client = make_client(with_settings(site, root_path="/art"))
    prefix = "/art" if is_kept else ""
    for place in ("/", "/p/demo", "/p/demo/c/files", "/p/demo/c/files/v1"):
        answer = client.get(prefix + place)
        assert answer.status_code == 200
        assert 'href="/p/' not in answer.text
        assert 'href="/art/p/' in answer.text
        assert 'src="/art/static/' in answer.text
    assert client.get(f"{prefix}{API}/p/demo").status_code == 200
    assert client.get(f"{prefix}{API}/nowhere").json()["error"]["code"] == "page-not-found"


def test_behind_a_proxy_the_cookie_is_for_the_prefix(site: Site, make_client: MakeClient) -> None:
    client = make_client(with_settings(site, root_path="/art", token=TOKEN))
    for place in ("/art/", "/"):
        answer = client.get(f"{place}?token={TOKEN}")
        assert "Path=/art" in answer.headers["set-cookie"]
        assert answer.headers["location"] == "/art/"


def test_a_frame_is_allowed_where_it_was_asked_for(site: Site, make_client: MakeClient) -> None:
    client = make_client(with_settings(site, frame_ancestors=("http://localhost:*",)))
    headers = client.get("/").headers
    assert headers["content-security-policy"].endswith("frame-ancestors http://localhost:*")
    assert "x-frame-options" not in headers

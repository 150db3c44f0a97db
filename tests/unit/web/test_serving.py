"""`art serve` as a process, what it takes and refuses, and `art.show` in one."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import artstore as art
from artstore.api import Store
from artstore.errors import InvalidInputError, StateError
from artstore.web.opening import open_site
from artstore.web.serving import ListenAddress, for_address, listen, new_token
from artstore.web.settings import ServeSettings
from artstore.web.showing import ShownPage, stop_all
from tests.trees import open_at

SOURCE = Path(__file__).resolve().parents[3] / "src"
START_SECONDS = 60

Serve = Callable[..., tuple["subprocess.Popen[str]", dict[str, Any]]]


@pytest.fixture
def serve(filled_directory: Path) -> Iterator[Serve]:
    """Starts `art serve` over the filled store; gives the process and what it printed."""
    started: list[subprocess.Popen[str]] = []

    def call(*words: str, **environ: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        command = [sys.executable, "-m", "artstore.cli.main", "--store", str(filled_directory)]
        process = subprocess.Popen(
            [*command, "serve", "--port", "0", "--json", *words],
            env={**os.environ, "PYTHONPATH": str(SOURCE), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()
        return process, json.loads(line)

    yield call
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def get(address: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    request = urllib.request.Request(address, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_answers_until_it_is_told_to_end(serve: Serve, number: signal.Signals) -> None:
    process, told = serve()
    assert told["address"] == f"http://127.0.0.1:{told['port']}/"
    assert (told["token"], told["write"]) == (None, False)
    page = (SOURCE.parent / "docs" / "reference" / "json.md").read_text("utf-8")
    documented = page.partition("\n### serve\n")[2].partition("\n### ")[0]
    assert set(told) == set(re.findall(r"`(\w+)`(?=.*\| (?:text|number|boolean))", documented))
    status, page = get(told["address"] + "p/demo")
    assert (status, "digits" in page) == (200, True)
    process.send_signal(number)
    _, err = process.communicate(timeout=START_SECONDS)
    assert (process.returncode, err) == (0, "")


def test_a_server_at_rest_is_small(serve: Serve) -> None:
    process, told = serve()
    for place in ("", "p/demo", "p/demo/c/files", "p/demo/c/guesses/v0", "api/v1/p/demo"):
        assert get(told["address"] + place)[0] == 200
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        pytest.skip("there is no /proc here")
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
    assert found is not None
    assert int(found[1]) < 150_000
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    for library in ("duckdb", "torch", "pandas"):
        assert f"/{library}/" not in maps, library


def test_a_server_for_others_asks_for_a_token(serve: Serve) -> None:
    _, told = serve("--host", "0.0.0.0")
    assert len(told["token"]) == 32
    assert told["address"].endswith(f"/?token={told['token']}")
    near = f"http://127.0.0.1:{told['port']}/api/v1/"
    assert get(near)[0] == 401
    assert get(near, {"Authorization": f"Bearer {told['token']}"})[0] == 200


def test_a_token_may_come_from_the_environment(serve: Serve) -> None:
    _, told = serve(ARTSTORE_SERVE_TOKEN="from-the-environment")
    assert told["token"] == "from-the-environment"
    assert get(told["address"].partition("?")[0])[0] == 401


def test_a_request_longer_than_any_is_answered(serve: Serve) -> None:
    _, told = serve()
    status, text = get(f"{told['address']}api/v1/p/demo?page={'x' * 100_000}")
    assert (status, json.loads(text)["error"]["code"]) == (400, "request-invalid")


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("--host", "no.such.host.invalid"), 7, "address-in-use"),
        (("--host", "192.0.2.1"), 7, "address-in-use"),
        (("--token", "short"), 2, "value-invalid"),
        (("--token", "sp ace and / more"), 2, "value-invalid"),
        (("--root-path", "/api"), 2, "value-invalid"),
        (("--root-path", "/a b"), 2, "value-invalid"),
        (("--allow-host", "http://x/y"), 2, "value-invalid"),
        (("--store", "nowhere"), 4, "store-not-found"),
        (("--port", "70000"), 2, "usage-invalid"),
    ],
)
def test_what_cannot_be_served_is_told_at_once(
    filled_directory: Path, words: tuple[str, ...], status: int, code: str
) -> None:
    program = [sys.executable, "-m", "artstore.cli.main", "--store", str(filled_directory)]
    command = [*program, "serve", "--json", *([] if "--port" in words else ["--port", "0"]), *words]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == code


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StateError) as caught:
            listen("127.0.0.1", port)
    assert caught.value.code == "address-in-use"
    assert str(port) in caught.value.message


@pytest.mark.parametrize(
    ("text", "root"), [("", ""), ("/", ""), ("art", "/art"), ("/a/b/", "/a/b"), ("/~x", None)]
)
def test_a_prefix_is_written_in_one_way(text: str, root: str | None) -> None:
    settings = ServeSettings(root_path=text)
    if root is None:
        with pytest.raises(InvalidInputError):
            for_address(settings, _here())
    else:
        assert for_address(settings, _here()).root_path == root


def test_only_who_others_reach_gets_a_token() -> None:
    assert for_address(ServeSettings(), _here()).token is None
    far = ListenAddress(socket.socket(), "10.0.0.1", 80, is_loopback=False)
    far.socket.close()
    settings = for_address(ServeSettings(), far)
    assert settings.token is not None
    assert not settings.is_loopback
    assert "10.0.0.1" in settings.allowed_hosts


def test_tokens_differ() -> None:
    assert len({new_token() for _ in range(50)}) == 50


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    settings = ServeSettings(root_path="/art", token="12345678")
    here = ListenAddress(_here().socket, "::1", 80, is_loopback=True)
    assert here.address(settings) == "http://[::1]:80/art/?token=12345678"


def _here() -> ListenAddress:
    unused = socket.socket()
    unused.close()
    return ListenAddress(unused, "127.0.0.1", 1, is_loopback=True)


# show --------------------------------------------------------------------------------


@pytest.fixture
def shown_store(filled_directory: Path) -> Iterator[Store]:
    yield open_at(filled_directory, project="demo")
    stop_all()


def test_show_serves_the_page_of_what_it_is_given(shown_store: Store) -> None:
    version = shown_store.artifact("digits:v1")
    page = art.show(version)
    assert str(page).endswith("/p/demo/c/digits/v1")
    status, text = get(str(page))
    assert (status, "examples" in text) == (200, True)
    assert f'<iframe src="{page}"' in page._repr_html_()


def test_show_of_a_table_leads_to_its_page(shown_store: Store) -> None:
    if not open_site(shown_store).routes.has("table"):
        pytest.skip("there are no pages of tables yet")
    table = art.show(shown_store.artifact("digits:v1").get("examples"))
    assert str(table).endswith("/p/demo/c/digits/v1/tables/examples")
    joined = art.show(shown_store.table("guesses/joined"))
    assert str(joined).endswith("/p/demo/c/guesses/v0/tables/joined")


def test_one_server_serves_all_of_a_store(shown_store: Store) -> None:
    pages = [art.show(shown_store), art.show(shown_store.artifact("files:v1"))]
    assert len({str(page).split("/")[2] for page in pages}) == 1


def test_show_finds_names_in_the_default_store(
    shown_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTSTORE_URL", shown_store.url)
    monkeypatch.setenv("ARTSTORE_PROJECT", "demo")
    assert str(art.show()).endswith("/")
    assert str(art.show("files:best")).endswith("/p/demo/c/files/v1")
    assert str(art.show("other/model")).endswith("/p/other/c/model/v0")


def test_show_refuses_what_has_no_page(shown_store: Store) -> None:
    with pytest.raises(StateError, match="no version"):
        art.show(art.Artifact("draft", "dataset"))
    with pytest.raises(StateError) as caught:
        art.show(art.Table(["a"], data=[[1]]))
    assert caught.value.code == "artifact-not-logged"
    grown = shown_store.artifact("digits:v1").get("examples")
    grown.add_data(99, None, 1)
    with pytest.raises(StateError):
        art.show(grown)
    with pytest.raises(InvalidInputError):
        art.show(17)


def test_a_shown_page_is_framed_by_notebooks_of_this_machine_alone(shown_store: Store) -> None:
    page = art.show(shown_store)
    with urllib.request.urlopen(str(page)) as answer:
        policy = answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] is None
    ancestors = policy.partition("frame-ancestors ")[2].split()
    assert "http://localhost:*" in ancestors
    assert not [source for source in ancestors if source in ("*", "http:", "https:")]


def test_a_frame_holds_no_markup_of_others() -> None:
    html = ShownPage('http://127.0.0.1/"><script>', 100)._repr_html_()
    assert "<script>" not in html

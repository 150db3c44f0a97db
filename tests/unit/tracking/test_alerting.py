"""Alerts: sent where the user said, never in the way of the run. Servers are real ones."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artstore.errors import InvalidInputError
from artstore.settings import AlertSettings, resolve, user_file
from artstore.tracking.alerting import AlertLevel, Notifier, command_arguments

RUN = {"id": "abc", "project": "digits", "name": "first", "url": "http://localhost/r"}


class Server:
    def __init__(self, status: int, hang: threading.Event | None) -> None:
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append((self.path, dict(self.headers), body))
                if hang is not None:
                    hang.wait(30)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815 - the name the server calls

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/secret-part"

    def payloads(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.received]


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(status: int = 200, hang: threading.Event | None = None) -> Server:
        server = Server(status, hang)
        threading.Thread(target=server.server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.server.shutdown()
        server.server.server_close()


@contextmanager
def notifier(targets: AlertSettings, **options: Any) -> Iterator[tuple[Notifier, list[str]]]:
    told: list[str] = []
    made = Notifier(targets, RUN, tell=told.append, **options)
    yield made, told
    made.close()


def test_a_webhook_gets_the_alert_and_its_run(serve: Callable[..., Server]) -> None:
    server = serve()
    with notifier(AlertSettings(webhook=server.url)) as (alerts, told):
        alert = alerts.alert("Low accuracy", "it is 0.1 <é>", AlertLevel.WARN)
    assert alert is not None
    assert server.payloads() == [{**alert.to_json(), "run": RUN}]
    assert alert.level == "WARN"
    assert server.received[0][1]["Content-Type"].startswith("application/json")
    assert told == []


def test_slack_gets_a_text(serve: Callable[..., Server]) -> None:
    server = serve()
    with notifier(AlertSettings(slack=server.url)) as (alerts, _):
        alerts.alert("a <b> & c", "text", "error")
    assert server.payloads() == [
        {"text": "*[ERROR] a &lt;b&gt; &amp; c*\ntext\ndigits/abc (first) http://localhost/r"}
    ]


def test_a_command_gets_the_text_and_no_shell_sees_the_title(tmp_path: Path) -> None:
    script = tmp_path / "mail.py"
    script.write_text(
        "import json, sys, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'out')!r}).write_text("
        "json.dumps([sys.argv[1:], sys.stdin.read()]))\n"
    )
    command = f"{sys.executable} {script} -s '[{{level}}] {{title}}' {{run}} me@example.org"
    with notifier(AlertSettings(mail_command=command)) as (alerts, told):
        alerts.alert("$(touch x); `y`\nBcc: all", "body {title}")
    arguments, body = json.loads((tmp_path / "out").read_text())
    assert arguments == [
        "-s",
        "[INFO] $(touch x); `y` Bcc: all",
        "digits/abc (first) http://localhost/r",
        "me@example.org",
    ]
    assert body.startswith("body {title}\n\nINFO of run digits/abc")
    assert told == []


def test_a_value_that_is_a_whole_word_is_no_option() -> None:
    assert command_arguments("send {title}", {"title": "--exec=x"}) == ["send", " --exec=x"]


@given(st.text(), st.text())
def test_values_fill_one_word_each_and_are_not_filled_again(title: str, text: str) -> None:
    words = command_arguments("x -s {title} 'a b {text}'", {"title": title, "text": text})
    assert len(words) == 4
    assert words[3] == "a b " + text.replace("\0", "")


@pytest.mark.parametrize("status", [302, 400, 500])
def test_a_server_that_refuses_is_told_once_and_without_its_url(
    serve: Callable[..., Server], status: int
) -> None:
    server = serve(status)
    with notifier(AlertSettings(webhook=server.url)) as (alerts, told):
        for number in range(3):
            assert alerts.alert(f"title {number}") is not None
    assert len(server.received) == 3
    assert len(told) == 1
    assert f"the server answered {status}" in told[0]
    assert "secret-part" not in told[0]
    assert {path for path, _, _ in server.received} == {"/hook/secret-part"}


def test_a_server_that_is_not_there_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    alerts = Notifier(AlertSettings(webhook=f"http://127.0.0.1:{port}/x"), RUN)
    alerts.alert("one")
    alerts.alert("two")
    alerts.close()
    assert capsys.readouterr().err.count("Connection refused") == 1


def test_a_server_that_hangs_delays_neither_the_run_nor_its_end_for_long(
    serve: Callable[..., Server],
) -> None:
    release = threading.Event()
    server = serve(200, release)
    with notifier(AlertSettings(webhook=server.url), send_seconds=0.3) as (alerts, told):
        began = time.monotonic()
        assert alerts.alert("one") is not None
        assert time.monotonic() - began < 0.25
        alerts.close(5)
        assert time.monotonic() - began < 4
    assert "no answer in time" in told[0]
    slow = Notifier(AlertSettings(webhook=server.url), RUN, tell=told.append)
    slow.alert("one")
    began = time.monotonic()
    slow.close(0.2)
    assert time.monotonic() - began < 2
    release.set()
    assert slow._thread is not None
    slow._thread.join(10)


def test_a_command_that_fails_or_is_missing_is_told() -> None:
    for command, words in (("false", "ended with 1"), ("/no/such/mail", "No such file")):
        with notifier(AlertSettings(mail_command=command)) as (alerts, told):
            alerts.alert("x")
            alerts.alert("y")
        assert len(told) == 1
        assert words in told[0]


def test_a_command_that_hangs_is_ended() -> None:
    began = time.monotonic()
    with notifier(AlertSettings(mail_command="sleep 60"), send_seconds=0.2) as (alerts, told):
        alerts.alert("x")
    assert time.monotonic() - began < 4
    assert "no answer in time" in told[0]


def test_the_same_title_within_the_wait_is_no_alert() -> None:
    from artstore import clock

    class Fixed(clock.Clock):
        now = 100.0

        def now_seconds(self) -> float:
            return self.now

    with clock.use(Fixed()) as fixed, notifier(AlertSettings()) as (alerts, _):
        assert isinstance(fixed, Fixed)
        assert alerts.alert("a") is not None
        assert alerts.alert("b") is not None
        fixed.now = 159.0
        assert alerts.alert("a") is None
        assert alerts.alert("a", wait_duration=10) is not None
        fixed.now = 160.0
        assert alerts.alert("a", wait_duration=timedelta(seconds=2)) is None
        assert alerts.alert("a", wait_duration=0) is not None
        assert alerts.alert("b", wait_duration=60) is not None


def test_titles_are_one_line_and_texts_are_bounded() -> None:
    with notifier(AlertSettings()) as (alerts, _):
        alert = alerts.alert("a\n b " + "x" * 100, "t" * 20_000, "warning")
    assert alert is not None
    assert alert.title == "a b " + "x" * 59 + "…"
    assert alert.level == "WARN"
    assert len(alert.text) < 10_100


@pytest.mark.parametrize(
    "arguments",
    [
        ("",),
        (" \n",),
        ("a", "", "LOUD"),
        ("a", "", "INFO", -1),
        ("a", "", "INFO", float("nan")),
        ("a", "", "INFO", "1"),
    ],
)
def test_what_is_no_alert_is_refused(arguments: tuple[Any, ...]) -> None:
    with notifier(AlertSettings()) as (alerts, _), pytest.raises(InvalidInputError) as caught:
        alerts.alert(*arguments)
    assert caught.value.code == "value-invalid"


def test_after_the_end_alerts_are_kept_and_not_sent(serve: Callable[..., Server]) -> None:
    server = serve()
    with notifier(AlertSettings(webhook=server.url)) as (alerts, _):
        alerts.close()
        assert alerts.alert("late") is not None
    assert server.received == []


def test_targets_come_from_the_users_own_file(home: Path) -> None:
    file = user_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    assert not resolve().alerts
    file.write_text(
        '[alerts]\nwebhook = "https://example.org/x"\nslack = "http://127.0.0.1:1/s"\n'
        "mail_command = \"mail -s {title} 'a b'\"\npager = 1\n"
    )
    settings = resolve()
    assert settings.alerts == AlertSettings(
        "https://example.org/x", "http://127.0.0.1:1/s", "mail -s {title} 'a b'"
    )
    assert "example.org" not in repr(settings)
    assert any("'pager' of [alerts]" in warning for warning in settings.warnings)
    assert not any("'alerts'" in warning for warning in settings.warnings)


@pytest.mark.parametrize(
    "text",
    [
        "alerts = 1",
        "[alerts]\nwebhook = 1",
        '[alerts]\nwebhook = "file:///etc/passwd"',
        '[alerts]\nslack = "hooks.slack.com/x"',
        '[alerts]\nmail_command = "mail \'"',
    ],
)
def test_targets_that_cannot_be_used_are_refused(home: Path, text: str) -> None:
    file = user_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    with pytest.raises(InvalidInputError) as caught:
        resolve()
    assert caught.value.code == "settings-invalid"
    assert str(file) in caught.value.message


def test_a_cloned_repository_cannot_set_where_alerts_go(home: Path) -> None:
    (home / "work" / "artstore.toml").write_text('[alerts]\nwebhook = "https://evil.example"\n')
    with pytest.raises(InvalidInputError, match="may come with a cloned repository"):
        resolve()

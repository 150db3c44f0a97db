"""
Alerts of a run: who is told, how often, and that nobody waits for it.

An alert is kept on the run by whoever asks here; this module says whether it is one (the
same title again within `wait_duration` is none) and sends it to what the user has set in
their own `config.toml`:

    [alerts]
    webhook = "https://example.org/hook"
    slack = "https://hooks.slack.com/services/..."
    mail_command = "mail -s {title} me@example.org"

A webhook gets a POST of JSON: `{"title", "text", "level", "time", "run": {"id", "project",
"name", "url"}}`; members of `run` may be null. Any answer from 200 to 299 is success;
redirects are not followed. What fails is told once on stderr, without the URL, which is a
secret, and never again in this run.
"""

from __future__ import annotations

import queue
import re
import shlex
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from artstore import clock, forks
from artstore.errors import InvalidInputError
from artstore.settings import AlertSettings
from artstore.tracking.capture import secrets
from artstore.tracking.telling import tell_user

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

__all__ = [
    "END_SECONDS",
    "SEND_SECONDS",
    "TEXT_MAX_CHARS",
    "TITLE_MAX_CHARS",
    "WAIT_SECONDS",
    "Alert",
    "AlertLevel",
    "Notifier",
    "command_arguments",
]

TITLE_MAX_CHARS: Final = 64
TEXT_MAX_CHARS: Final = 10_000
WAIT_SECONDS: Final = 60.0
"""From one alert to the next of the same title, unless told otherwise."""
SEND_SECONDS: Final = 5.0
"""What a server or command may take."""
END_SECONDS: Final = 5.0
"""What the end of a run waits for alerts that are under way."""

_WAITING_MAX_COUNT: Final = 100
_TITLES_MAX_COUNT: Final = 1000
_HOLE: Final = re.compile(r"\{(title|text|level|run)\}")
_LATE: Final = ("http.client", "json", "ssl", "subprocess", "urllib.request")


class AlertLevel(StrEnum):
    """How bad it is."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Alert:
    """
    Attributes:
        title: one line of at most 64 characters.
        text: what happened; may be empty.
        level: `INFO`, `WARN` or `ERROR`.
        time: time text, UTC.
    """

    title: str
    text: str
    level: str
    time: str

    def to_json(self) -> dict[str, str]:
        """As it is kept on the run."""
        return {"title": self.title, "text": self.text, "level": self.level, "time": self.time}


class Notifier:
    """
    The alerts of one run. Threads may alert at once; in a forked child nothing is sent.

    Cost: nothing is imported and no thread started before the first alert that is sent.
    """

    def __init__(
        self,
        targets: AlertSettings,
        run: Mapping[str, str | None],
        *,
        send_seconds: float = SEND_SECONDS,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """
        Args:
            targets: from the user's own settings.
            run: `id`, `project`, `name` and `url` of the run, as far as it has them.
            tell: takes a line about what could not be sent; stderr if None.
        """
        self._targets, self._run = targets, dict(run)
        self._send_seconds = send_seconds
        self._tell = tell or tell_user
        self._generation = forks.generation()
        self._lock = forks.new_lock()
        self._last: dict[str, float] = {}
        self._waiting: queue.SimpleQueue[Alert | None] = queue.SimpleQueue()
        self._waiting_count = 0
        self._thread: threading.Thread | None = None
        self._has_closed = False
        self._told: set[str] = set()

    def alert(
        self,
        title: str,
        text: str = "",
        level: str = "INFO",
        wait_duration: float | timedelta | None = None,
    ) -> Alert | None:
        """
        Make an alert and have it sent; returns at once.

        Args:
            title: the first 64 characters of it, on one line.
            level: `INFO`, `WARN` or `ERROR`, in any case, or an `AlertLevel`.
            wait_duration: an alert of the same title within so many seconds of the last
                one is none; 60 seconds if None.
        Returns:
            The alert, secrets of the environment masked, for the run to keep; None for
            one that came too soon.
        Raises:
            InvalidInputError: `value-invalid`.
        """
        made = _made(title, text, level)
        wait_seconds = _seconds(wait_duration)
        now = clock.monotonic_seconds()
        with self._lock:
            last = self._last.get(made.title)
            if last is not None and now - last < wait_seconds:
                return None
            if len(self._last) >= _TITLES_MAX_COUNT:
                # A title with a number in it: the oldest is forgotten.
                del self._last[next(iter(self._last))]
            self._last.pop(made.title, None)
            self._last[made.title] = now
            self._submit(made)
        return made

    def close(self, seconds: float = END_SECONDS) -> None:
        """Wait for alerts under way, at most so long; later ones are kept and not sent."""
        if self._generation != forks.generation():
            return
        with self._lock:
            self._has_closed = True
            thread = self._thread
            if thread is not None:
                self._waiting.put(None)
        if thread is not None:
            thread.join(seconds)

    def _submit(self, alert: Alert) -> None:
        if not self._targets or self._has_closed or self._generation != forks.generation():
            return
        if self._waiting_count >= _WAITING_MAX_COUNT:
            self._tell_once("queue", "alerts come faster than they can be sent: some are not")
            return
        self._waiting_count += 1
        self._waiting.put(alert)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._send_all, name="artstore-alerts", daemon=True
            )
            self._thread.start()

    def _send_all(self) -> None:
        forks.import_late(_LATE)
        while (alert := self._waiting.get()) is not None:
            for target, send in (
                ("webhook", self._send_webhook),
                ("slack", self._send_slack),
                ("mail_command", self._send_mail),
            ):
                value = getattr(self._targets, target)
                if not value:
                    continue
                try:
                    send(value, alert)
                except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on
                    self._tell_once(
                        target,
                        f"the alert {alert.title!r} could not be sent to the {target} of your "
                        f"settings: {_why(error)}; it is kept on the run",
                    )
            self._waiting_count -= 1

    def _send_webhook(self, url: str, alert: Alert) -> None:
        names = ("id", "project", "name", "url")
        run = {name: self._run.get(name) for name in names}
        self._post(url, {**alert.to_json(), "run": run})

    def _send_slack(self, url: str, alert: Alert) -> None:
        text = f"*[{alert.level}] {_for_slack(alert.title)}*\n{_for_slack(alert.text)}"
        self._post(url, {"text": f"{text}\n{_for_slack(self._label())}"})

    def _send_mail(self, command: str, alert: Alert) -> None:
        import subprocess

        body = f"{alert.text}\n\n{alert.level} of run {self._label()} at {alert.time}\n"
        values = {**alert.to_json(), "run": self._label()}
        subprocess.run(
            command_arguments(command, values),
            input=body.encode("utf-8", "replace"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=self._send_seconds,
            check=True,
            process_group=0,
        )

    def _post(self, url: str, payload: Mapping[str, Any]) -> None:
        import json
        import urllib.request

        request = urllib.request.Request(  # noqa: S310 - settings take http and https only
            url,
            data=json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace"),
            headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "artstore"},
            method="POST",
        )
        with _opener().open(request, timeout=self._send_seconds):
            pass

    def _label(self) -> str:
        project, run = self._run.get("project"), self._run.get("id")
        name, url = self._run.get("name"), self._run.get("url")
        label = "/".join(part for part in (project, run) if part)
        return " ".join([label, *([f"({name})"] if name else []), *([url] if url else [])])

    def _tell_once(self, target: str, line: str) -> None:
        if target not in self._told:
            self._told.add(target)
            self._tell(line)


def command_arguments(command: str, values: Mapping[str, str]) -> list[str]:
    """
    The words of a mail command with its holes filled; no shell ever sees them.

    A title is one word, whatever is in it. One that is a whole word and begins with `-`
    gets a space before it, so that it is no option.
    """
    words = []
    for word in shlex.split(command):
        filled = _HOLE.sub(lambda match: values.get(match[1], "").replace("\0", ""), word)
        is_hole = _HOLE.match(word) is not None
        words.append(f" {filled}" if is_hole and filled.startswith("-") else filled)
    return words


def _made(title: str, text: str, level: str) -> Alert:
    given = str(level).upper()
    if given == "WARNING":
        given = AlertLevel.WARN
    if given not in AlertLevel.__members__:
        raise InvalidInputError(
            f"{level!r} is not the level of an alert",
            code="value-invalid",
            hint="levels are INFO, WARN and ERROR",
        )
    # A line break in a title would be a header of its own in a mail.
    line = " ".join(secrets.mask_known(str(title)).split())
    if not line:
        raise InvalidInputError("an alert has no title", code="value-invalid")
    body = secrets.mask_known(str(text))
    return Alert(
        title=line if len(line) <= TITLE_MAX_CHARS else line[: TITLE_MAX_CHARS - 1] + "…",
        text=body if len(body) <= TEXT_MAX_CHARS else body[:TEXT_MAX_CHARS] + "[...]",
        level=str(AlertLevel(given)),
        time=clock.format_time(clock.now_seconds()),
    )


def _seconds(wait_duration: float | timedelta | None) -> float:
    if wait_duration is None:
        return WAIT_SECONDS
    seconds = (
        wait_duration.total_seconds() if isinstance(wait_duration, timedelta) else wait_duration
    )
    # Not less than 0, and not NaN.
    if not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise InvalidInputError(
            f"wait_duration of an alert is {wait_duration!r}, not a number of seconds",
            code="value-invalid",
            hint="give seconds from 0, or a timedelta",
        )
    return float(seconds)


def _opener() -> OpenerDirector:
    import urllib.request

    class _NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any, **__: Any) -> None:
            # The body would be dropped on the way, and 200 would be no success.
            return None

    return urllib.request.build_opener(_NoRedirect)


def _for_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _why(error: Exception) -> str:
    """What went wrong, without URLs and command lines, which may be secrets."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return f"the server answered {code}"
    status = getattr(error, "returncode", None)
    if isinstance(status, int):
        return f"the command ended with {status}"
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError) or type(error).__name__ == "TimeoutExpired":
        return "no answer in time"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return type(error).__name__

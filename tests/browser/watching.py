"""
A page of a browser that notes all that it says, asks for and opens.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

BLOCKED: Final = ("csp", "net::ERR_BLOCKED_BY_CSP")
"""Why a request failed that never left the browser."""


class Watched:
    """
    A page in a context of its own.

    Attributes:
        page: Playwright's.
        errors: what scripts threw, and what the console calls an error or a warning.
        hosts: whom the page asked, except the server; not what a policy kept in.
        dialogs: the texts of alerts and questions.
    """

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.address = address
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **options}
        )
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self.dialogs: list[str] = []
        self.context.on("page", self._watch)
        self.page = self.context.new_page()

    def goto(self, path: str) -> Any:
        """Open a page of the server; the answer."""
        return self.page.goto(self.address + path)

    def _watch(self, page: Any) -> None:
        page.set_default_timeout(40_000)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.errors.append(f"thrown: {error}"))
        page.on("requestfinished", self._asked)
        page.on("requestfailed", self._failed)
        page.on("dialog", self._dismiss)

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.type}: {message.text}")

    def _failed(self, request: Any) -> None:
        if request.failure not in BLOCKED:
            self._asked(request)

    def _asked(self, request: Any) -> None:
        host = urlsplit(request.url).netloc
        if host and host != urlsplit(self.address).netloc:
            self.hosts.add(host)

    def _dismiss(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

"""
The store that is served, and what is kept of it while the server runs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from artstore import clock, forks
from artstore.errors import ArtstoreError, NotFoundError
from artstore.web.routing import Page, Routes
from artstore.web.settings import ServeSettings

if TYPE_CHECKING:
    from jinja2 import Environment

    from artstore.api import LoggedArtifact, Store

__all__ = ["RecentValues", "Site"]

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

_OPENED_COUNT: Final = 64
_OPENED_SECONDS: Final = 5.0
"""A version that was deleted can be read so much longer by who has its page open."""
_KEPT_COUNT: Final = 16


class RecentValues(Generic[_Key, _Value]):
    """The values that were asked for last, at most `count`. For several threads."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._values: OrderedDict[_Key, _Value] = OrderedDict()
        self._lock = forks.new_lock()

    def get(self, key: _Key) -> _Value | None:
        """The value, if it is still kept."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: _Key, value: _Value) -> _Value:
        """Keep a value; of two threads that come at once the later one's is kept."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._count:
                self._values.popitem(last=False)
        return value


class Site:
    """
    What every handler works with.

    Attributes:
        secret: what a page of this server knows and no other page does; 43 characters.
        live: the runs of the store as they are now.
    Args:
        pages: all that have an address; `opening.open_site` knows those that there are.
    """

    def __init__(
        self,
        store: Store,
        settings: ServeSettings | None = None,
        *,
        pages: Iterable[Page],
    ) -> None:
        from artstore.web.assets import Assets
        from artstore.web.live.runs import Live
        from artstore.web.templating import make_templates

        self.store = store
        self.settings = settings or ServeSettings()
        self.pages: tuple[Page, ...] = tuple(pages)
        self.routes = Routes(self.pages, self.settings.root_path)
        self.assets = Assets(self.settings.root_path)
        self.templates: Environment = make_templates(self)
        self.secret = _random_text()
        self.live = Live(store)
        self._opened: RecentValues[str, tuple[float, LoggedArtifact]] = RecentValues(_OPENED_COUNT)
        self._kept: RecentValues[Hashable, Any] = RecentValues(_KEPT_COUNT)
        self._making = [forks.new_lock() for _ in range(_KEPT_COUNT)]

    def version(self, project: str, collection: str, version: str) -> LoggedArtifact:
        """
        The version of that number, alias or digest, as it is now.

        Raises:
            NotFoundError: `collection-not-found`, `version-not-found`, `version-deleted`, ...
            InvalidInputError: `name-invalid`, `digest-ambiguous`.
        Cost: one scan of the log.
        """
        found = self.store.artifact(version_name(project, collection, version))
        kept = (clock.monotonic_seconds(), found)
        self._opened.put(version_name(project, collection, version), kept)
        return found

    def opened(self, project: str, collection: str, version: str) -> LoggedArtifact:
        """The same, as it was 5 seconds ago at most: for its content, not for its labels."""
        kept = self._opened.get(version_name(project, collection, version))
        if kept is not None and clock.monotonic_seconds() - kept[0] < _OPENED_SECONDS:
            return kept[1]
        return self.version(project, collection, version)

    def check_there(self) -> None:
        """
        Find out whether the store is still where it was: else it would look like an empty one.

        Raises:
            NotFoundError: `store-not-found`, it was there and is there no more.
        Cost: one small read.
        """
        from artstore.api import open_store

        try:
            _ = self.store.id
        except ArtstoreError:
            # It was never there: whoever pushes first makes it.
            return
        try:
            _ = open_store(self.store.url).id
        except NotFoundError as error:
            raise NotFoundError(
                "the store is not there any more: its place was moved, deleted or unmounted",
                code="store-not-found",
                hint="this page works again as soon as the store is back at its place",
            ) from error
        except ArtstoreError:
            # What else is wrong with it says who reads from it.
            return

    def store_of(self, project: str) -> Store:
        """The store, for what is logged into a project. Raises InvalidInputError `name-invalid`."""
        if project == self.store.project:
            return self.store
        from artstore.api import open_store

        url = self.store.url
        return self.kept(("store", project), lambda: open_store(url, project=project))

    def kept(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """
        What was made for `key`, while it is one of the last 16; for what is dear to open.

        Whatever stands for a version in `key` must never change: `LoggedArtifact.id`.
        """
        found = self._kept.get(key)
        if found is None:
            # Of those who come at once one makes it, the others wait.
            with self._making[hash(key) % len(self._making)]:
                found = self._kept.get(key)
                if found is None:
                    found = self._kept.put(key, make())
        value: _Value = found
        return value


def version_name(project: str, collection: str, version: str) -> str:
    """`project/name:v3` or `project/name@1234abcd`, as `Store.artifact` takes it."""
    is_digest = len(version) in range(8, 65) and not set(version) - set("0123456789abcdef")
    return f"{project}/{collection}{'@' if is_digest else ':'}{version}"


def _random_text() -> str:
    import base64

    return base64.urlsafe_b64encode(clock.random_bytes(32)).rstrip(b"=").decode("ascii")

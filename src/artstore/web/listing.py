"""
Long lists a page at a time, and what is dear to know of versions, known once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from artstore import forks
from artstore.errors import ArtstoreError, InvalidInputError
from artstore.storeaccess import logged_version_of
from artstore.web.site import RecentValues

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact, VersionState
    from artstore.versions.version import LoggedVersion
    from artstore.web.routing import Visit
    from artstore.web.site import Site

__all__ = ["ListedPage", "cut_page", "messages", "new_bytes", "together"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_AT_ONCE: Final = 8
_REMEMBERED: Final = 20_000
_ENTRIES_LOOKED_AT: Final = 20_000
"""For one page: lists of files longer than this in all are not read to count new bytes."""


class ListedPage(NamedTuple):
    """One page of a list, from 1; links to its neighbours keep the rest of the address."""

    page: int
    page_count: int
    total: int
    start: int
    stop: int


def cut_page(visit: Visit, total: int, size: int) -> ListedPage:
    """
    Which part of a list of `total` the address asks for with `?page=`.

    Raises:
        InvalidInputError: `request-invalid`.
    """
    text = visit.query.get("page", "1")
    page_count = max(1, -(-total // size))
    if not (
        text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= page_count
    ):
        raise InvalidInputError(
            f"there is no page {text[:20]!r} of {page_count}", code="request-invalid"
        )
    page = int(text)
    return ListedPage(page, page_count, total, (page - 1) * size, min(total, page * size))


def together(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    """`work` on each item, several at once: each waits for the store most of its time."""
    if len(items) < 2:
        return [work(item) for item in items]
    forks.import_late(("concurrent.futures.thread",))
    with ThreadPoolExecutor(_AT_ONCE, "artstore page") as threads:
        return list(threads.map(work, items))


def messages(site: Site, name: str, states: Sequence[VersionState]) -> list[str | None]:
    """Why each version was made; None of those that are deleted, or cannot be read."""
    found = _Versions(site, name)

    def message(state: VersionState) -> str | None:
        if not state.is_live:
            return None
        key = ("message", state.push, state.meta)
        return _once(site, key, lambda: found.at(state).message)

    return together(message, states)


def new_bytes(site: Site, name: str, states: Sequence[VersionState]) -> list[int | None]:
    """What each version brought into the store; None where it takes long to find out."""
    found = _Versions(site, name)
    looked_at = 0
    wanted = []
    for state in states:
        looked_at += state.entry_count
        wanted.append(state.is_live and looked_at <= _ENTRIES_LOOKED_AT)

    def measured(item: tuple[VersionState, bool]) -> int | None:
        state, is_wanted = item
        key = ("new", state.push)
        if not is_wanted:
            return None
        return _once(site, key, lambda: site.store.new_bytes(found.at(state)))

    return together(measured, list(zip(states, wanted, strict=True)))


class _Versions:
    """Versions of one artifact, for all of which its log is looked at once. For several threads."""

    def __init__(self, site: Site, name: str) -> None:
        self._site, self._name = site, name
        self._lock = forks.new_lock()
        self._first: LoggedVersion | None = None

    def at(self, state: VersionState) -> LoggedArtifact:
        """One of them. Raises NotFoundError."""
        from artstore.logged import LoggedArtifact

        with self._lock:
            if self._first is None:
                found = self._site.store.artifact(f"{self._name}:v{state.version}")
                self._first = logged_version_of(found)
        return LoggedArtifact(self._first.beside(self._first.state, state))


def _once(site: Site, key: Iterable[object], find: Callable[[], _Result]) -> _Result | None:
    known: RecentValues[object, tuple[_Result]] = site.kept(
        "listed", lambda: RecentValues(_REMEMBERED)
    )
    found = known.get(key)
    if found is None:
        try:
            found = known.put(key, (find(),))
        except ArtstoreError:
            # Damaged, or deleted since: the rest of the list is shown all the same.
            return None
    return found[0]

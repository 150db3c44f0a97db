"""
`art.show`: the page of something in a notebook, served by a thread of this process.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from artstore import forks
from artstore.api import open_store
from artstore.artifact import Artifact
from artstore.defaultstore import default_store
from artstore.errors import InvalidInputError, StateError
from artstore.storeaccess import logged_version_of
from artstore.storetables import split_table_name
from artstore.tables.reading import RowReader
from artstore.web.opening import open_site
from artstore.web.serving import ThreadServer, for_address, listen
from artstore.web.settings import ServeSettings
from artstore.web.site import Site

if TYPE_CHECKING:
    from artstore.api import Store

__all__ = ["ShownPage", "show", "stop_all"]

_LOOPBACK: Final = "127.0.0.1"
_HEIGHT: Final = 640
# Notebooks of this machine, and those of VS Code, whose pages have addresses of their own.
_NOTEBOOKS: Final = (
    "'self'",
    *(f"{scheme}://{host}:*" for scheme in ("http", "https") for host in ("localhost", _LOOPBACK)),
    "vscode-webview:",
    "vscode-file:",
)


class ShownPage:
    """
    A page that a thread of this process serves as long as the process lives.

    A notebook shows it in a frame; as text it is its address.
    """

    def __init__(self, address: str, height: int) -> None:
        self.address = address
        self.height = height

    def __str__(self) -> str:
        return self.address

    def __repr__(self) -> str:
        return f"<page {self.address}>"

    def _repr_html_(self) -> str:
        address = escape(self.address)
        return (
            f'<iframe src="{address}" width="100%" height="{self.height}" '
            f'style="border: 1px solid #8888" title="artstore"></iframe>'
            f'<p><a href="{address}" target="_blank" rel="noopener">{address}</a></p>'
        )


_servers: dict[tuple[int, str], tuple[Site, ThreadServer]] = {}
_starting = forks.new_lock()


def show(shown: Any = None, *, height: int = _HEIGHT) -> ShownPage:
    """
    The page of a version, or of a table of one, for a notebook.

    The first call for a store starts a server in a thread: on this machine alone, and only for
    reading. Pages of other hosts cannot show it in a frame.

    Args:
        shown: a version; a Table, JoinedTable or PartitionedTable that was read from one; the
            name of either, `digits:v3` or `digits:v3/examples`; a Store; None: the first page
            of the default store.
        height: of the frame, in pixels.
    Raises:
        StateError: `artifact-not-logged`: a draft, or a table that is in no version.
        InvalidInputError: `value-unknown`: nothing that has a page.
        NotFoundError: as `Store.artifact`.
    """
    store, name, path = _found(shown)
    site, server = _server(store)
    if name is None:
        return ShownPage(server.address, height)
    project, _, rest = name.partition("/")
    collection, _, version = rest.partition(":")
    parts = {"project": project, "collection": collection, "version": version}
    if path is None:
        address = site.routes.html("version", parts)
    else:
        address = site.routes.html("table", {**parts, "path": path})
    return ShownPage(server.address.rstrip("/") + address, height)


def stop_all() -> None:
    """End the servers of this process."""
    with _starting:
        while _servers:
            _servers.popitem()[1][1].stop()


def _found(shown: Any) -> tuple[Store, str | None, str | None]:
    """The store, the exact name of the version, and the table in it."""
    from artstore.api import Store

    if shown is None:
        return default_store(), None, None
    if isinstance(shown, Store):
        return shown, None, None
    if isinstance(shown, Artifact):
        # Raises while it is a draft.
        name = shown.qualified_name
        return _store_of(shown), name, None
    if isinstance(shown, RowReader):
        place = shown.place_name
        # To a table that was read, rows may have been added since.
        if place is None or getattr(shown, "stored", shown) is None:
            raise StateError(
                f"{shown!r} is in no version, and only versions have pages",
                code="artifact-not-logged",
                hint="add it to an artifact, log that, and show what artifact.get(...) gives",
            )
        name, path = split_table_name(place)
        return _store_of_table(shown), name, path
    if isinstance(shown, str):
        return _named(shown)
    raise InvalidInputError(
        f"there is no page of a {type(shown).__name__}",
        code="value-unknown",
        hint="show takes versions, tables of them, their names, stores and None",
    )


def _named(text: str) -> tuple[Store, str, str | None]:
    store = default_store()
    is_table = text.count("/") > 1 or ((":" in text or "@" in text) and "/" in _behind(text))
    version, path = split_table_name(text) if is_table else (text, None)
    return store, store.artifact(version).qualified_name, path


def _behind(text: str) -> str:
    return text.partition("@" if "@" in text else ":")[2]


def _store_of(artifact: Artifact) -> Store:
    version = logged_version_of(artifact)
    return _opened(version.place.storage.url, artifact.project)


def _store_of_table(table: RowReader) -> Store:
    home = getattr(table, "home", None)
    if home is None:
        # A joined or partitioned table lies beside the tables that it is made of.
        parts = [getattr(table, "left", None), *(getattr(table, "parts", None) or ())]
        home = next((part.home for part in parts if part is not None), None)
    if home is None:
        return default_store()
    return _opened(home.version.place.storage.url, home.version.state.project)


def _opened(url: str, project: str) -> Store:
    kept = _servers.get((forks.generation(), url))
    return kept[0].store if kept is not None else open_store(url, project=project)


def _server(store: Store) -> tuple[Site, ThreadServer]:
    key = (forks.generation(), store.url)
    with _starting:
        kept = _servers.get(key)
        if kept is None or not kept[1].is_alive:
            listening = listen(_LOOPBACK, 0)
            settings = for_address(ServeSettings(frame_ancestors=_NOTEBOOKS), listening)
            site = open_site(store, settings)
            kept = _servers[key] = (site, ThreadServer(site, listening))
        return kept

"""
Files of other versions, as links: nothing is copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from artstore import names
from artstore.errors import InvalidInputError, NotFoundError
from artstore.manifests.entry import FILE, LINK, Entry
from artstore.versions.contents import linked_entry

if TYPE_CHECKING:
    from artstore.artifact import Artifact

__all__ = ["SCHEME", "link_to", "links_behind"]

SCHEME = "art://"


def link_to(source: Artifact, path: str, name: str | None) -> Entry:
    """
    The link to a file of another version.

    Raises:
        NotFoundError: `entry-not-found`.
        InvalidInputError: `entry-not-file`, `path-invalid`.
        StateError: `artifact-not-logged`.
    """
    entry = source.entry(path)
    if entry.kind not in (FILE, LINK):
        raise InvalidInputError(
            f"{path!r} of {source.qualified_name} is a {entry.kind}, not a file",
            code="entry-not-file",
            path=path,
        )
    return _linked(source, entry, path if name is None else name)


def links_behind(address: str, name: str | None) -> list[Entry]:
    """
    Links to what lies at `art://[project/]name:version[/path]`, looked up in the default store.

    Args:
        name: path of the link, of many the directory to put them in.
    Raises:
        InvalidInputError: `reference-invalid`, `path-invalid`, `entry-not-file`.
        NotFoundError: as `Store.artifact`; `entry-not-found`.
    """
    from artstore.defaultstore import default_store

    version, path = _split(address)
    source = default_store().artifact(version)
    if path:
        try:
            return [link_to(source, path, name)]
        except NotFoundError:
            below = list(source.entries(f"{path}/"))
            if not below:
                raise
    else:
        below = list(source.entries())
    prefix = "" if name is None else f"{name.rstrip('/')}/"
    start = len(path) + 1 if path else 0
    return [_linked(source, entry, prefix + entry.path[start:]) for entry in below]


def _linked(source: Artifact, entry: Entry, path: str) -> Entry:
    path = names.check_entry_path(path)
    return linked_entry(entry, path, source=source.qualified_name, store_id=source.store_id)


def _split(address: str) -> tuple[str, str]:
    parts = address.removeprefix(SCHEME).strip("/").split("/")
    for count in (1, 2):
        if len(parts) >= count and (":" in parts[count - 1] or "@" in parts[count - 1]):
            return "/".join(parts[:count]), "/".join(parts[count:])
    raise InvalidInputError(
        f"{address!r} names no version",
        code="reference-invalid",
        hint="write art://name:v3/path, or art://project/name:v3/path",
        url=address,
    )

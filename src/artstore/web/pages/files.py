"""
Directories and files of a version: what is in them, and what they look like.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import RedirectResponse, Response

from artstore import limits
from artstore.errors import ArtstoreError, NotFoundError
from artstore.manifests.entry import DIRECTORY, LINK, REFERENCE, SYMLINK, TABLE, Entry
from artstore.versions.values import (
    JOINED_SUFFIX,
    PARTITIONED_SUFFIX,
    TABLE_SUFFIX,
    plain_name,
)
from artstore.web.previews.contenttypes import media_of
from artstore.web.previews.pictures import IMAGE_ENDINGS
from artstore.web.previews.preview import Preview
from artstore.web.previews.registry import preview_of
from artstore.web.previews.versionfile import VersionFile, find_entry, is_content
from artstore.web.routing import Answer, Page, Visit
from artstore.web.visible import visible

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact

__all__ = ["PAGES", "PAGE_COUNT", "show_file"]

PAGE_COUNT: Final = 500
"""Entries of a directory on one page."""

_PREFIX: Final = "/p/{project}/c/{collection}/{version}"
_VIEWED: Final = (JOINED_SUFFIX, PARTITIONED_SUFFIX)
_EXTRA_CHARS: Final = 1_000
_PREVIEW_SIDE: Final = "512"
_LAYERS: Final = frozenset(("boxes", "masks"))
"""Facts of an image that is shown with what is drawn over it."""


def show_file(visit: Visit) -> Answer | Response:
    """
    What stands at a path of a version; of a directory 500 entries, `?after=` goes on behind one.

    A name under which W&B would have a table (`x.table.json`) leads to its viewer.

    Raises:
        NotFoundError: `entry-not-found`.
    """
    artifact = visit.opened()
    path = visit.params["path"].removesuffix("/")
    entry = _entry(artifact, path)
    if entry is None or entry.kind == DIRECTORY:
        return _directory(visit, artifact, path)
    if entry.path != path:
        # Another name of a table: programs are told the right one, people are led there.
        if visit.is_api:
            return _file(visit, artifact, entry)
        return RedirectResponse(_viewer(visit, entry) or "", status_code=303)
    return _file(visit, artifact, entry)


def _entry(artifact: LoggedArtifact, path: str) -> Entry | None:
    """The entry at a path, None for a directory that has one only through what is in it."""
    if not path:
        return None
    try:
        return find_entry(artifact, path)
    except NotFoundError:
        if _is_directory(artifact, path):
            return None
        table = plain_name(path) + TABLE_SUFFIX
        found = None if table == path else _table(artifact, table)
        if found is None:
            raise
        return found


def _is_directory(artifact: LoggedArtifact, path: str) -> bool:
    if len(path) > limits.PATH_MAX_BYTES:
        return False
    return next(artifact.children(path), None) is not None


def _table(artifact: LoggedArtifact, path: str) -> Entry | None:
    try:
        found = find_entry(artifact, path)
    except NotFoundError:
        return None
    return found if found.kind == TABLE else None


def _directory(visit: Visit, artifact: LoggedArtifact, path: str) -> Answer:
    after = visit.query.get("after", "")
    found = list(islice(artifact.children(path, after=after), PAGE_COUNT + 1))
    more = found[PAGE_COUNT - 1].path if len(found) > PAGE_COUNT else None
    value = {
        **_place(visit, artifact, path),
        "kind": DIRECTORY,
        "after": after,
        "entries": [_listed(visit, entry) for entry in found[:PAGE_COUNT]],
        "next": None if more is None else _address(visit, "files", path, {"after": more}),
    }
    shown = {**_shown(visit, path), "page_count": PAGE_COUNT}
    return Answer("files/directory.html", value, shown=shown)


def _listed(visit: Visit, entry: Entry) -> dict[str, Any]:
    """What a listing tells of one entry."""
    name = entry.path.rpartition("/")[2]
    is_directory = entry.kind == DIRECTORY
    return {
        "name": name,
        "shown_name": visible(name, lines=False),
        "path": entry.path,
        "kind": entry.kind,
        "size_bytes": _size(entry),
        "digest": None if is_directory else entry.digest.hex(),
        "url": _url(entry),
        "target": entry.target or None,
        "href": _address(visit, "files", entry.path),
        "viewer": _viewer(visit, entry),
    }


def _file(visit: Visit, artifact: LoggedArtifact, entry: Entry) -> Answer:
    content = preview = None
    if entry.kind == TABLE or is_content(entry):
        content = _bytes_address(visit, artifact, "content", entry)
    if is_content(entry):
        preview = preview_of(VersionFile(artifact, entry))
    value = {
        **_place(visit, artifact, entry.path),
        "kind": entry.kind,
        "size_bytes": _size(entry),
        "digest": entry.digest.hex(),
        "executable": entry.executable,
        "url": _url(entry),
        "target": entry.target or None,
        "source": _source(entry),
        "extra": _extra(entry),
        "content": content,
        "viewer": _viewer(visit, entry),
        "preview": preview and preview.to_json(),
    }
    shown = {
        **_shown(visit, entry.path),
        "preview": preview,
        "media": preview and _media(visit, artifact, entry, preview),
        "tree": preview and preview.tree,
        "download": content and f"{content}&download=1",
        "parent": _address(visit, "files", entry.path.rpartition("/")[0]),
        "leads_to": _leads_to(visit, artifact, entry),
    }
    return Answer("files/file.html", value, shown=shown)


def _place(visit: Visit, artifact: LoggedArtifact, path: str) -> dict[str, Any]:
    params = visit.params
    return {
        "project": params["project"],
        "collection": params["collection"],
        "version": artifact.version,
        "path": path,
    }


def _shown(visit: Visit, path: str) -> dict[str, Any]:
    """The way to a path: (name, address) of the version and of each directory."""
    parts = path.split("/") if path else []
    return {
        "asked_version": visit.params["version"],
        "files_href": _address(visit, "files", ""),
        "trail": [
            (visible(part, lines=False), _address(visit, "files", "/".join(parts[: at + 1])))
            for at, part in enumerate(parts)
        ],
        "shown_path": visible(path, lines=False),
    }


def _address(
    visit: Visit, page: str, path: str, query: dict[str, str] | None = None, version: str = ""
) -> str:
    params = visit.params
    return visit.link(
        page,
        query,
        project=params["project"],
        collection=params["collection"],
        version=version or params["version"],
        path=path,
    )


def _bytes_address(
    visit: Visit, artifact: LoggedArtifact, page: str, entry: Entry, **query: str
) -> str:
    # By number: what stands under an alias changes, this is kept by browsers for ever.
    query = {"d": entry.digest.hex(), **query}
    return _address(visit, page, entry.path, query, version=artifact.version)


def _viewer(visit: Visit, entry: Entry) -> str | None:
    """The page of the table that an entry is; None for others."""
    if entry.kind == TABLE:
        return _address(visit, "table", plain_name(entry.path))
    if entry.path.endswith(_VIEWED):
        return _address(visit, "table", entry.path)
    return None


def _media(
    visit: Visit, artifact: LoggedArtifact, entry: Entry, preview: Preview
) -> dict[str, str] | None:
    """Where the page gets the picture, sound or frame of a preview from."""
    if preview.media is None:
        return None
    described = entry
    if preview.media_path is not None:
        try:
            entry = artifact.resolved(find_entry(artifact, preview.media_path).path)
        except NotFoundError:
            return {"missing": "The file that it names is not in this version."}
        if not is_content(entry):
            return {"missing": "Its bytes lie elsewhere; this page does not fetch them."}
    content = _bytes_address(visit, artifact, "content", entry)
    if preview.media in ("frame", "drawing"):
        return {"src": _bytes_address(visit, artifact, "frame", entry), "content": content}
    if preview.media == "image" and _is_picture(entry.path):
        has_layers = any(name in _LAYERS for name, _ in preview.facts)
        shown = described if has_layers else entry
        small = _bytes_address(visit, artifact, "thumbnail", shown, size=_PREVIEW_SIDE)
        return {"src": small, "content": content}
    return {"src": content, "content": content}


def _is_picture(path: str) -> bool:
    return path.lower().endswith(IMAGE_ENDINGS) or media_of(path) is None


def _leads_to(visit: Visit, artifact: LoggedArtifact, entry: Entry) -> str | None:
    """The page of what a symlink leads to; None where it leads out or nowhere."""
    if entry.kind != SYMLINK:
        return None
    try:
        return _address(visit, "files", artifact.resolved(entry.path).path)
    except ArtstoreError:
        return None


def _size(entry: Entry) -> int | None:
    """Bytes; None for a directory, and for a reference of which they are not known."""
    return entry.content_bytes if entry.has_size and entry.kind != DIRECTORY else None


def _url(entry: Entry) -> str | None:
    return visible(entry.url, lines=False) if entry.kind == REFERENCE else None


def _source(entry: Entry) -> str | None:
    """The file of another version that a link stands for."""
    source, path = (entry.extra.get(name) for name in ("source", "path"))
    if entry.kind != LINK and source is None:
        return None
    return visible(f"{source}/{path}", _EXTRA_CHARS, lines=False)


def _extra(entry: Entry) -> dict[str, Any]:
    """What is noted beside, as far as it is short."""
    return {
        name: visible(value, _EXTRA_CHARS) if isinstance(value, str) else value
        for name, value in entry.extra.items()
        if isinstance(value, (str, int, float, bool)) and name not in ("url", "target")
    }


PAGES: Final = (Page(_PREFIX + "/files/{path:path}", show_file, "files"),)

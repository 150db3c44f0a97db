"""
The bytes of files: as they are, as thumbnails, and as pages of users in frames.

What users have logged is never trusted. It is sent in three ways:

- `content` sends only types in which a browser runs nothing; HTML, SVG, XML and
  scripts go as plain text, what is not known goes as a file to save. `nosniff` keeps
  the browser from thinking otherwise, and `sandbox` in the policy takes the origin
  away from whatever would be shown all the same. Sound and films keep it, since the
  browser's own player would not get them: in a sandbox without scripts.
- `frame` sends HTML as HTML. Its policy has `sandbox allow-scripts` without
  `allow-same-origin`: wherever it is opened, in our frame or by itself, it is of an
  origin of its own that equals no other. So it reads no cookie, no storage and no
  page of ours (the answers of this server forbid foreign readers), and the token of
  changes is out of its reach. `default-src 'none'` leaves it inline scripts and styles
  and data: addresses: no request leaves it, not to us and not to others. Without
  `allow-top-navigation`, `allow-popups`, `allow-forms` and `allow-modals` it cannot
  lead the page away, open another or ask questions in our name. It can navigate
  itself: within our page `frame-src 'self'` keeps it from other hosts, and browsers do
  not get it but within a page (those that do not say where they show it let it go
  elsewhere, with nothing but what its own file says: no referrer is sent).
- references are not fetched at all: their URLs are of whoever logged them, and a
  server that follows them reaches what only it can reach.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response, StreamingResponse

from artstore import limits
from artstore.errors import ConflictError, InvalidInputError, LimitExceededError
from artstore.manifests.entry import TABLE
from artstore.web.previews.contenttypes import BYTES_TYPE, content_type, is_inline
from artstore.web.previews.markdown import markdown_html
from artstore.web.previews.markup import FRAME_BYTES
from artstore.web.previews.preview import TEXT_BYTES
from artstore.web.previews.versionfile import VersionFile, entry_with_bytes
from artstore.web.previews.visible import decoded, visible
from artstore.web.routing import Page, Visit
from artstore.web.thumbnails import THUMBNAIL_SIDES, thumbnails_of

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact
    from artstore.manifests.entry import Entry

__all__ = [
    "DESCRIPTOR_ENDING",
    "PAGES",
    "send_content",
    "send_frame",
    "send_thumbnail",
]

DESCRIPTOR_ENDING: Final = ".image-file.json"
_DESCRIPTOR_BYTES: Final = limits.MIB
_MASKS_MAX: Final = 32
_PARQUET: Final = ".parquet"
_PARQUET_TYPE: Final = "application/vnd.apache.parquet"
_PIECE_BYTES: Final = limits.MIB
_PREFIX: Final = "/p/{project}/c/{collection}/{version}"
_PLAYABLE: Final = ("audio/", "video/")
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_IMMUTABLE: Final = "private, max-age=31536000, immutable"
_CHECKED: Final = "private, no-cache"
_SEALED: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
"""What browsers make of a picture by itself is a page with styles of theirs."""
_PLAYED: Final = f"{_SEALED.replace('sandbox', 'sandbox allow-same-origin')}; media-src 'self'"
"""
What browsers make of a sound or a film by itself is a page that fetches it once more, and has to
be of our origin for that. No script runs in it, and nothing of the user's stands in it.
"""
_SHOWN: Final = "img-src data: blob:; media-src data: blob:; font-src data:"
_POLICIES: Final = {
    ".html": (
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' "
        f"data: blob:; style-src 'unsafe-inline' data:; worker-src blob:; {_SHOWN}"
    ),
    ".svg": f"sandbox; default-src 'none'; style-src 'unsafe-inline'; {_SHOWN}",
    ".md": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
}
_FRAMED: Final = {".htm": ".html", ".html": ".html", ".svg": ".svg", ".md": ".md"}
_FRAME_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".md": "text/html; charset=utf-8",
}
_MARKDOWN_PAGE: Final = (
    '<!doctype html><meta charset="utf-8"><style>:root{{color-scheme:light dark}}'
    "body{{font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}}</style>{}"
)


def send_content(visit: Visit) -> Response:
    """
    The bytes of a file, each chunk verified before it is sent; ranges; `?download=1` to save it.

    Of a table the Parquet file that a pull writes, made while it is sent: without its length.

    Raises:
        NotFoundError: `entry-not-found`, `content-elsewhere`.
        ConflictError: `content-changed`: not of the digest in `?d=`.
        DamagedDataError: if the first piece is damaged; later ones break the answer off.
    """
    artifact = visit.opened()
    entry = entry_with_bytes(artifact, visit.params["path"], with_tables=True)
    if entry.kind == TABLE:
        return _sent_table(visit, artifact, entry)
    type_name = content_type(entry.path)
    is_saved = not is_inline(type_name) or visit.query.get("download") == "1"
    headers = {
        **_caching(visit, entry),
        "Accept-Ranges": "bytes",
        "Content-Disposition": _disposition(entry.path, is_saved=is_saved),
        "Content-Security-Policy": _policy(type_name, is_saved=is_saved),
        # A sandboxed page of its own window may not have the stricter one.
        "Cross-Origin-Opener-Policy": "unsafe-none",
        "Content-Type": type_name if not is_saved else BYTES_TYPE,
    }
    return _sent(visit, artifact, entry, headers)


def _policy(type_name: str, *, is_saved: bool) -> str:
    is_played = type_name.startswith(_PLAYABLE) and not is_saved
    return _PLAYED if is_played else _SEALED


def send_frame(visit: Visit) -> Response:
    """
    A file of HTML, SVG or Markdown to be shown in a frame; see the top of this module.

    Who opens it by itself is led to the page that has the frame.

    Raises:
        InvalidInputError: `frame-refused`: of another kind, or larger than 32 MiB.
        Others: as `send_content`.
    """
    if visit.request.headers.get("sec-fetch-dest") == "document":
        return RedirectResponse(visit.link("files", **visit.params), status_code=303)
    artifact = visit.opened()
    entry = entry_with_bytes(artifact, visit.params["path"])
    name = entry.path.rpartition("/")[2].lower()
    kind = next((kind for ending, kind in _FRAMED.items() if name.endswith(ending)), None)
    if kind is None or entry.size_bytes > FRAME_BYTES:
        why = "too large" if kind else "not HTML, SVG or Markdown"
        raise InvalidInputError(
            f"the file is not shown in a frame: it is {why}",
            code="frame-refused",
            hint="its content can be downloaded",
        )
    ancestors = " ".join(("'self'", *visit.site.settings.frame_ancestors))
    policy = f"{_POLICIES[kind]}; frame-ancestors {ancestors}"
    headers = {
        # Asked for each time: what holds a page of a user must not outlive a release of ours.
        **_caching(visit, entry, part=f"-{zlib.crc32(policy.encode()):08x}"),
        "Cache-Control": _CHECKED,
        "Content-Security-Policy": policy,
        "Content-Type": _FRAME_TYPES[kind],
        "Cross-Origin-Opener-Policy": "unsafe-none",
        "Referrer-Policy": "no-referrer",
        "X-DNS-Prefetch-Control": "off",
        # For browsers without frame-ancestors.
        "X-Frame-Options": "SAMEORIGIN",
    }
    if kind == ".md":
        data = artifact.read_ranges([(entry.path, 0, TEXT_BYTES)])[0]
        found = decoded(data, is_whole=len(data) == entry.size_bytes)
        page = _MARKDOWN_PAGE.format(markdown_html(visible(found[0]) if found else ""))
        del headers["ETag"]
        return Response(page, headers=headers)
    return _sent(visit, artifact, entry, headers)


def send_thumbnail(visit: Visit) -> Response:
    """
    A small picture of an image file, no side longer than `?size=`.

    Of a file that describes an image (`x.image-file.json`): with its masks and boxes.

    Raises:
        InvalidInputError: `value-invalid`: no such size; `media-format-unknown`.
        DamagedDataError: `image-damaged`.
        LimitExceededError: `image-too-large`.
        Others: as `send_content`.
    Cost: decodes the image, the first time on this machine.
    """
    artifact = visit.opened()
    entry = entry_with_bytes(artifact, visit.params["path"])
    side = _side(visit.query.get("size", "256"))
    caching = _caching(visit, entry, part=f"-{side}")
    headers = {**caching, "Content-Security-Policy": _SEALED}
    if _is_known(visit, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if entry.path.endswith(DESCRIPTOR_ENDING):
        data, type_name = _drawing(artifact, entry, side)
    else:
        open_file = VersionFile(artifact, entry).open
        data, type_name = thumbnails_of(visit.site).make(entry, side, open_file)
    return Response(data, headers={**headers, "Content-Type": type_name})


def _drawing(artifact: LoggedArtifact, entry: Entry, side: int) -> tuple[bytes, str]:
    """Not kept: the digest of a description does not say what lies at the paths in it."""
    from artstore.media.image import Image
    from artstore.media.thumbnailfile import check_thumbnail_source, make_drawing

    if entry.size_bytes > _DESCRIPTOR_BYTES:
        raise InvalidInputError(
            f"{entry.path!r} is too large for the description of an image",
            code="media-format-unknown",
        )
    image = artifact.get(entry.path)
    if not isinstance(image, Image):
        raise InvalidInputError(f"{entry.path!r} describes no image", code="media-format-unknown")
    cell = image.cell()
    # What lies elsewhere is not fetched.
    sets = [cell.classes, *(layer.classes for layer in cell.boxes)]
    for classes in (*sets, *(layer.classes for layer in cell.masks)):
        if classes is not None:
            entry_with_bytes(artifact, classes.path)
    if len(cell.masks) > _MASKS_MAX:
        raise LimitExceededError(
            f"{entry.path!r} has {len(cell.masks):,} masks, of at most {_MASKS_MAX} a picture "
            "is made",
            code="image-too-large",
        )
    for path in (cell.path, *(layer.path for layer in cell.masks)):
        with VersionFile(artifact, entry_with_bytes(artifact, path or "")).open() as file:
            check_thumbnail_source(file, path or "")
    return make_drawing(image, side)


def _side(text: str) -> int:
    if text not in map(str, THUMBNAIL_SIDES):
        raise InvalidInputError(
            f"no thumbnail has the size {visible(text, 40)!r}",
            code="value-invalid",
            hint=f"one of {', '.join(map(str, THUMBNAIL_SIDES))}",
        )
    return int(text)


def _caching(visit: Visit, entry: Entry, part: str = "") -> dict[str, str]:
    """ETag and Cache-Control. Raises ConflictError `content-changed`."""
    wanted, digest = visit.query.get("d"), entry.digest.hex()
    if wanted is not None and wanted != digest:
        raise ConflictError(
            f"the file has the digest {digest}, not the one that was asked for",
            code="content-changed",
            hint="open the page of the version anew",
            found=digest,
        )
    is_fixed = wanted is not None
    return {"ETag": f'"{digest}{part}"', "Cache-Control": _IMMUTABLE if is_fixed else _CHECKED}


def _disposition(path: str, *, is_saved: bool) -> str:
    name = path.rpartition("/")[2]
    plain = re.sub(r"[^A-Za-z0-9 ._()+=,@~^-]", "_", name)[:200]
    encoded = quote(name, safe="")
    kind = "attachment" if is_saved else "inline"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def _is_known(visit: Visit, tag: str) -> bool:
    given = visit.request.headers.get("if-none-match", "")
    return any(part.strip().removeprefix("W/") in (tag, "*") for part in given.split(","))


def _sent(
    visit: Visit, artifact: LoggedArtifact, entry: Entry, headers: Mapping[str, str]
) -> Response:
    """The whole file or one range of it, or that it is what the browser has."""
    if _is_known(visit, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=dict(headers))
    size = entry.size_bytes
    span = _wanted_range(visit, headers["ETag"], size)
    status = HTTPStatus.OK if span is None else HTTPStatus.PARTIAL_CONTENT
    start, stop = (0, size) if span is None else span
    told = {**headers, "Content-Length": str(stop - start)}
    if span is not None:
        told["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        if start >= stop:
            told |= {"Content-Range": f"bytes */{size}", "Content-Length": "0"}
            return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=told)
    if visit.request.method == "HEAD" or start == stop:
        return Response(status_code=status, headers=told)
    pieces = _pieces(artifact, entry.path, start, stop)
    # The first is read here, where an error still becomes an answer.
    first = next(pieces)
    return StreamingResponse(chain((first,), pieces), status, told)


def _sent_table(visit: Visit, artifact: LoggedArtifact, entry: Entry) -> Response:
    headers = {
        **_caching(visit, entry),
        # Another release of Parquet's writer makes other bytes of the same rows.
        "Cache-Control": _CHECKED,
        "Content-Disposition": _disposition(
            f"{entry.path.removesuffix(_PARQUET)}{_PARQUET}", is_saved=True
        ),
        "Content-Security-Policy": _SEALED,
        "Content-Type": _PARQUET_TYPE,
    }
    del headers["ETag"]
    if visit.request.method == "HEAD":
        return Response(headers=headers)
    pieces = artifact.iter_bytes(entry.path)
    # The first is read here, where an error still becomes an answer.
    first = next(pieces)
    return StreamingResponse(chain((first,), pieces), headers=headers)


def _pieces(artifact: LoggedArtifact, path: str, start: int, stop: int) -> Iterator[bytes]:
    with artifact.open(path) as file:
        file.seek(start)
        while start < stop:
            data = file.read(min(_PIECE_BYTES, stop - start))
            if not data:
                return
            start += len(data)
            yield data


def _wanted_range(visit: Visit, tag: str, size: int) -> tuple[int, int] | None:
    """
    (start, stop) of the one range asked for; empty if the file has none of it.

    None: all of it. So may be answered who asks for several ranges, or with words
    that are no range.
    """
    headers = visit.request.headers
    match = _RANGE.fullmatch(headers.get("range", "").strip())
    if match is None or headers.get("if-range", tag) != tag:
        return None
    first, last = match.groups()
    if not first:
        count = int(last) if last else 0
        if not last:
            return None
        return (size, size) if count == 0 else (max(0, size - count), size)
    start = int(first)
    if last and int(last) < start:
        return None
    stop = size if not last else min(size, int(last) + 1)
    return (start, stop) if start < stop else (size, size)


PAGES: Final = (
    Page(_PREFIX + "/content/{path:path}", send_content, "content"),
    Page(_PREFIX + "/frame/{path:path}", send_frame, "frame"),
    Page(_PREFIX + "/thumbnail/{path:path}", send_thumbnail, "thumbnail"),
)

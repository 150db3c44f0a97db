"""
How bytes of strangers are sent: as themselves where a browser runs nothing in them, else as
text or to be saved; and pages of users so that they are shown in a frame and reach nothing.

`artstore.web.pages.content` tells why each policy is as it is.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from artstore.web.previews.contenttypes import BYTES_TYPE, content_type, is_inline

if TYPE_CHECKING:
    from artstore.web.routing import Visit

__all__ = [
    "CHECKED",
    "IMMUTABLE",
    "MARKDOWN_PAGE",
    "SEALED",
    "FrameForm",
    "content_headers",
    "disposition",
    "frame_form",
    "is_known",
    "sent",
]

_PLAYABLE: Final = ("audio/", "video/")
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
IMMUTABLE: Final = "private, max-age=31536000, immutable"
CHECKED: Final = "private, no-cache"
SEALED: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
"""What browsers make of a picture by itself is a page with styles of theirs."""
_PLAYED: Final = f"{SEALED.replace('sandbox', 'sandbox allow-same-origin')}; media-src 'self'"
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
MARKDOWN_PAGE: Final = (
    '<!doctype html><meta charset="utf-8"><style>:root{{color-scheme:light dark}}'
    "body{{font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}}</style>{}"
)


class FrameForm(NamedTuple):
    """
    How a file is sent for a frame.

    Attributes:
        kind: `.html`, `.svg` or `.md`.
        mark: another one for each policy, for ETags: what holds a page of a user must not
            outlive a release of ours.
    """

    kind: str
    mark: str
    headers: Mapping[str, str]


def content_headers(visit: Visit, path: str) -> dict[str, str]:
    """What is said with the bytes of a file, but how long they may be kept."""
    type_name = content_type(path)
    is_saved = not is_inline(type_name) or visit.query.get("download") == "1"
    is_played = type_name.startswith(_PLAYABLE) and not is_saved
    return {
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition(path, is_saved=is_saved),
        "Content-Security-Policy": _PLAYED if is_played else SEALED,
        # A sandboxed page of its own window may not have the stricter one.
        "Cross-Origin-Opener-Policy": "unsafe-none",
        "Content-Type": type_name if not is_saved else BYTES_TYPE,
    }


def frame_form(visit: Visit, path: str) -> FrameForm | None:
    """How a page of a user is sent for a frame; None for what is not HTML, SVG or Markdown."""
    name = path.rpartition("/")[2].lower()
    kind = next((kind for ending, kind in _FRAMED.items() if name.endswith(ending)), None)
    if kind is None:
        return None
    ancestors = " ".join(("'self'", *visit.site.settings.frame_ancestors))
    policy = f"{_POLICIES[kind]}; frame-ancestors {ancestors}"
    headers = {
        "Cache-Control": CHECKED,
        "Content-Security-Policy": policy,
        "Content-Type": _FRAME_TYPES[kind],
        "Cross-Origin-Opener-Policy": "unsafe-none",
        "Referrer-Policy": "no-referrer",
        "X-DNS-Prefetch-Control": "off",
        # For browsers without frame-ancestors.
        "X-Frame-Options": "SAMEORIGIN",
    }
    return FrameForm(kind, f"-{zlib.crc32(policy.encode()):08x}", headers)


def disposition(path: str, *, is_saved: bool) -> str:
    """The header that names a file, and says whether it is shown or saved."""
    name = path.rpartition("/")[2]
    plain = re.sub(r"[^A-Za-z0-9 ._()+=,@~^-]", "_", name)[:200]
    encoded = quote(name, safe="")
    kind = "attachment" if is_saved else "inline"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def is_known(visit: Visit, tag: str) -> bool:
    """Whether the browser has what is meant already."""
    given = visit.request.headers.get("if-none-match", "")
    return any(part.strip().removeprefix("W/") in (tag, "*") for part in given.split(","))


def sent(
    visit: Visit,
    headers: Mapping[str, str],
    size: int,
    pieces: Callable[[int, int], Iterator[bytes]],
) -> Response:
    """
    All bytes or one range of them, or that they are what the browser has.

    Args:
        headers: with an ETag.
        size: of all bytes.
        pieces: gives those from a start to a stop; the first is read before the answer begins.
    """
    if is_known(visit, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=dict(headers))
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
    found = pieces(start, stop)
    # The first is read here, where an error still becomes an answer.
    first = next(found)
    return StreamingResponse(chain((first,), found), status, told)


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

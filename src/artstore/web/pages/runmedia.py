"""
Files that a run logged with its steps: their bytes, and pages of users in frames.

They are sent with the care of `artstore.web.pages.content`, which tells why.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import BinaryIO, Final, NamedTuple

from starlette.responses import RedirectResponse, Response

from artstore import limits
from artstore.digest import digest_of
from artstore.errors import (
    DamagedDataError,
    InvalidInputError,
    LimitExceededError,
    NotFoundError,
)
from artstore.web.content.sentbytes import (
    IMMUTABLE,
    SEALED,
    content_headers,
    frame_form,
    is_known,
    sent,
)
from artstore.web.content.thumbnails import thumbnail_side, thumbnails_of
from artstore.web.previews.markup import FRAME_BYTES
from artstore.web.routing import Page, Visit
from artstore.web.runs.values import MEDIA_NAME
from artstore.web.runs.visit import shown_run
from artstore.web.visible import visible

__all__ = ["PAGES", "send_run_frame", "send_run_media", "send_run_thumbnail"]

_PIECE_BYTES: Final = limits.MIB
_CHECKED_BYTES: Final = 32 * limits.MIB
"""Up to here a file is read whole and compared with the digest that names it."""


def send_run_media(visit: Visit) -> Response:
    """
    The bytes of a picture, a sound or another value of a step; ranges; `?download=1` to save it.

    Raises:
        NotFoundError: `run-not-found`; `key-not-found`: the run has no such file, or the store
            does not have it yet.
        DamagedDataError: `run-media-damaged`: its digest is not that of its name; of files up to
            32 MiB.
    """
    name, digest = _named(visit)
    headers = {
        **content_headers(visit, name),
        "Cache-Control": IMMUTABLE,
        "ETag": f'"{digest}"',
    }
    return _sent(visit, _opened(visit, name), digest, headers)


def send_run_frame(visit: Visit) -> Response:
    """
    A page that a run logged, to be shown in a frame.

    Who opens it by itself is led to the page that has the frame.

    Raises:
        InvalidInputError: `frame-refused`: of another kind, or larger than 32 MiB.
        Others: as `send_run_media`.
    """
    if visit.request.headers.get("sec-fetch-dest") == "document":
        project, run_id = visit.params["project"], visit.params["run"]
        address = visit.link("run", {"show": "media"}, project=project, run=run_id)
        return RedirectResponse(address, status_code=303)
    name, digest = _named(visit)
    form, file = frame_form(visit, name), _opened(visit, name)
    if form is None or form.kind == ".md" or file.size_bytes > FRAME_BYTES:
        raise InvalidInputError(
            "the file is not shown in a frame: it is too large, or neither HTML nor SVG",
            code="frame-refused",
            hint="its content can be downloaded",
        )
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{digest}{form.mark}"', **form.headers}
    return _sent(visit, file, digest, headers)


def send_run_thumbnail(visit: Visit) -> Response:
    """
    A small picture of a picture that a step logged, no side longer than `?size=`.

    Raises:
        InvalidInputError: `value-invalid`: no such size; `media-format-unknown`.
        DamagedDataError: `image-damaged`, `run-media-damaged`.
        LimitExceededError: `image-too-large`.
        NotFoundError: as `send_run_media`.
    Cost: reads and decodes the picture, the first time on this machine.
    """
    name, digest = _named(visit)
    side = thumbnail_side(visit.query.get("size", "256"))
    etag = f'"{digest}-{side}"'
    headers = {"ETag": etag, "Cache-Control": IMMUTABLE, "Content-Security-Policy": SEALED}
    if is_known(visit, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    # That it is one of this run is found out also where its thumbnail is known from another.
    file = _opened(visit, name)

    def open_file() -> BinaryIO:
        if file.size_bytes > _CHECKED_BYTES:
            raise LimitExceededError(
                f"the picture {name} has {file.size_bytes:,} bytes, of at most "
                f"{_CHECKED_BYTES:,} a thumbnail is made",
                code="image-too-large",
            )
        return io.BytesIO(_whole(file, digest))

    picture = _Picture(bytes.fromhex(digest), name)
    data, type_name = thumbnails_of(visit.site).make(picture, side, open_file)
    return Response(data, headers={**headers, "Content-Type": type_name})


class _Picture(NamedTuple):
    """What a thumbnail is kept by."""

    digest: bytes
    path: str


class _File(NamedTuple):
    """A file of a run: its length, and what reads a range of it."""

    name: str
    size_bytes: int
    read: Callable[[int, int], bytes]


def _named(visit: Visit) -> tuple[str, str]:
    name = visit.params["path"]
    match = MEDIA_NAME.fullmatch(name)
    if match is None:
        raise NotFoundError(
            f"a run has no media of the name {visible(name, 100, lines=False)!r}",
            code="key-not-found",
        )
    return name, match["digest"]


def _opened(visit: Visit, name: str) -> _File:
    live = shown_run(visit).live
    try:
        stored = visit.site.store.run(f"{live.project}/{live.id}")
        size = stored.media_size(name)
    except NotFoundError:
        # Of a run of this machine it may lie beside its journal still.
        data = live.media(name)
        return _File(name, len(data), lambda start, stop: data[start:stop])
    return _File(name, size, lambda start, stop: stored.read_media(name, start, stop))


def _sent(visit: Visit, file: _File, digest: str, headers: dict[str, str]) -> Response:
    size = file.size_bytes
    if size > _CHECKED_BYTES:
        return sent(visit, headers, size, lambda start, stop: _pieces(file, start, stop))

    return sent(visit, headers, size, lambda start, stop: iter((_whole(file, digest)[start:stop],)))


def _whole(file: _File, digest: str) -> bytes:
    """All of its bytes. Raises DamagedDataError `run-media-damaged`."""
    data = file.read(0, file.size_bytes)
    if digest_of(data).hex() != digest:
        raise DamagedDataError(
            f"the file {file.name} of a run is damaged: its digest is another one than its "
            "name says",
            code="run-media-damaged",
        )
    return data


def _pieces(file: _File, start: int, stop: int) -> Iterator[bytes]:
    while start < stop:
        data = file.read(start, min(stop, start + _PIECE_BYTES))
        if not data:
            return
        start += len(data)
        yield data


_PATH: Final = "/p/{project}/runs/{run}"
PAGES: Final = (
    Page(_PATH + "/media/{path:path}", send_run_media, "run-media"),
    Page(_PATH + "/frame/{path:path}", send_run_frame, "run-frame"),
    Page(_PATH + "/thumbnail/{path:path}", send_run_thumbnail, "run-thumbnail"),
)

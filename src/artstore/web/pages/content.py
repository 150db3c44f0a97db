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

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse, Response, StreamingResponse

from artstore import limits
from artstore.errors import ConflictError, InvalidInputError, LimitExceededError
from artstore.manifests.entry import TABLE
from artstore.web.content.sentbytes import (
    CHECKED,
    IMMUTABLE,
    MARKDOWN_PAGE,
    SEALED,
    content_headers,
    disposition,
    frame_form,
    is_known,
    sent,
)
from artstore.web.content.thumbnails import thumbnail_side, thumbnails_of
from artstore.web.previews.markdown import markdown_html
from artstore.web.previews.markup import FRAME_BYTES
from artstore.web.previews.preview import TEXT_BYTES
from artstore.web.previews.versionfile import VersionFile, entry_with_bytes
from artstore.web.routing import Page, Visit
from artstore.web.visible import decoded, visible

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
    headers = {**_caching(visit, entry), **content_headers(visit, entry.path)}
    return _sent(visit, artifact, entry, headers)


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
    form = frame_form(visit, entry.path)
    if form is None or entry.size_bytes > FRAME_BYTES:
        why = "too large" if form else "not HTML, SVG or Markdown"
        raise InvalidInputError(
            f"the file is not shown in a frame: it is {why}",
            code="frame-refused",
            hint="its content can be downloaded",
        )
    headers = {**_caching(visit, entry, part=form.mark), **form.headers}
    if form.kind == ".md":
        data = artifact.read_ranges([(entry.path, 0, TEXT_BYTES)])[0]
        found = decoded(data, is_whole=len(data) == entry.size_bytes)
        page = MARKDOWN_PAGE.format(markdown_html(visible(found[0]) if found else ""))
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
    side = thumbnail_side(visit.query.get("size", "256"))
    caching = _caching(visit, entry, part=f"-{side}")
    headers = {**caching, "Content-Security-Policy": SEALED}
    if is_known(visit, headers["ETag"]):
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
    return {"ETag": f'"{digest}{part}"', "Cache-Control": IMMUTABLE if is_fixed else CHECKED}


def _sent(
    visit: Visit, artifact: LoggedArtifact, entry: Entry, headers: Mapping[str, str]
) -> Response:
    return sent(
        visit,
        headers,
        entry.size_bytes,
        lambda start, stop: _pieces(artifact, entry.path, start, stop),
    )


def _sent_table(visit: Visit, artifact: LoggedArtifact, entry: Entry) -> Response:
    headers = {
        **_caching(visit, entry),
        # Another release of Parquet's writer makes other bytes of the same rows.
        "Cache-Control": CHECKED,
        "Content-Disposition": disposition(
            f"{entry.path.removesuffix(_PARQUET)}{_PARQUET}", is_saved=True
        ),
        "Content-Security-Policy": SEALED,
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


PAGES: Final = (
    Page(_PREFIX + "/content/{path:path}", send_content, "content"),
    Page(_PREFIX + "/frame/{path:path}", send_frame, "frame"),
    Page(_PREFIX + "/thumbnail/{path:path}", send_thumbnail, "thumbnail"),
)

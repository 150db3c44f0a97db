"""
Our own modules and style sheets: read once, served compressed, for ever under their digest.
"""

from __future__ import annotations

import gzip
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.responses import Response

from artstore.digest import digest_of
from artstore.errors import NotFoundError
from artstore.web.onefile import bundled, without_comments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artstore.web.routing import Visit

__all__ = ["BUNDLES", "Asset", "Assets", "serve_asset"]

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}
BUNDLES: Final = {
    "table.bundle.js": "tables/table.js",
    "write.bundle.js": "tables/write.js",
    "runs.bundle.js": "runs/list.js",
    "runcompare.bundle.js": "runs/comparing.js",
    "run.bundle.js": "runs/run.js",
    "lineage.bundle.js": "lineage/graph.js",
    "scatter.bundle.js": "tables/scatter.js",
}
"""Scripts of which a page loads one in place of the forty modules that are in it."""

_FOREVER: Final = "public, max-age=31536000, immutable"
_DIGEST_CHARS: Final = 16


class Asset(NamedTuple):
    """One file of `static/`, as it is and compressed."""

    data: bytes
    packed: bytes
    media_type: str
    etag: str


class Assets:
    """
    All of `static/`, and scripts that are several modules in one (`BUNDLES`).

    Each is made when it is first asked for. Their addresses begin with a digest of all that they
    are made of, so that one module finds another beside it (`import "./cells.js"`) by an
    address that never changes its meaning.
    """

    def __init__(self, root_path: str) -> None:
        room = resources.files("artstore.web")
        self._files = {
            name: file.read_bytes() for name, file in sorted(_walk(room.joinpath("static"), ""))
        }
        # What makes them of the files decides as well.
        makers = [room.joinpath(name).read_bytes() for name in ("assets.py", "onefile.py")]
        digests = [digest_of(data).hex() for data in (*self._files.values(), *makers)]
        names = "\n".join([*self._files, *BUNDLES, *digests])
        self.digest = digest_of(names.encode()).hex()[:_DIGEST_CHARS]
        self._prefix = f"{root_path}/static/{self.digest}/"
        self._made: dict[str, Asset] = {}

    def names(self) -> list[str]:
        """What there is."""
        return [*self._files, *BUNDLES]

    def address(self, name: str) -> str:
        """Where a file of `static/` is found. Raises KeyError: there is none of that name."""
        if name not in BUNDLES:
            self._files[name]
        return self._prefix + name

    def get(self, name: str) -> tuple[Asset, bool]:
        """
        A file of `static/`, and whether its address never changes its meaning.

        Raises:
            NotFoundError: `page-not-found`.
        """
        plain = name.removeprefix(f"{self.digest}/")
        asset = self._made.get(plain)
        if asset is None:
            # Two who come at once both make it: it is the same.
            asset = self._made[plain] = _asset(plain, self._bytes(plain))
        return asset, plain != name

    def _bytes(self, name: str) -> bytes:
        if name in BUNDLES:
            return bundled(f"static/{BUNDLES[name]}").encode("utf-8")
        found = self._files.get(name)
        if found is None:
            raise NotFoundError(f"there is no file {name!r} of the page", code="page-not-found")
        return found


def serve_asset(visit: Visit) -> Response:
    """The handler of /static/."""
    asset, is_forever = visit.site.assets.get(visit.params["name"])
    etag = f'"{asset.etag}"'
    headers = {
        "Cache-Control": _FOREVER
        if is_forever or visit.query.get("d") == asset.etag
        else "no-cache",
        "ETag": etag,
        "Vary": "Accept-Encoding",
    }
    if etag in visit.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    data = asset.data
    if asset.packed and "gzip" in visit.request.headers.get("accept-encoding", ""):
        data, headers["Content-Encoding"] = asset.packed, "gzip"
    return Response(data, headers=headers, media_type=asset.media_type)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        elif item.name.rpartition(".")[2] in _TYPES:
            yield prefix + item.name, item


def _asset(name: str, data: bytes) -> Asset:
    if name.endswith((".js", ".css")):
        data = without_comments(data.decode("utf-8")).encode("utf-8")
    packed = gzip.compress(data, mtime=0)
    return Asset(
        data,
        packed if len(packed) < len(data) else b"",
        _TYPES[name.rpartition(".")[2]],
        digest_of(data).hex()[:_DIGEST_CHARS],
    )

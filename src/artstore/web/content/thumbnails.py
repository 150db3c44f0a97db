"""
Thumbnails of the images of a site: each made once, some before they are asked for.
"""

from __future__ import annotations

import base64
import io
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, Protocol

from artstore import forks, limits
from artstore.errors import ArtstoreError, InvalidInputError
from artstore.storeaccess import settings_of
from artstore.web.content.thumbnailcache import ThumbnailCache
from artstore.web.previews.versionfile import is_content
from artstore.web.visible import visible

if TYPE_CHECKING:
    from pathlib import Path

    from artstore.manifests.entry import Entry
    from artstore.versions.contents import VersionContent
    from artstore.web.site import Site

__all__ = [
    "THUMBNAIL_SIDES",
    "ThumbnailDesk",
    "fitting_side",
    "gallery_side",
    "thumbnail_side",
    "thumbnails_of",
]

THUMBNAIL_SIDES: Final = (64, 128, 256, 512)

_USUAL_PIXELS: Final = 128
"""How large pictures side by side are, if nobody says."""
_TOLERANCE: Final = 1.2
"""A picture shown a fifth larger than its thumbnail looks as well; the page has the same."""
_AHEAD_MAX: Final = 100
_INLINE_BYTES: Final = 16 * limits.KIB
"""More in an answer is worth a request of its own, which the browser keeps."""
_MAKING_LOCKS: Final = 64
_READ_BYTES: Final = 8 * limits.MIB


class _ImageFile(Protocol):
    """What is asked of an image file: an entry of a manifest has it."""

    @property
    def digest(self) -> bytes: ...

    @property
    def path(self) -> str: ...


class _Wanted(NamedTuple):
    content: VersionContent
    entry: Entry
    side: int


def fitting_side(pixels: int) -> int:
    """The side of the thumbnails that pictures of so many pixels are shown by."""
    fits = (side for side in THUMBNAIL_SIDES if side * _TOLERANCE >= pixels)
    return next(fits, THUMBNAIL_SIDES[-1])


def gallery_side(size_pixels: int | None) -> int:
    """The same, for the size of pictures side by side that a view asks for."""
    return fitting_side(size_pixels or _USUAL_PIXELS)


def thumbnail_side(text: str) -> int:
    """What an address says as `?size=`. Raises InvalidInputError `value-invalid`."""
    if text not in map(str, THUMBNAIL_SIDES):
        raise InvalidInputError(
            f"no thumbnail has the size {visible(text, 40)!r}",
            code="value-invalid",
            hint=f"one of {', '.join(map(str, THUMBNAIL_SIDES))}",
        )
    return int(text)


class ThumbnailDesk:
    """
    What makes thumbnails and finds those that were made. For several threads.

    Args:
        directory: where they are kept.
    """

    def __init__(self, directory: Path) -> None:
        self._cache = ThumbnailCache(directory)
        self._making = [forks.new_lock() for _ in range(_MAKING_LOCKS)]
        self._ahead: deque[_Wanted] = deque(maxlen=_AHEAD_MAX)
        self._lock = forks.new_lock()
        self._running_in = -1

    def make(
        self, entry: _ImageFile, side: int, open_file: Callable[[], BinaryIO]
    ) -> tuple[bytes, str]:
        """
        The bytes and the type of a thumbnail.

        Args:
            entry: an image file.
            open_file: gives its bytes; those of its digest, whatever was written there.
        Raises:
            DamagedDataError, InvalidInputError, LimitExceededError: as `make_thumbnail`.
        Cost: decodes the image, the first time on this machine.
        """
        found = self._cache.find(entry.digest, side)
        if found is None:
            # Of those who come at once one makes it, the others wait.
            with self._making[entry.digest[0] % _MAKING_LOCKS]:
                found = self._cache.find(entry.digest, side)
                if found is None:
                    found = self._made(entry, side, open_file)
        return found

    def inlined(self, digest: bytes, side: int) -> str | None:
        """The `data:` address of a thumbnail that was made before, if it is small; else None."""
        found = self._cache.find(digest, side)
        if found is None or len(found[0]) > _INLINE_BYTES:
            return None
        return f"data:{found[1]};base64,{base64.b64encode(found[0]).decode('ascii')}"

    def make_ahead(self, content: VersionContent, digest: str, side: int) -> None:
        """
        Have one made while its page is on its way; it may be left out.

        Of more than a hundred that wait the oldest are left out: nobody looks at their page.

        Args:
            digest: of what is meant; nothing is made of another file.
        """
        entry = content.entry
        is_meant = entry.digest.hex() == digest and is_content(entry)
        if not is_meant or entry.size_bytes > _READ_BYTES:
            return
        with self._lock:
            self._ahead.append(_Wanted(content, entry, side))
            is_running = self._running_in == forks.generation()
            self._running_in = forks.generation()
        if not is_running:
            threading.Thread(target=self._run, name="artstore thumbnails", daemon=True).start()

    def _made(
        self, entry: _ImageFile, side: int, open_file: Callable[[], BinaryIO]
    ) -> tuple[bytes, str]:
        from artstore.media.thumbnailfile import make_thumbnail

        with open_file() as file:
            found = make_thumbnail(file, entry.path, side)
        self._cache.add(entry.digest, side, *found)
        return found

    def _run(self) -> None:
        while wanted := self._next():
            # What cannot be made says so to whoever asks for it.
            with suppress(ArtstoreError):
                missing = [one for one in wanted if not self._cache.has(one.entry.digest, one.side)]
                if missing:
                    self._make_all(missing)

    def _make_all(self, wanted: list[_Wanted]) -> None:
        ranges = [(one.entry.path, 0, None) for one in wanted]
        # Those that lie near each other in a pack come by one request.
        found = wanted[0].content.version.files().read_ranges(ranges)
        for one, data in zip(wanted, found, strict=True):
            with suppress(ArtstoreError):
                self.make(one.entry, one.side, partial(io.BytesIO, data))

    def _next(self) -> list[_Wanted]:
        """What is read at once: of one version, and not much. Empty: the thread ends."""
        found: list[_Wanted] = []
        size = 0
        with self._lock:
            while self._ahead:
                one = self._ahead[0]
                size += one.entry.size_bytes
                is_other = found and one.content.version is not found[0].content.version
                if found and (is_other or size > _READ_BYTES):
                    break
                found.append(self._ahead.popleft())
            if not found:
                self._running_in = -1
        return found


def thumbnails_of(site: Site) -> ThumbnailDesk:
    """The desk of a site."""
    # The settings a store was opened with are what it is pickled as.
    return site.kept(
        "thumbnails", lambda: ThumbnailDesk(settings_of(site.store).cache_dir / "thumbnails")
    )

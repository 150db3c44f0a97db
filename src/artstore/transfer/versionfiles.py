"""
The files of one version, opened and read in ranges without a checkout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from artstore.errors import InvalidInputError
from artstore.manifests.entry import FILE, LINK, REFERENCE, TABLE, Entry
from artstore.manifests.reader import Manifest
from artstore.transfer.openfile import ArtifactFile, ChunkedContent, FileContent
from artstore.transfer.place import StorePlace
from artstore.transfer.randomread import RangeReader, RangeRequest, join_pieces
from artstore.transfer.versiontree import VersionTree

__all__ = ["VersionFiles"]

_MADE: Final = frozenset((REFERENCE, TABLE))


class VersionFiles:
    """
    Of one version in one process. Safe for several threads.

    Attributes:
        tree: what lies where.
        reader: of chunks.
    """

    def __init__(self, place: StorePlace, manifest: Manifest) -> None:
        self.tree = VersionTree(manifest)
        self.reader = RangeReader(place.packs)
        self._place = place

    def open(
        self,
        path: str,
        reader: Callable[[], RangeReader],
        reopen: tuple[Callable[..., ArtifactFile], Any],
    ) -> ArtifactFile:
        """
        Open the file at `path`, or the one that a symlink there leads to.

        Args:
            reader: that of the process in which it is read.
            reopen: what opens it again, where it is unpickled.
        Raises:
            NotFoundError: `entry-not-found`.
            InvalidInputError: `entry-not-file`, `reference-refused`.
            DamagedDataError and others: as `ReferenceContent`.
        """
        entry = self.tree.resolve(path)
        if entry.kind in _MADE:
            return ArtifactFile(path, self._made(entry), reopen)
        return ArtifactFile(path, ChunkedContent(_file(entry), reader), reopen)

    def read_ranges(self, ranges: Sequence[tuple[str, int, int | None]]) -> list[bytes]:
        """The bytes of n ranges, see `LoggedArtifact.read_ranges`."""
        answers: list[bytes] = [b""] * len(ranges)
        requests, places = [], []
        for at, (path, start, stop) in enumerate(ranges):
            entry = self.tree.resolve(path)
            if entry.kind in _MADE:
                answers[at] = self._read_made(entry, start, stop)
            else:
                requests.append(RangeRequest(_file(entry), *_bounds(start, stop, entry.size_bytes)))
                places.append(at)
        found = self.reader.pieces_of_many(requests)
        for at, request, pieces in zip(places, requests, found, strict=True):
            answers[at] = join_pieces(pieces, request.start, request.stop)
        return answers

    def _made(self, entry: Entry) -> FileContent:
        """What lies elsewhere, or is not stored as the file that it is read as."""
        if entry.kind == TABLE:
            from artstore.transfer.tablefilecontent import TableFileContent

            return TableFileContent(entry, self._place)
        from artstore.transfer.references import ReferenceContent

        return ReferenceContent(entry, self._place)

    def _read_made(self, entry: Entry, start: int, stop: int | None) -> bytes:
        source = self._made(entry)
        try:
            start, stop = _bounds(start, stop, source.size_bytes)
            return join_pieces(source.pieces(start, stop), start, stop) if start < stop else b""
        finally:
            source.close()


def _file(entry: Entry) -> Entry:
    if entry.kind not in (FILE, LINK):
        raise InvalidInputError(
            f"{entry.path!r} is a {entry.kind}, not a file", code="entry-not-file", path=entry.path
        )
    return entry


def _bounds(start: int, stop: int | None, size: int) -> tuple[int, int]:
    """As slices of Python have them: negative ones count from the end."""
    first, last, _ = slice(start, stop).indices(size)
    return first, max(first, last)

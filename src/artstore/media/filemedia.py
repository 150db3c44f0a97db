"""
Media that are one file and a few facts about it: sound, video, HTML, molecules, scenes, figures.

The cell of each has these fields, and then its own:

    path            text    where the file lies in the artifact
    digest          text    64 hex digits: of the file, or of what it was made from
    encoded_digest  text    of the bytes of the file; None for a reference
    size_bytes      number  None for a reference
    format          text    what the file ends in, without a dot
    caption         text
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from artstore.digest import parse_digest
from artstore.errors import InvalidInputError
from artstore.media.cells import damaged_cell, identity_of
from artstore.media.content import (
    BytesContent,
    FileContent,
    MediaContent,
    MediaFile,
    ReferenceContent,
    file_content,
    is_url,
    member_path,
)
from artstore.media.values import PreparedMedia, text_or_none

__all__ = ["FileMedia", "MediaSource", "ending_in", "source_of_bytes", "source_of_path"]


@dataclass(frozen=True, slots=True)
class MediaSource:
    """
    The file of a media value.

    Attributes:
        digest: what identifies it; that of the bytes unless they were encoded.
        ending: what files of the format end in, without a dot.
    """

    content: MediaContent
    digest: bytes
    ending: str
    size_bytes: int | None


def source_of_path(
    path: str | os.PathLike[str], endings: Iterable[str], what: str, file_type: str | None = None
) -> MediaSource:
    """
    A file of this machine, or a URL that is kept as a reference.

    Args:
        endings: which are taken, without dots.
        file_type: what the file is, whatever its name ends in.
    Raises:
        InvalidInputError: `media-format-unknown`, `media-file-missing`,
            `media-file-unreadable`.
    """
    known = sorted(endings)
    name = os.fspath(path)
    if is_url(name):
        reference = ReferenceContent(name)
        bare = name.partition("?")[0].partition("#")[0]
        ending = ending_in(file_type or bare, known, what)
        return MediaSource(reference, reference.digest, ending, None)
    ending = ending_in(file_type or name, known, what)
    content: FileContent = file_content(name)
    return MediaSource(content, content.digest, ending, content.size_bytes)


def source_of_bytes(data: bytes, ending: str, digest: bytes | None = None) -> MediaSource:
    """Bytes made or given in memory."""
    content = BytesContent.of(data)
    return MediaSource(content, digest or content.digest, ending, len(data))


def ending_in(name: str, known: Iterable[str], what: str) -> str:
    """
    Which of `known` a name ends in: `a.PTS.json` -> `pts.json`.

    Raises:
        InvalidInputError: `media-format-unknown`.
    """
    lower = f".{name.lower().removeprefix('.')}"
    # Longest first: `pts.json` before `json`.
    for ending in sorted(known, key=len, reverse=True):
        if lower.endswith(f".{ending}"):
            return ending
    raise InvalidInputError(
        f"{what} cannot be made from {name!r}: its format is not one that is taken",
        code="media-format-unknown",
        hint=f"one of {', '.join(sorted(known))}",
        name=name,
    )


class FileMedia:
    """
    What these kinds share. A kind says its folder, its facts, and how it is made.

    Args:
        source: the file.
        caption: text shown with it.
        facts: the fields of its own, by the names in `fact_names`.
    """

    __slots__ = ("caption", "facts", "source")

    type_name: ClassVar[str]
    folder: ClassVar[str]
    fact_names: ClassVar[tuple[str, ...]] = ()

    source: MediaSource
    caption: str | None
    facts: dict[str, Any]

    def _take(self, source: MediaSource, caption: object = None, **facts: Any) -> None:
        assert set(facts) == set(self.fact_names)
        self.source = source
        self.caption = text_or_none(caption, "a caption")
        self.facts = facts

    @property
    def digest(self) -> bytes:
        """32 bytes: of the file, or of what it was made from."""
        return self.source.digest

    @property
    def format(self) -> str:
        """What the file ends in."""
        return self.source.ending

    @property
    def path(self) -> str:
        """Where its file lies in an artifact; named by content."""
        return member_path(self.folder, self.digest, self.source.ending)

    def read(self) -> bytes:
        """
        The bytes of the file.

        Raises:
            StateError: `media-not-here` for a reference.
            InvalidInputError: `media-file-changed` and the like, for a file.
        """
        return self.source.content.read()

    def identity(self) -> dict[str, Any]:
        """What counts: the cell without its path and the digest of encoded bytes."""
        cell = identity_of(self.prepare().cell)
        # Of what was encoded here, the size too is the encoder's affair.
        del cell["size_bytes"]
        return dict(cell)

    def prepare(self) -> PreparedMedia:
        """The cell and the file it names."""
        content = self.source.content
        is_reference = isinstance(content, ReferenceContent)
        cell = {
            "path": self.path,
            "digest": self.digest.hex(),
            "encoded_digest": None if is_reference else content.digest.hex(),
            "size_bytes": self.source.size_bytes,
            "format": self.source.ending,
            "caption": self.caption,
            **{name: self.facts[name] for name in self.fact_names},
        }
        return PreparedMedia(cell, (MediaFile(self.path, content),))

    @classmethod
    def from_cell(
        cls, cell: Mapping[str, Any], open_content: Callable[[str], MediaContent]
    ) -> Self:
        """
        The value that `prepare` gave as `cell`; the file is not read before it is asked for.

        Raises:
            DamagedDataError: `media-cell-damaged`.
        """
        value = cls.__new__(cls)
        try:
            ending = str(cell["format"])
            digest = parse_digest(cell["digest"])
            if cell["path"] != member_path(cls.folder, digest, ending):
                raise ValueError(f"{cell['path']!r} is not the path of its digest")
            source = MediaSource(open_content(cell["path"]), digest, ending, cell["size_bytes"])
            facts = {name: cell[name] for name in cls.fact_names}
            value._take(source, cell["caption"], **facts)  # noqa: SLF001 - made by this class
        except (KeyError, TypeError, ValueError) as error:
            raise damaged_cell(f"media of type {cls.type_name}", error) from error
        return value

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.identity() == other.identity()

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        caption = f" {self.caption!r}" if self.caption else ""
        return f"<{type(self).__name__} {self.format}{caption} {self.digest.hex()[:12]}>"

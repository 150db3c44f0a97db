"""
What files are sent as. A table of our own: that of the machine differs from one to the next.

Only types that a browser shows without running anything are in it. What it would
run (HTML, SVG, XML, scripts) is sent as the text that it is; all else as bytes to save.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BYTES_TYPE", "TEXT_TYPE", "content_type", "is_inline", "media_of"]

TEXT_TYPE: Final = "text/plain; charset=utf-8"
BYTES_TYPE: Final = "application/octet-stream"

_MEDIA: Final = {
    "avif": "image/avif",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "m4v": "video/mp4",
    "mp4": "video/mp4",
    "ogv": "video/ogg",
    "webm": "video/webm",
}
_JSON: Final = frozenset(("geojson", "ipynb", "json"))
_TEXT_ENDINGS: Final = """
    bash bat c cc cfg conf cpp cs css csv cu diff dockerfile env go gradle h hpp htm html ini
    java jl js jsonl jsx kt lock log lua m makefile markdown md mjs ndjson patch php pl proto
    py pyi r rb requirements rs rst scala sh sql srt svg swift tab tex toml ts tsv tsx txt vtt
    xhtml xml yaml yml
"""
_TEXTS: Final = frozenset(_TEXT_ENDINGS.split())


def content_type(path: str) -> str:
    """The type a file is sent as, by the ending of its path; bytes for what is not known."""
    ending = _ending(path)
    if ending in _MEDIA:
        return _MEDIA[ending]
    if ending in _JSON:
        return "application/json"
    return TEXT_TYPE if ending in _TEXTS else BYTES_TYPE


def is_inline(type_name: str) -> bool:
    """Whether a browser may show it in place; else it is offered for saving."""
    return type_name != BYTES_TYPE


def media_of(path: str) -> str | None:
    """`image`, `audio` or `video` for what a browser plays by itself; else None."""
    kind = _MEDIA.get(_ending(path), "").partition("/")[0]
    return kind or None


def _ending(path: str) -> str:
    name = path.rpartition("/")[2].lower()
    return name.rpartition(".")[2]

"""
The files that describe media values (`x.image-file.json`): the value itself, with its facts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from artstore import limits
from artstore.media.kinds import KINDS
from artstore.web.previews.jsontree import read_tree
from artstore.web.previews.preview import (
    TINY_PIXELS,
    Preview,
    PreviewKind,
    PreviewSource,
    first_bytes,
)
from artstore.web.visible import visible

__all__ = ["PREVIEW"]

_READ_BYTES: Final = limits.MIB
_TEXT_CHARS: Final = 500
_LAYERS_MAX: Final = 20
_SHOWN_AS: Final = {
    "image-file": "image",
    "audio-file": "audio",
    "video-file": "video",
    "html-file": "frame",
}
_TOLD: Final = ("caption", "format", "mode", "width", "height", "duration", "sample_rate", "fps")


def _media_value(source: PreviewSource) -> Preview | None:
    if source.size_bytes > _READ_BYTES:
        return None
    data = first_bytes(source, _READ_BYTES)
    value = json.loads(data)
    if not isinstance(value, dict):
        return None
    type_name, path = str(value.get("_type")), value.get("path")
    media = _SHOWN_AS.get(type_name) if isinstance(path, str) else None
    read = read_tree(data.decode("utf-8"), is_whole=True)
    return Preview(
        "media",
        tuple(_facts(type_name, value)),
        tree=None if read is None else read[0],
        media=media,
        media_path=path if media else None,
        is_tiny=_is_tiny(value),
    )


def _is_tiny(value: dict[str, Any]) -> bool:
    sides = (value.get("width"), value.get("height"))
    return all(isinstance(side, int) and side <= TINY_PIXELS for side in sides)


def _facts(type_name: str, value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "media", visible(type_name, _TEXT_CHARS)
    for name in _TOLD:
        told = value.get(name)
        if isinstance(told, (str, int, float)):
            yield name, visible(str(told), _TEXT_CHARS, lines=False)
    for kind in ("boxes", "masks"):
        layers = value.get(kind)
        for layer in layers[:_LAYERS_MAX] if isinstance(layers, list) else ():
            if isinstance(layer, dict):
                boxes = layer.get("boxes")
                count = f" ({len(boxes)})" if isinstance(boxes, list) else ""
                yield kind, visible(str(layer.get("layer")), _TEXT_CHARS, lines=False) + count


PREVIEW = PreviewKind(
    "media",
    _media_value,
    tuple(kind.suffix for kind in KINDS if kind.type_name != "classes"),
    (),
    20,
)

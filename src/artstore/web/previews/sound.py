"""
Sound and video: the browser's own controls, which fetch the parts they play.
"""

from __future__ import annotations

from artstore.web.previews.contenttypes import content_type, media_of
from artstore.web.previews.preview import Preview, PreviewKind, PreviewSource

__all__ = ["PREVIEW"]


def _playable(source: PreviewSource) -> Preview | None:
    media = media_of(source.path)
    if media not in ("audio", "video"):
        return None
    return Preview(media, (("type", content_type(source.path)),), media=media)


PREVIEW = PreviewKind(
    "sound",
    _playable,
    (
        *(".aac", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".weba"),
        *(".m4v", ".mp4", ".ogv", ".webm"),
    ),
)

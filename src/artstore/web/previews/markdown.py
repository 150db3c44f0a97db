"""
Markdown as safe HTML: tags in it are shown as text, links lead only to the web or nearby.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from artstore import forks
from artstore.web.previews.preview import (
    TEXT_BYTES,
    Preview,
    PreviewKind,
    PreviewSource,
    first_bytes,
)
from artstore.web.visible import decoded, size_text, visible

__all__ = ["PREVIEW", "markdown_html", "section_html"]

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.\-]*:", re.IGNORECASE)
_SCHEMES: Final = ("http:", "https:", "mailto:")
_SECTION_CHARS: Final = 100_000
_HEADING: Final = re.compile("<(/?)h([1-6])>")


def section_html(text: str) -> Markup | None:
    """What people wrote of something, for a section of a page; None if it is empty or too long."""
    if not text or len(text) > _SECTION_CHARS:
        return None
    html = _HEADING.sub(_lower, markdown_html(visible(text)))
    return Markup(html)  # noqa: S704 - made without tags of its author


def _lower(match: re.Match[str]) -> str:
    """A heading below that of the section: a page has one of the first level."""
    return f"<{match[1]}h{min(6, int(match[2]) + 2)}>"


def markdown_html(text: str) -> str:
    """
    Markdown -> HTML without tags of the author, without images, with links that leak nothing.

    Images are shown as their words: to fetch one would tell another host who reads.
    """
    forks.import_late(("markdown_it",))
    from markdown_it import MarkdownIt

    writer = MarkdownIt("commonmark", {"html": False, "maxNesting": 20})
    writer.enable(["table", "strikethrough"]).disable("image")
    writer.validateLink = _is_harmless  # type: ignore[method-assign]  # the library's own way
    writer.add_render_rule("link_open", _link_open)
    return str(writer.render(text))


def _is_harmless(url: str) -> bool:
    scheme = _SCHEME.match("".join(url.split()))
    return scheme is None or scheme[0].lower() in _SCHEMES


def _link_open(
    renderer: Any,
    tokens: Sequence[Any],
    index: int,
    options: Any,
    env: MutableMapping[str, Any],
) -> str:
    del env
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    return str(renderer.renderToken(tokens, index, options, {}))


def _markdown(source: PreviewSource) -> Preview | None:
    data = first_bytes(source, TEXT_BYTES)
    is_cut = source.size_bytes > len(data)
    found = decoded(data, is_whole=not is_cut)
    if found is None:
        return None
    text = visible(found[0].replace("\r\n", "\n"))
    note = f"The first {size_text(len(data))} are shown." if is_cut else ""
    html = markdown_html(text)
    return Preview("markdown", text=text, html=html, note=note, is_cut=is_cut)


PREVIEW = PreviewKind("markdown", _markdown, (".md", ".markdown"))

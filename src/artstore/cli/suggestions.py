"""
What to say beside "not found": where was looked, who said so, what is close.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from artstore.cli.session import Session
from artstore.errors import ArtstoreError

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.names import ArtifactName

__all__ = ["close_texts", "surroundings"]

CLOSE_COUNT = 3
SEARCHED_PROJECTS = 100
"""A store with more projects than these is searched in part: a hint may not cost minutes."""


def surroundings(session: Session) -> dict[str, Any]:
    """The store, the project, the origin of each, and names near those that were asked for."""
    settings = session.settings
    found: dict[str, Any] = {
        "store": settings.url,
        "store_origin": settings.url_origin,
        "project": settings.project,
        "project_origin": settings.project_origin,
        "close": [],
        "elsewhere": [],
    }
    own = next((name.project for name in session.wanted if name.project), None)
    if own is not None:
        found |= {"project": own, "project_origin": "the name given"}
    try:
        store = session.open_store(project=found["project"])
        for name in session.wanted:
            found["close"] += _close_names(store, name, name.project or found["project"])
    except (ArtstoreError, OSError):
        # The hint must not hide the error that it belongs to.
        found["close"] = []
    found["elsewhere"] = [
        {"store": url, "name": name} for url, name in _in_other_stores(session, found["project"])
    ]
    return found


def _in_other_stores(session: Session, project: str) -> Iterator[tuple[str, str]]:
    """The very names, in the stores that a flag, a variable or an artstore.toml overruled."""
    from artstore.api import open_store

    for url in session.settings.other_urls:
        if "://" in url and not url.startswith("file://"):
            # Asking a bucket that nobody named now costs seconds, or credentials.
            continue
        try:
            store = open_store(url, project=project)
            known = {name: [i.name for i in store.collections(name)] for name in store.projects()}
        except (ArtstoreError, OSError):
            continue
        for wanted in session.wanted:
            for name, names in known.items():
                if wanted.name in names and wanted.project in (None, name):
                    yield url, f"{name}/{wanted.name}"


def close_texts(wanted: str, known: list[str]) -> list[str]:
    """The texts of `known` that someone who wrote `wanted` may have meant, best first."""
    import difflib

    folded: dict[str, list[str]] = {}
    for text in known:
        folded.setdefault(text.casefold(), []).append(text)
    near = difflib.get_close_matches(wanted.casefold(), folded, n=CLOSE_COUNT)
    return [text for match in near for text in folded[match]][:CLOSE_COUNT]


def _close_names(store: Store, wanted: ArtifactName, project: str) -> list[str]:
    here = [item.name for item in store.collections(project)]
    if wanted.name in here:
        return []
    others = [name for name in store.projects() if name != project][:SEARCHED_PROJECTS]
    elsewhere = {other: [item.name for item in store.collections(other)] for other in others}
    # The very name in another project is the likeliest of all: the wrong project was taken.
    close = [f"{other}/{wanted.name}" for other, names in elsewhere.items() if wanted.name in names]
    close += close_texts(wanted.name, here)
    for other, names in elsewhere.items():
        near = (name for name in close_texts(wanted.name, names) if name != wanted.name)
        close += [f"{other}/{name}" for name in near]
    return close[: 2 * CLOSE_COUNT]

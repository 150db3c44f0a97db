"""
Two versions side by side: which files differ, and what is said of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from artstore.errors import InvalidInputError, NotFoundError
from artstore.manifests.entry import TABLE
from artstore.versions.values import plain_name
from artstore.web.artifacts.versionchoices import version_choices
from artstore.web.routing import Answer, Page, Visit
from artstore.web.site import RecentValues
from artstore.web.visible import cut, visible

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact
    from artstore.manifests.diff import Change, Diff
    from artstore.manifests.entry import Entry

__all__ = ["PAGES", "show_comparison"]

_PAGE_COUNT: Final = 500
_ROWS_MAX: Final = 500
_LEVELS_MAX: Final = 16
_TEXT_CHARS: Final = 500
_NAME_CHARS: Final = 300
_START_DIGITS: Final = 9
_KINDS: Final = {
    "added": "added",
    "changed": "changed",
    "removed": "removed",
    "moved": "renamed",
}
"""What a change is called here -> its field in `Diff`."""


def show_comparison(visit: Visit) -> Answer:
    """
    What changed from version `?a=` to version `?b=`: files, 500 at a time, and metadata.

    `a` and `b` are as in addresses (`v1`, an alias, a digest), or `project/name:v1` of
    another collection. Without `b` the newest is meant, without `a` the one before it.
    `?only=added` (changed, removed, moved) leaves the others out; `?start=` goes on.

    Raises:
        NotFoundError: `version-not-found`, `collection-not-found`, ...
        InvalidInputError: `value-invalid`.
    Cost: reads the parts of both lists that differ, once while the page is looked at.
    """
    after = _version(visit, visit.query.get("b") or "latest")
    asked = visit.query.get("a")
    before = _version(visit, asked) if asked else _version_before(visit, after)
    difference = _difference(visit, before, after)
    only, start = _only(visit), _start(visit)
    chosen = [only] if only else list(_KINDS)
    total = sum(len(_changes(difference, kind)) for kind in chosen)
    every = chain.from_iterable(
        ((kind, change) for change in _changes(difference, kind)) for kind in chosen
    )
    shown = list(islice(every, start, start + _PAGE_COUNT))
    value = {
        "a": _side(visit, before),
        "b": _side(visit, after),
        "counts": {kind: len(_changes(difference, kind)) for kind in _KINDS},
        "only": only,
        "start": start,
        "total": total,
        "changes": [_told(visit, kind, change, before, after) for kind, change in shown],
        "next": _page(visit, only, start + _PAGE_COUNT) if start + _PAGE_COUNT < total else None,
        "metadata": list(islice(_metadata(before.metadata, after.metadata), _ROWS_MAX)),
        "description_differs": before.description != after.description,
    }
    filters = [(kind, _page(visit, kind, 0)) for kind in _KINDS]
    choices, chosen = _choices(visit, before, after)
    more = {
        "choices": choices,
        "chosen_a": chosen[0],
        "chosen_b": chosen[1],
        "compare_link": visit.link("compare", **visit.params),
        "filters": filters,
        "all_href": _page(visit, "", 0),
        "collection_name": after.collection.name,
    }
    return Answer(
        "artifacts/compare.html", value, shown={**more, "project": visit.params["project"]}
    )


def _difference(visit: Visit, before: LoggedArtifact, after: LoggedArtifact) -> Diff:
    # Only the last one: of a million files that differ it takes half a gigabyte.
    kept: RecentValues[tuple[str, str], Diff] = visit.site.kept(
        "differences", lambda: RecentValues(1)
    )
    key = (before.id, after.id)
    found = kept.get(key)
    if found is None:
        found = visit.site.store.diff(before.qualified_name, after.qualified_name)
        kept.put(key, found)
    return found


def _version(visit: Visit, text: str) -> LoggedArtifact:
    project, collection = visit.params["project"], visit.params["collection"]
    if ":" in text or "@" in text:
        name = text if "/" in text else f"{project}/{text}"
        return visit.site.store.artifact(name)
    return visit.site.opened(project, collection, text)


def _version_before(visit: Visit, after: LoggedArtifact) -> LoggedArtifact:
    name = after.collection.qualified_name
    number = int(after.version.removeprefix("v"))
    earlier = [
        state.version
        for state in visit.site.store.versions(name)
        if state.version < number and state.is_live
    ]
    if not earlier:
        raise NotFoundError(
            f"{after.qualified_name} has no version before it to be compared with",
            code="version-not-found",
            hint="name another one with a=",
        )
    return visit.site.store.artifact(f"{name}:v{max(earlier)}")


def _choices(
    visit: Visit, before: LoggedArtifact, after: LoggedArtifact
) -> tuple[list[tuple[str, str]], list[str]]:
    """What a form offers instead of the two versions, and what stands for these two there."""
    name = f"{visit.params['project']}/{visit.params['collection']}"
    choices = version_choices(visit.site.store.versions(name))
    chosen = []
    for side in (before, after):
        is_own = side.collection.qualified_name == name
        chosen.append(side.version if is_own else side.qualified_name)
        if chosen[-1] not in dict(choices):
            choices.append((chosen[-1], chosen[-1]))
    return choices, chosen


def _only(visit: Visit) -> str:
    only = visit.query.get("only", "")
    if only and only not in _KINDS:
        raise InvalidInputError(
            f"there are no changes of the kind {visible(cut(only, 40))!r}",
            code="value-invalid",
            hint=f"one of {', '.join(_KINDS)}",
        )
    return only


def _start(visit: Visit) -> int:
    text = visit.query.get("start", "0")
    if not (text.isascii() and text.isdecimal()) or len(text) > _START_DIGITS:
        raise InvalidInputError(
            f"start={cut(text, 40)!r} is not the number of a change", code="value-invalid"
        )
    return int(text)


def _changes(difference: Diff, kind: str) -> tuple[Change, ...]:
    found: tuple[Change, ...] = getattr(difference, _KINDS[kind])
    return found


def _side(visit: Visit, artifact: LoggedArtifact) -> dict[str, Any]:
    collection = artifact.collection
    return {
        "project": collection.project,
        "collection": collection.name,
        "version": artifact.version,
        "digest": artifact.digest,
        "size_bytes": artifact.size,
        "file_count": artifact.file_count,
        "created_at": artifact.created_at,
        "href": visit.link(
            "version",
            project=collection.project,
            collection=collection.name,
            version=artifact.version,
        ),
    }


def _told(
    visit: Visit, kind: str, change: Change, before: LoggedArtifact, after: LoggedArtifact
) -> dict[str, Any]:
    old, new = change.before, change.after
    entry = new or old
    assert entry is not None
    return {
        "change": kind,
        "path": change.path,
        "shown_path": visible(change.path, lines=False),
        "old_path": change.old_path,
        "shown_old_path": visible(change.old_path or "", lines=False),
        "kind": entry.kind,
        "size_bytes": _size(new),
        "old_size_bytes": _size(old),
        "href": _entry_link(visit, "files", after if new else before, change.path),
        "compare": _table_link(visit, change, before, after),
    }


def _size(entry: Entry | None) -> int | None:
    return entry.content_bytes if entry is not None and entry.has_size else None


def _entry_link(
    visit: Visit, page: str, artifact: LoggedArtifact, path: str, query: Any = None
) -> str:
    collection = artifact.collection
    return visit.link(
        page,
        query,
        project=collection.project,
        collection=collection.name,
        version=artifact.version,
        path=path,
    )


def _table_link(
    visit: Visit, change: Change, before: LoggedArtifact, after: LoggedArtifact
) -> str | None:
    """The page that compares the rows of a table that is on both sides."""
    old, new = change.before, change.after
    if old is None or new is None or (old.kind, new.kind) != (TABLE, TABLE):
        return None
    beside = f"{before.qualified_name}/{plain_name(old.path)}"
    return _entry_link(visit, "table", after, plain_name(new.path), {"with": beside})


def _page(visit: Visit, only: str, start: int) -> str:
    query = {name: visit.query[name] for name in ("a", "b") if visit.query.get(name)}
    if only:
        query["only"] = only
    if start:
        query["start"] = str(start)
    params = visit.params
    return visit.link("compare", query, project=params["project"], collection=params["collection"])


def _metadata(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The values that differ, by their dotted names; None: not there."""
    old, new = dict(_flat(before)), dict(_flat(after))
    for name in sorted(old.keys() | new.keys()):
        a, b = old.get(name), new.get(name)
        if a != b:
            # Cut here: long values that begin alike are still told apart.
            yield {"name": name, "a": _short(a), "b": _short(b)}


def _short(text: str | None) -> str | None:
    return None if text is None else visible(text, _TEXT_CHARS)


def _flat(value: Any, name: str = "", level: int = 0) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value and level < _LEVELS_MAX:
        for key, below in value.items():
            shown = visible(str(key), _NAME_CHARS, lines=False)
            yield from _flat(below, f"{name}.{shown}" if name else shown, level + 1)
    elif name:
        yield name, json.dumps(value, ensure_ascii=False, default=str)


PAGES: Final = (Page("/p/{project}/c/{collection}/compare", show_comparison, "compare"),)

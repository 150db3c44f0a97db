"""
One version: what it says of itself, what is in it, and, where that is allowed, changes to it.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.responses import Response

from artstore.errors import InvalidInputError, NotFoundError
from artstore.manifests.entry import TABLE
from artstore.media.kinds import KINDS
from artstore.versions.values import JOINED_SUFFIX, PARTITIONED_SUFFIX, TABLE_SUFFIX
from artstore.web.artifacts.records import version_record
from artstore.web.artifacts.retained import collection_state, deleted_records, kept_record
from artstore.web.artifacts.versionruns import run_links, version_runs
from artstore.web.failures import failure_value
from artstore.web.listing import new_bytes
from artstore.web.previews.jsontree import read_tree
from artstore.web.previews.markdown import section_html
from artstore.web.routing import Answer, Page, Visit
from artstore.web.templating import is_over
from artstore.web.visible import visible

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact, VersionState

__all__ = ["PAGES", "change_version", "show_version"]

_LOOKED_AT: Final = 20_000
"""Of longer lists of files only the beginning is searched for tables and media."""
_VALUES_MAX: Final = 200
_PARTS_OF_JOINED: Final = ".joined/"
_MEDIA_FOLDER: Final = "media/"
_READABLE: Final = ((JOINED_SUFFIX, "joined table"), (PARTITIONED_SUFFIX, "partitioned table"))


def show_version(visit: Visit) -> Answer:
    """
    Facts, metadata, description, and the tables and media values of a version.

    Of one that was deleted: by whom, and until when it can be restored, with status 404.

    Raises:
        NotFoundError: `collection-not-found`, `version-not-found`, ...
    Cost: reads the list of files, 20,000 entries at most, and the log of the collection; one
        scan for each project with runs.
    """
    try:
        artifact = visit.version()
    except NotFoundError as error:
        if error.code != "version-deleted":
            raise
        return _deleted(visit, error)
    name = artifact.collection.qualified_name
    states = visit.site.store.versions(name)
    contents = _looked_through(artifact)
    own, before, after = _neighbours(states, artifact.version)
    value = {
        **version_record(artifact),
        "created_by": own.by,
        "new_bytes": new_bytes(visit.site, name, [own])[0],
        **version_runs(visit.site, artifact.project, artifact.collection.name, own),
        **kept_record(own, artifact.protected_aliases),
        "previous": before,
        "next": after,
        "entries": {
            "count": own.entry_count,
            "by_kind": contents.kinds,
            "is_whole": contents.is_whole,
        },
        "values": contents.values,
        "usage": _usage(artifact, contents.values),
    }
    shown = {} if visit.is_api else _shown(visit, artifact, contents.values)
    if not visit.is_api:
        shown |= {**_run_parts(visit, value), "reasons": _reasons(value)}
    return Answer("artifacts/version.html", value, shown=shown)


def _deleted(visit: Visit, error: NotFoundError) -> Answer:
    params = visit.params
    digits = params["version"].removeprefix("v")
    state = collection_state(visit.site, params["project"], params["collection"])
    gone = state.versions.get(int(digits)) if digits.isdecimal() else None
    (told,) = deleted_records(visit.site, state, [gone]) if gone else (None,)
    if told is None:
        # It was restored meanwhile.
        raise error
    value = {**failure_value(error, visit.site), "deleted": told}
    return Answer("artifacts/deleted.html", value, status=404, shown={"params": params})


def change_version(visit: Visit) -> Response:
    """
    Change what a version says of itself; delete or restore it.

    Fields: `add_alias`, `remove_alias`, `add_tag`, `remove_tag` (each as often as wanted),
    `description`, `delete` with `force`, `restore`.

    Raises:
        InvalidInputError: `request-invalid`, `name-invalid`.
        StateError: `version-aliased`, `version-pinned`, `version-in-use`: deleted only with
            `force`; `alias-protected`: not at all.
        ConflictError: `content-vanished`: gone for good.
    """
    store, params, form = visit.site.store, visit.params, visit.form()
    project, collection = params["project"], params["collection"]
    listed = visit.link("collection", project=project, collection=collection)
    if "restore" in form:
        store.restore(f"{project}/{collection}:{params['version']}")
        artifact = visit.version()
        return visit.done(listed, version_record(artifact))
    # By its number from here on: an alias may be moved meanwhile, by this very request too.
    exact = visit.version().qualified_name
    if "delete" in form:
        store.delete(exact, force="force" in form)
        return visit.done(listed, {"deleted": exact})
    changes = {name: _words(form.getlist(name)) for name in _LABELS}
    if not any(changes.values()) and "description" not in form:
        raise InvalidInputError(
            "the request says nothing that is to be changed",
            code="request-invalid",
            hint=f"its fields are {', '.join(_LABELS)}, description, delete, force, restore",
        )
    if changes["add_alias"] or changes["remove_alias"]:
        store.set_aliases(exact, changes["add_alias"], changes["remove_alias"])
    if changes["add_tag"] or changes["remove_tag"]:
        store.set_tags(exact, changes["add_tag"], changes["remove_tag"])
    artifact = store.artifact(exact)
    if "description" in form:
        # Forms end lines as the internet does.
        artifact.description = form["description"].replace("\r\n", "\n") or None
        artifact.save()
    address = visit.link(
        "version", project=project, collection=collection, version=artifact.version
    )
    return visit.done(address, version_record(artifact))


_LABELS: Final = ("add_alias", "remove_alias", "add_tag", "remove_tag")


def _words(texts: list[str]) -> list[str]:
    return [text.strip() for text in texts if text.strip()]


class _Contents(NamedTuple):
    kinds: dict[str, int]
    values: list[dict[str, str]]
    is_whole: bool


def _looked_through(artifact: LoggedArtifact) -> _Contents:
    kinds: Counter[str] = Counter()
    values: list[dict[str, str]] = []
    entries = artifact.entries()
    for entry in islice(entries, _LOOKED_AT):
        kinds[entry.kind] += 1
        values += _value_at(entry.path, is_table=entry.kind == TABLE)
    is_whole = next(iter(entries), None) is None and len(values) <= _VALUES_MAX
    return _Contents(dict(sorted(kinds.items())), values[:_VALUES_MAX], is_whole)


def _value_at(path: str, *, is_table: bool) -> Iterator[dict[str, str]]:
    """The table or media value that an entry is the description of, if it is one."""
    if is_table:
        if _PARTS_OF_JOINED not in path:
            yield {"name": path.removesuffix(TABLE_SUFFIX), "path": path, "kind": "table"}
        return
    for suffix, kind in _READABLE:
        if path.endswith(suffix):
            yield {"name": path.removesuffix(suffix), "path": path, "kind": kind}
            return
    # Files of cells lie in a folder of their own: they are no values by themselves.
    if path.endswith(".json") and not path.startswith(_MEDIA_FOLDER):
        for media in KINDS:
            if path.endswith(media.suffix):
                kind = media.type_name.removesuffix("-file")
                yield {"name": path.removesuffix(media.suffix), "path": path, "kind": kind}
                return


def _neighbours(
    states: list[VersionState], version: str
) -> tuple[VersionState, str | None, str | None]:
    live = [state for state in states if state.is_live]
    numbers = [f"v{state.version}" for state in live]
    if version not in numbers:
        # It was deleted while the page was made.
        raise NotFoundError(f"{version} was deleted just now", code="version-deleted")
    at = numbers.index(version)
    before = numbers[at - 1] if at else None
    after = numbers[at + 1] if at + 1 < len(numbers) else None
    return live[at], before, after


def _usage(artifact: LoggedArtifact, values: list[dict[str, str]]) -> dict[str, str]:
    """What to write to get at it."""
    name = artifact.qualified_name
    lines = [
        "import artstore as art",
        "",
        f"version = art.use_artifact({json.dumps(name)})",
        "directory = version.download()",
    ]
    shell = [f"art pull {shlex.quote(name)} {shlex.quote(artifact.collection.name)}"]
    tables = [value["name"] for value in values if value["kind"].endswith("table")]
    if tables:
        table = visible(tables[0], lines=False)
        lines += ["", f"table = version.get({json.dumps(table, ensure_ascii=False)})"]
        shell.append(f"art table show {shlex.quote(f'{name}/{table}')}")
    return {"python": "\n".join(lines) + "\n", "shell": "\n".join(shell) + "\n"}


def _shown(visit: Visit, artifact: LoggedArtifact, values: list[dict[str, str]]) -> dict[str, Any]:
    params = {"project": artifact.project, "collection": artifact.collection.name}
    here = {**params, "version": artifact.version}
    description = artifact.description or ""
    tree = read_tree(json.dumps(artifact.metadata, ensure_ascii=False), is_whole=True)
    links = [
        visit.link("table", **here, path=value["name"])
        if value["kind"].endswith("table") and visit.site.routes.has("table")
        else visit.link("files", **here, path=value["path"])
        for value in values
    ]
    return {
        "here": here,
        "params": params,
        "linked_values": list(zip(values, links, strict=True)),
        "metadata_tree": tree[0] if tree is not None and artifact.metadata else None,
        "description_html": section_html(description),
        "description_text": description,
        "own_aliases": [alias for alias in artifact.aliases if alias != "latest"],
        "source_link": _source_link(visit, artifact),
    }


def _reasons(value: dict[str, Any]) -> str:
    """Why a version may be deleted by force alone: words behind "Although it"."""
    told = ["has aliases"] if set(value["aliases"]) - {"latest"} else []
    told += ["is pinned"] if not all(is_over(pin["until"]) for pin in value["pins"]) else []
    # One that was not heard of lately may be back within a day.
    is_used = any(run["state"] in ("running", "crashed") for run in value["used_by"])
    told += ["is used by a run that may go on"] if is_used else []
    return ", ".join(told[:-1]) + " and " + told[-1] if len(told) > 1 else "".join(told)


def _run_parts(visit: Visit, value: dict[str, Any]) -> dict[str, Any]:
    """Where the run that made it, its inputs and the runs that used it are found."""
    run = value["run"]
    inputs = []
    for one in value["inputs"]:
        parts = {"project": one["project"], "collection": one["name"], "version": one["version"]}
        told = f"{one['project']}/{one['name']}:{one['version']}"
        inputs.append((told, visit.link("version", **parts)))
    users = [
        {
            **one,
            "title": visible(one["name"] or one["id"], 100, lines=False),
            "address": run_links(visit, one["project"], one["id"]),
        }
        for one in value["used_by"]
    ]
    return {
        "run_link": run and run_links(visit, run["project"], run["id"]),
        "linked_inputs": inputs,
        "linked_users": users,
    }


def _source_link(visit: Visit, artifact: LoggedArtifact) -> str | None:
    if not artifact.is_link:
        return None
    return visit.link(
        "version",
        project=artifact.source_project,
        collection=artifact.source_collection,
        version=artifact.source_version,
    )


_PATH: Final = "/p/{project}/c/{collection}/{version}"
PAGES: Final = (
    Page(_PATH, show_version, "version"),
    Page(_PATH, change_version, "change-version", methods=("POST",)),
)

"""`art ls`: artifacts of a project, versions of an artifact, entries of a version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.options import complete_name
from artstore.cli.output import count, format_bytes, format_known_bytes, printable, table
from artstore.cli.session import Session
from artstore.durations import duration_text
from artstore.errors import NotFoundError
from artstore.names import PLUMBING_TYPES, VIEW_TYPE
from artstore.records import (
    collection_record,
    entry_record,
    listed_version,
    pin_records,
    retention_record,
    version_name,
)
from artstore.settings import DEFAULT_ORIGIN

if TYPE_CHECKING:
    from artstore.api import CollectionInfo, Store, VersionState

__all__ = ["ls_command"]


@click.command("ls", cls=Command)
@click.argument(
    "what", metavar="[PROJECT | NAME | NAME:V]", required=False, shell_complete=complete_name
)
@click.argument("prefix", metavar="[PREFIX]", required=False)
@click.option(
    "-a",
    "--all",
    "with_all",
    is_flag=True,
    help="List deleted versions, saved views and what runs keep for themselves too.",
)
@shared_options
@click.pass_obj
def ls_command(session: Session, *, what: str | None, prefix: str | None, with_all: bool) -> None:
    """
    List what there is, one level at a time.

    Without an argument: the artifacts of the project. A NAME: its versions. NAME:V: its entries,
    with a PREFIX those whose path begins so. A PROJECT: its artifacts; where an artifact has the
    same name, write the project with a slash behind it: 'art ls vision/'.
    """
    if what is None:
        _list_artifacts(session, session.settings.project, with_projects=True, with_all=with_all)
    elif what.endswith("/"):
        _list_project(session, what.rstrip("/"), with_all=with_all)
    else:
        name = session.name(what)
        store = session.open_store()
        if name.is_exact or prefix is not None:
            _list_entries(session, store, what, prefix or "")
            return
        try:
            versions = store.versions(what)
        except NotFoundError:
            if name.project is None and name.name in store.projects():
                _list_artifacts(session, name.name, with_projects=False, with_all=with_all)
                return
            raise
        _list_versions(session, store, what, versions, with_deleted=with_all)


def _list_project(session: Session, project: str, *, with_all: bool) -> None:
    from artstore.names import check_project_name

    check_project_name(project)
    store = session.open_store()
    known = store.projects()
    if project not in known:
        from artstore.cli.suggestions import close_texts

        near = close_texts(project, known)
        raise NotFoundError(
            f"the store has no project {project!r}",
            code="project-not-found",
            hint=f"close: {', '.join(near)}" if near else None,
            store=session.settings.url,
        )
    _list_artifacts(session, project, with_projects=False, with_all=with_all)


def _list_artifacts(session: Session, project: str, *, with_projects: bool, with_all: bool) -> None:
    store = session.open_store()
    try:
        projects = store.projects() if with_projects else []
        found = store.collections(project)
    except NotFoundError as error:
        # Before the first push there is no default store; one that was named must be there.
        if error.code != "store-not-found" or session.settings.url_origin != DEFAULT_ORIGIN:
            raise
        projects, found = [], []
    listed = found if with_all else [info for info in found if info.type not in PLUMBING_TYPES]
    hidden = [info.type for info in found if info.type in PLUMBING_TYPES and not with_all]
    found = listed
    value: dict[str, Any] = {
        "kind": "artifacts",
        "project": project,
        "artifacts": [{**collection_record(info), **_rule_record(info)} for info in found],
    }
    if with_projects:
        value["projects"] = projects
    names = [session.short_name(project, info.name) for info in found]
    session.output.result(value, _artifact_lines(found, project), names=names)
    others = [name for name in projects if name != project]
    if others:
        session.output.note(f"other projects: {', '.join(others)}")
    if hidden:
        view_count = hidden.count(VIEW_TYPE)
        rest_count = len(hidden) - view_count
        parts = [count(view_count, "saved view")] if view_count else []
        parts += [f"{count(rest_count, 'artifact')} of runs"] if rest_count else []
        session.output.note(f"{' and '.join(parts)} left out; --all lists them")


def _artifact_lines(found: list[CollectionInfo], project: str) -> Iterator[str]:
    if not found:
        yield f"project {project} has no artifacts yet"
        return
    heads = ("NAME", "TYPE", "LATEST", "VERSIONS", "SIZE", "ALIASES", "UPDATED", "KEEPS")
    rows = [
        (
            info.name,
            info.type,
            version_name(info.latest_version) or "-",
            str(info.version_count),
            format_bytes(info.size_bytes),
            ",".join(info.aliases),
            info.updated,
            _rule_text(info),
        )
        for info in found
    ]
    yield from table(*_without_empty_end(heads, rows), right="VERSIONS SIZE")


def _rule_record(info: CollectionInfo) -> dict[str, Any]:
    return {
        "retention": retention_record(info.retention),
        "protected_aliases": list(info.protected_aliases),
    }


def _rule_text(info: CollectionInfo) -> str:
    parts = [] if info.retention.is_empty else [str(info.retention).removeprefix("keep ")]
    parts += [f"protected {alias}" for alias in info.protected_aliases]
    return ", ".join(parts)


def _without_empty_end(
    heads: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """The last column is left out where nothing stands in it."""
    if any(row[-1] for row in rows):
        return heads, rows
    return heads[:-1], [row[:-1] for row in rows]


def _list_versions(
    session: Session,
    store: Store,
    what: str,
    versions: list[VersionState],
    *,
    with_deleted: bool,
) -> None:
    name = session.wanted[-1]
    live = [state.version for state in versions if state.deleted is None]
    latest = max(live, default=None)
    shown = [state for state in reversed(versions) if with_deleted or state.deleted is None]
    project = name.project or session.settings.project
    value: dict[str, Any] = {
        "kind": "versions",
        "project": project,
        "name": name.name,
        "versions": [
            {
                **listed_version(state, latest),
                "deleted": not state.is_live,
                "ttl_seconds": state.ttl_seconds,
                "pins": pin_records(state.pins),
            }
            for state in shown
        ],
    }
    session.output.result(
        value,
        _version_lines(value["versions"]),
        names=[f"{what}:v{state.version}" for state in shown],
    )
    if name.project is None and name.name in store.projects():
        session.output.note(f"there is a project of that name too: art ls {name.name}/")


def _version_lines(versions: list[dict[str, Any]]) -> Iterator[str]:
    heads = ("VERSION", "FILES", "SIZE", "DIGEST", "ALIASES", "TAGS", "CREATED", "BY", "KEPT")
    rows = [
        (
            f"{record['version']}{' (deleted)' if record['deleted'] else ''}",
            f"{record['file_count']:,}",
            format_bytes(record["size_bytes"]),
            record["digest"][:12],
            ",".join(record["aliases"]),
            ",".join(record["tags"]),
            record["created_at"],
            record["created_by"],
            _kept_text(record),
        )
        for record in versions
    ]
    yield from table(*_without_empty_end(heads, rows), right="FILES SIZE")


def _kept_text(record: dict[str, Any]) -> str:
    ttl = record["ttl_seconds"]
    parts = [] if ttl is None else [f"ttl {duration_text(ttl)}"]
    parts += [f"pinned by {pin['holder']} until {pin['until']}" for pin in record["pins"]]
    return ", ".join(parts)


def _list_entries(session: Session, store: Store, what: str, prefix: str) -> None:
    artifact = store.artifact(what)
    totals = {"count": 0, "bytes": 0}

    def items() -> Iterator[tuple[Any, str, str]]:
        # A version may have millions of entries: nothing is kept, no column is measured.
        for entry in artifact.entries(prefix):
            totals["count"] += 1
            totals["bytes"] += entry.size_bytes
            record = entry_record(entry)
            path = printable(entry.path)
            size = format_known_bytes(entry.size_bytes if entry.has_size else None)
            yield record, f"{size:>10}  {_shown(record, path)}", path

    entries = items()
    head = {
        "kind": "entries",
        "project": artifact.project,
        "name": artifact.collection.name,
        "version": artifact.version,
        "prefix": prefix,
    }
    session.output.result_stream(head, "entries", entries)
    if totals["count"] == 0 and prefix:
        session.output.note(f"no entry begins with {prefix!r}")
    session.output.note(
        f"{count(totals['count'], 'entry', 'entries')}, {format_bytes(totals['bytes'])}"
    )


def _shown(record: dict[str, Any], path: str) -> str:
    if record["kind"] == "directory":
        return f"{path}/"
    if record["kind"] in ("symlink", "reference", "link") and record["target"]:
        return f"{path} -> {printable(record['target'])}"
    return path

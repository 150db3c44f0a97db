"""What commands about runs share: a run by what a person calls it, and its completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from artstore.cli.session import Session
from artstore.errors import ArtstoreError, InvalidInputError, NotFoundError
from artstore.storeaccess import run_index_of

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from artstore.api import Store
    from artstore.runs.storedrun import StoredRun

__all__ = ["RUN_METAVAR", "complete_run", "find_run", "short_run"]

RUN_METAVAR = "RUN"
_SHOWN_COUNT = 5
_PROJECTS_COUNT = 20
"""In so many others a run is looked for that is not there."""


def find_run(session: Session, store: Store, text: str) -> StoredRun:
    """
    The run that is called so: `[project/]` and its id, the beginning of it, or its name.

    Raises:
        NotFoundError: `run-not-found`, with what is close.
        InvalidInputError: `run-ambiguous`, several are called so.
    """
    head, slash, tail = text.partition("/")
    if slash:
        from artstore.names import check_project_name

        check_project_name(head)
    project, wanted = (head, tail) if slash else (session.settings.project, text)
    rows = _known(store, project)
    found = _matching(wanted, rows)
    if len(found) == 1:
        return store.run(f"{project}/{found[0]}")
    if found:
        raise InvalidInputError(
            f"{len(found)} runs of project {project} are called {wanted!r}",
            code="run-ambiguous",
            hint=f"say which: {', '.join(found[:_SHOWN_COUNT])}",
            close=found[:_SHOWN_COUNT],
        )
    raise _not_found(project, wanted, rows, elsewhere=_elsewhere(store, project, wanted))


def _known(store: Store, project: str) -> list[list[Any]]:
    """Of every run of a project its id, its name, and whether it is deleted."""
    index = run_index_of(store)  # far less is read than for whole runs
    index.refresh(project)
    return index.members(project, [("run",), ("name",), ("deleted",)])


def _matching(wanted: str, rows: list[list[Any]]) -> list[str]:
    """By id, by name, by the beginning of an id; what is deleted only if there is nothing else."""
    for found in (
        [row for row in rows if row[0] == wanted],
        [row for row in rows if row[1] == wanted],
        [row for row in rows if wanted and row[0].startswith(wanted)],
    ):
        if found:
            return [row[0] for row in found if not row[2]] or [row[0] for row in found]
    return []


def _elsewhere(store: Store, project: str, wanted: str) -> list[str]:
    """The runs of other projects that are called so. Cost: one scan a project with runs."""
    others = [other for other in store.run_projects() if other != project]
    return [
        f"{other}/{run_id}"
        for other in others[:_PROJECTS_COUNT]
        for run_id in _matching(wanted, _known(store, other))
    ][:_SHOWN_COUNT]


def _not_found(
    project: str, wanted: str, rows: list[list[Any]], *, elsewhere: list[str]
) -> NotFoundError:
    from artstore.cli.suggestions import close_texts

    named = {name: run_id for run_id, name, deleted in rows if name and not deleted}
    ids = [run_id for run_id, _, deleted in rows if not deleted]
    close = close_texts(wanted, [*ids, *named])
    shown = elsewhere or [f"{named[text]} ({text})" if text in named else text for text in close]
    return NotFoundError(
        f"there is no run {wanted!r} in project {project}",
        code="run-not-found",
        hint=f"did you mean {' or '.join(shown)}?" if shown else "'art runs' lists them",
        close_runs=close,
    )


def short_run(session: Session, project: str, run_id: str) -> str:
    """What to write to get at it again."""
    return run_id if project == session.settings.project else f"{project}/{run_id}"


def complete_run(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Ids of runs, and names, for the shell's completion; nothing if the store cannot be read."""
    from click.shell_completion import CompletionItem

    session = ctx.find_object(Session) or Session()
    head, slash, _ = incomplete.partition("/")
    try:
        project = head if slash else session.settings.project
        rows = _known(session.open_store(), project)
    except (ArtstoreError, OSError):
        return []
    front = f"{head}/" if slash else ""
    return [
        CompletionItem(front + run_id, help=name)
        for run_id, name, deleted in rows
        if not deleted and (front + run_id).startswith(incomplete)
    ]

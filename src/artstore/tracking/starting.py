"""
`init`: what it is asked for, by its arguments, its settings and the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from artstore.catalog.runs.format import check_run_id
from artstore.errors import InvalidInputError
from artstore.names import check_project_name
from artstore.settings import Settings, resolve
from artstore.tracking import current
from artstore.tracking.beginning import MODES, Beginning
from artstore.tracking.notebooks import in_notebook
from artstore.tracking.run import Run
from artstore.tracking.runsettings import run_settings

__all__ = ["MODES", "RESUME", "init"]

RESUME: Final = ("allow", "must", "never", "auto")
_VARIABLES: Final = {"id": "RUN_ID", "group": "RUN_GROUP"}
"""Where the variable of an argument is not called as the argument is."""


def init(  # noqa: PLR0917 - the order that scripts know
    entity: str | None = None,  # noqa: ARG001 - a store has no teams
    project: str | None = None,
    dir: str | os.PathLike[str] | None = None,  # noqa: A002 - W&B's
    id: str | None = None,  # noqa: A002 - W&B's
    name: str | None = None,
    notes: str | None = None,
    tags: Sequence[str] | str | None = None,
    config: Any = None,
    config_exclude_keys: Sequence[str] | None = None,
    config_include_keys: Sequence[str] | None = None,
    allow_val_change: bool | None = None,  # noqa: FBT001 - W&B's
    group: str | None = None,
    job_type: str | None = None,
    mode: str | None = None,
    force: bool | None = None,  # noqa: ARG001, FBT001 - W&B's: whether to ask for a login
    reinit: bool | str | None = None,  # noqa: FBT001 - W&B's
    resume: bool | str | None = None,  # noqa: FBT001 - W&B's
    resume_from: str | None = None,
    fork_from: str | None = None,
    save_code: bool | None = None,  # noqa: FBT001 - W&B's
    sync_tensorboard: bool | None = None,  # noqa: FBT001 - W&B's
    monitor_gym: bool | None = None,  # noqa: FBT001 - W&B's
    settings: Any = None,
    *,
    store: str | os.PathLike[str] | None = None,
) -> Run:
    """
    Begin a run, or give the one that is going on.

    Inside a `with` statement of a run, and in a script anywhere, a second init gives the same
    run, which ends when it was finished as often. In a notebook a bare second init ends the
    run before it and begins a new one. `reinit` says otherwise: `return_previous`,
    `finish_previous` (True), `create_new`.

    Args:
        project: where the run and its names without a project belong; as the settings say.
        id: of the run; drawn if left out.
        resume: what to do if the run is there: `must`, `allow` (True), `never`; `auto` goes on
            with the run of this job, or of this program, that did not end well.
        mode: `disabled` keeps nothing; `shared` writes from every rank; `online` and
            `offline` are the same.
        config: a dict, namespace, flags or the path of a YAML file.
        settings: `RunSettings`, or a dict of its fields; W&B's names are understood.
        dir: where the journal lies, instead of the state directory.
        store: the store of the run, a URL or a directory; as the settings say.
        save_code, sync_tensorboard, monitor_gym: taken and not acted upon.
    Raises:
        InvalidInputError: `name-invalid`, `value-invalid`, `config-invalid`.
        StateError: `run-exists`; NotFoundError: `run-not-found`, of `resume`.
    Cost: a millisecond or two; the store is asked for `resume` and for a given `id` only.
    """
    del save_code, sync_tensorboard, monitor_gym
    chosen, stated, strange = run_settings(settings)
    asked = _Asked(stated)
    reinit = stated.get("reinit") if reinit is None else reinit
    previous = _previous(reinit)
    if previous is not None:
        if config is not None:
            previous.config.update(config, allow_val_change=True)
        return previous
    _refuse_forks(resume_from, fork_from)
    run_id = asked("id", id)
    wanted_mode = asked("mode", mode) or "online"
    begins = Beginning(_found(store, asked("project", project)), chosen, wanted_mode, dir)
    begins.say_strange(strange)
    run = begins.run(
        None if run_id is None else check_run_id(run_id),
        _resume(asked("resume", resume)),
        asked.facts(name=name, notes=notes, group=group, job_type=job_type, tags=tags),
        is_beside=reinit == "create_new" and current.own_run() is not None,
    )
    _fill_config(run, config, config_include_keys, config_exclude_keys, allow_val_change)
    return run


class _Asked:
    """What `init` was not told by its arguments: its settings say it, then the environment."""

    def __init__(self, stated: Mapping[str, Any]) -> None:
        self._stated = stated

    def __call__(self, name: str, given: Any) -> Any:
        """The argument `name`, for which `given` was given; None if nobody says it."""
        if given or given is False:
            return given
        stated = self._stated.get(name)
        variable = f"ARTSTORE_{_VARIABLES.get(name, name.upper())}"
        return stated if stated is not None else os.environ.get(variable) or None

    def facts(self, *, tags: Any, **given: str | None) -> dict[str, Any]:
        """What the run is called, and its tags."""
        named = {name: self(name, value) for name, value in given.items()}
        words = self("tags", tags)
        is_listed = isinstance(words, str) and words is not tags
        return {**named, "tags": sorted(_texts(words, "," if is_listed else None))}


def _found(store: str | os.PathLike[str] | None, project: str | None) -> Settings:
    return resolve(
        os.fspath(store) if store else None, check_project_name(project) if project else None
    )


def _refuse_forks(resume_from: str | None, fork_from: str | None) -> None:
    if resume_from or fork_from:
        raise InvalidInputError(
            "resume_from and fork_from are not offered",
            code="value-invalid",
            hint="resume='must' goes on with a run; a new run can use its artifacts",
        )


def _previous(reinit: bool | str | None) -> Run | None:  # noqa: FBT001 - W&B's
    """The run that is going on, if that is what is wanted; it is ended if a new one is."""
    run = current.own_run()
    if run is None or reinit == "create_new":
        return None
    if reinit in (True, "finish_previous"):
        run.finish()
        return None
    if run.is_entered or reinit == "return_previous" or not in_notebook():
        return run.enter_again()
    # In a notebook a cell is run again and again.
    run.end("finished", 0)
    return None


def _fill_config(
    run: Run,
    config: Any,
    include: Sequence[str] | None,
    exclude: Sequence[str] | None,
    allow: bool | None,  # noqa: FBT001 - W&B's
) -> None:
    from artstore.tracking.configsource import parsed_config

    if config is None:
        return
    values = parsed_config(config, include=include, exclude=exclude)
    # What a run that goes on was given before may be given again, and otherwise.
    run.config.update(values, allow_val_change=bool(allow) or run.resumed)


def _resume(given: bool | str | None) -> str | None:  # noqa: FBT001 - W&B's
    if given in (None, False, ""):
        return None
    if given is True:
        return "auto"
    if given not in RESUME:
        raise InvalidInputError(
            f"resume={given!r} is not one of {', '.join(RESUME)}", code="value-invalid"
        )
    return str(given)


def _texts(given: Sequence[str] | str | None, separator: str | None = None) -> list[str]:
    if given is None:
        return []
    if isinstance(given, str):
        return [text.strip() for text in given.split(separator)] if separator else [given]
    return [str(text) for text in given]

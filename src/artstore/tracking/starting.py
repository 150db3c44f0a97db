"""
`init`: which run a process means, and whether it is the one that writes it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from artstore import clock
from artstore.catalog.runs.format import check_run_id
from artstore.catalog.runs.state import current_state
from artstore.errors import ArtstoreError, InvalidInputError, NotFoundError, StateError
from artstore.names import check_project_name
from artstore.settings import Settings, resolve, user_name
from artstore.tracking import current, ranks
from artstore.tracking.joining import Joined, joined_session
from artstore.tracking.notebooks import in_notebook
from artstore.tracking.run import Run
from artstore.tracking.runnames import new_run_id, spoken_name
from artstore.tracking.runsettings import RunSettings, run_settings
from artstore.tracking.sessions import SessionMeta, new_session_id
from artstore.tracking.telling import tell_user

if TYPE_CHECKING:
    from artstore.api import Store

__all__ = ["MODES", "RESUME", "init"]

MODES: Final = ("online", "offline", "disabled", "shared")
RESUME: Final = ("allow", "must", "never", "auto")
_ASK_SECONDS: Final = 5.0
"""How long `init` waits to hear whether an id is taken."""


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
        settings: `RunSettings`, or a dict of its fields.
        dir: where the journal lies, instead of the state directory.
        store: the store of the run, a URL or a directory; as the settings say.
        save_code, sync_tensorboard, monitor_gym: taken and not acted upon.
    Raises:
        InvalidInputError: `name-invalid`, `value-invalid`, `config-invalid`.
        StateError: `run-exists`; NotFoundError: `run-not-found`, of `resume`.
    Cost: a millisecond or two; the store is asked for `resume` and for a given `id` only.
    """
    del save_code, sync_tensorboard, monitor_gym
    previous = _previous(reinit)
    if previous is not None:
        if config is not None:
            previous.config.update(config, allow_val_change=True)
        return previous
    if resume_from or fork_from:
        raise InvalidInputError(
            "resume_from and fork_from are not offered",
            code="value-invalid",
            hint="resume='must' goes on with a run; a new run can use its artifacts",
        )
    chosen, strange = run_settings(settings)
    found = resolve(
        os.fspath(store) if store else None,
        check_project_name(project) if project else _variable("PROJECT"),
    )
    directory = Path(dir) if dir else None
    started = _Start(found, chosen, mode or _variable("MODE") or "online", directory)
    started.say_strange(strange)
    given = id or _variable("RUN_ID") or None
    run = started.run(
        None if given is None else check_run_id(given),
        _resume(resume if resume is not None else _variable("RESUME")),
        {
            "name": name or _variable("NAME"),
            "notes": notes or _variable("NOTES"),
            "group": group or _variable("RUN_GROUP"),
            "job_type": job_type or _variable("JOB_TYPE"),
            "tags": sorted(_texts(tags) or _texts(_variable("TAGS"), ",")),
        },
    )
    _fill_config(run, config, config_include_keys, config_exclude_keys, allow_val_change)
    return run


class _Start:
    """One call of `init` that begins a run."""

    def __init__(
        self, settings: Settings, chosen: RunSettings, mode: str, directory: Path | None
    ) -> None:
        if mode not in MODES:
            raise InvalidInputError(
                f"mode={mode!r} is not one of {', '.join(MODES)}", code="value-invalid"
            )
        self.settings = settings
        self.chosen = chosen
        self.mode = mode
        self.state_dir = directory or settings.state_dir
        self.rank = ranks.rank()

    def say_strange(self, names: Sequence[str]) -> None:
        """Settings that mean nothing here."""
        if names:
            self.tell(f"settings that mean nothing here: {', '.join(names)}")

    def tell(self, sentence: str) -> None:
        """A sentence for the user."""
        if not self.chosen.silent:
            tell_user(sentence)

    def run(self, run_id: str | None, resume: str | None, facts: Mapping[str, Any]) -> Run:
        """Begin it."""
        if self.mode == "disabled" or not self._writes():
            return self._quiet(run_id or new_run_id(), facts)
        from artstore.tracking.repair import repair_in_background

        above = joined_session()
        if above is not None and run_id in (None, above.meta.run_id):
            return self._joined(above, facts)
        if resume == "auto":
            run_id, earlier = self._resumed(run_id)
        else:
            if run_id is None and resume == "must":
                raise InvalidInputError(
                    "resume='must' needs to know which run: id=, or ARTSTORE_RUN_ID",
                    code="value-invalid",
                )
            is_asked = run_id is not None and (resume is not None or self.mode != "shared")
            earlier = self._earlier(run_id, resume) if is_asked and run_id is not None else {}
            run_id = run_id or new_run_id()
        run = self._recorded(run_id, facts, earlier)
        if resume == "auto":
            self._remember(run)
        repair_in_background(self.state_dir)
        return run

    def _joined(self, above: Joined, facts: Mapping[str, Any]) -> Run:
        """A session more of the run of the command above, which watches over all the rest."""
        self.mode = "shared"
        self.settings = above.meta.settings()
        self.chosen = replace(
            self.chosen,
            is_primary=False,
            console="off",
            save_git=False,
            save_system=False,
            save_environment=False,
        )
        known = {"summary": {}, "metrics": {}, **above.facts}
        run = self._recorded(above.meta.run_id, facts, known, is_joining=True)
        run.resumed = False
        return run

    def _resumed(self, run_id: str | None) -> tuple[str, Mapping[str, Any]]:
        """The run that resume='auto' goes on with, and what it was."""
        from artstore.tracking.autoresume import resumed_id

        found = run_id or resumed_id(self.state_dir, self.settings)
        if found is None:
            return new_run_id(), {}
        earlier = self._earlier(found, "allow")
        is_done = earlier and current_state(earlier, clock.now_seconds()) == "finished"
        return (new_run_id(), {}) if is_done and run_id is None else (found, earlier)

    def _remember(self, run: Run) -> None:
        from artstore.tracking.autoresume import remember

        remember(self.state_dir, self.settings, run.id)

        def forget(ended: Run) -> None:
            if ended.state == "finished":
                remember(self.state_dir, self.settings, None)

        run.on_finish(forget)

    def _writes(self) -> bool:
        if ranks.is_reimporting_main():
            return False
        return self.rank.is_primary or self.mode == "shared"

    def _quiet(self, run_id: str, facts: Mapping[str, Any]) -> Run:
        run = Run(
            run_id=run_id,
            project=self.settings.project,
            facts={**facts, "name": facts["name"] or spoken_name(run_id)},
            settings=self.chosen,
            store_settings=self.settings,
            recording=None,
            earlier={},
        )
        current.enter(run)
        return run

    def _recorded(
        self,
        run_id: str,
        facts: Mapping[str, Any],
        earlier: Mapping[str, Any],
        *,
        is_joining: bool = False,
    ) -> Run:
        from artstore.tracking.recording import Recording

        settings = self.settings
        meta = SessionMeta(
            url=settings.url,
            project=settings.project,
            run_id=run_id,
            session=new_session_id(),
            is_primary=self._is_primary(),
            started=clock.now_seconds(),
            host=os.uname().nodename,
            user=user_name(),
            pid=os.getpid(),
            rank=self.rank.number,
            earlier={name: earlier[name] for name in ("config", "summary", "metrics") if earlier},
        )
        recording = Recording(
            meta.directory(self.state_dir),
            meta,
            self.chosen,
            first_step=_next_step(earlier),
            code_directory=_code_directory(),
            tell=self.tell,
        )
        known = {key: value for key, value in facts.items() if value}
        if not earlier and meta.is_primary:
            known = {**facts, "name": facts["name"] or spoken_name(run_id)}
        recording.recorder.add_change(known)
        run = Run(
            run_id=run_id,
            project=settings.project,
            facts={**earlier, **known},
            settings=self.chosen,
            store_settings=self.settings,
            recording=recording,
            earlier=earlier,
            may_change_config=is_joining or in_notebook(),
        )
        current.enter(run)
        recording.handle_signals(run.preempt)
        if not is_joining:
            self._tell_begin(run)
        return run

    def _is_primary(self) -> bool:
        stated = self.chosen.is_primary
        return self.rank.is_primary if stated is None or self.mode != "shared" else stated

    def _tell_begin(self, run: Run) -> None:
        went_on = "goes on" if run.resumed else "begins"
        self.tell(f"run {run.name} ({run.path}) {went_on}, in {self.settings.url}")
        self.tell(run.shown_by())

    def _earlier(self, run_id: str, resume: str | None) -> Mapping[str, Any]:
        """What the run was before; nothing for a new one."""
        if resume is None:
            # A store that is away must not keep a run from beginning that need not ask it.
            found = _within(_ASK_SECONDS, lambda: self._found(run_id))
        else:
            found = self._found(run_id)
            if resume == "must" and not found:
                self._store().run(run_id)
        if found and resume in ("never", None):
            state = current_state(found, clock.now_seconds())
            raise StateError(
                f"there is a run {self.settings.project}/{run_id} already, {state}",
                code="run-exists",
                hint="resume='must' goes on with it; without id= a new run gets an id of its own",
            )
        return found

    def _found(self, run_id: str) -> Mapping[str, Any]:
        from artstore.tracking.repair import repair_run

        if self.mode != "shared":
            repair_run(self.state_dir, self.settings.url, self.settings.project, run_id)
        try:
            return self._store().run(run_id).whole
        except NotFoundError:
            return {}

    def _store(self) -> Store:
        from artstore.defaultstore import store_of

        return store_of(self.settings)


def _within(seconds: float, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """The answer, if there is one so soon; nothing if it fails for reasons of the store."""
    answers: list[Mapping[str, Any]] = []
    refusals: list[StateError] = []

    def work() -> None:
        try:
            answers.append(ask())
        except StateError as error:
            refusals.append(error)
        except ArtstoreError:
            return

    thread = threading.Thread(target=work, name="artstore-ask", daemon=True)
    thread.start()
    thread.join(seconds)
    if refusals:
        raise refusals[0]
    return answers[0] if answers else {}


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


def _next_step(earlier: Mapping[str, Any]) -> int:
    """The step after the last one of an earlier session."""
    by_session = (earlier.get("segments") or {}).get("history") or {}
    steps = [
        segment["last_step"]
        for segments in by_session.values()
        for segment in segments
        if type(segment.get("last_step")) is int
    ]
    return max(steps, default=-1) + 1


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


def _variable(name: str) -> str | None:
    return os.environ.get(f"ARTSTORE_{name}") or None


def _texts(given: Sequence[str] | str | None, separator: str | None = None) -> list[str]:
    if given is None:
        return []
    if isinstance(given, str):
        return [text.strip() for text in given.split(separator)] if separator else [given]
    return [str(text) for text in given]


def _code_directory() -> str | None:
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    try:
        return os.path.dirname(os.path.abspath(file)) if file else os.getcwd()
    except OSError:
        return None

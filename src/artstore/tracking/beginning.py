"""
A run begins: which one, whether this process writes it, and where its journal lies.
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
from artstore.catalog.runs.state import current_state
from artstore.errors import ArtstoreError, InvalidInputError, NotFoundError, StateError
from artstore.settings import Settings, user_name
from artstore.tracking import current, ranks
from artstore.tracking.joining import Joined, joined_session, next_joined_step, note_next_step
from artstore.tracking.notebooks import in_notebook
from artstore.tracking.run import Run
from artstore.tracking.runnames import new_run_id, spoken_name
from artstore.tracking.runsettings import RunSettings
from artstore.tracking.sessions import SessionMeta, new_session_id
from artstore.tracking.statehome import state_home
from artstore.tracking.telling import tell_user

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.tracking.recording import Steps

__all__ = ["MODES", "Beginning"]

MODES: Final = ("online", "offline", "disabled", "shared")
_NOT_RESUMED: Final = frozenset(["finished", "deleted"])
"""After a run in such a state resume='auto' begins a new one."""
_ASK_SECONDS: Final = 5.0
"""How long a beginning run waits to hear whether its id is taken."""


class Beginning:
    """One call of `init` that begins a run."""

    def __init__(
        self,
        settings: Settings,
        chosen: RunSettings,
        mode: str,
        directory: str | os.PathLike[str] | None,
    ) -> None:
        if mode not in MODES:
            raise InvalidInputError(
                f"mode={mode!r} is not one of {', '.join(MODES)}", code="value-invalid"
            )
        self.settings = settings
        self.chosen = chosen
        self.mode = mode
        if directory:
            # The program may go to another directory while it runs.
            self.state_dir = Path(os.path.abspath(directory))
        else:
            self.state_dir = state_home(settings.state_dir)
        self._is_moved = not directory and self.state_dir != settings.state_dir
        self.rank = ranks.rank()

    def say_strange(self, names: Sequence[str]) -> None:
        """Settings that mean nothing here."""
        if names:
            self.tell(f"settings that mean nothing here: {', '.join(names)}")

    def tell(self, sentence: str) -> None:
        """A sentence for the user."""
        if not self.chosen.silent:
            tell_user(sentence)

    def run(
        self,
        run_id: str | None,
        resume: str | None,
        facts: Mapping[str, Any],
        *,
        is_beside: bool = False,
    ) -> Run:
        """
        Begin it.

        Args:
            facts: what it is called.
            is_beside: whether it was asked for beside one that goes on in this process.
        """
        if self.mode == "disabled" or not self._writes():
            return self._quiet(run_id or new_run_id(), facts)
        above = joined_session()
        if above is not None and run_id in (None, above.meta.run_id):
            if not is_beside:
                return self._joined(above, facts)
            # The environment has the id of the run above; this one is another.
            run_id = None
        from artstore.tracking.recording import Steps
        from artstore.tracking.repair import repair_in_background

        run_id, earlier = self._gone_on_with(run_id, resume)
        run = self._recorded(run_id, facts, earlier, Steps(_next_step(earlier)))
        if resume == "auto":
            self._remember(run)
        repair_in_background(self.state_dir)
        return run

    def _joined(self, above: Joined, facts: Mapping[str, Any]) -> Run:
        """A session more of the run of the command above, which watches over all the rest."""
        from artstore.tracking.recording import Steps

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
        # A program that joins counts from 0: it knows nothing of those before it.
        begin = next_joined_step(above.directory)
        steps = Steps(begin, hidden=begin)
        run = self._recorded(above.meta.run_id, facts, known, steps, above=above)
        run.resumed = False
        return run

    def _gone_on_with(
        self, run_id: str | None, resume: str | None
    ) -> tuple[str, Mapping[str, Any]]:
        """Which run it is, and what that was before; nothing for a new one."""
        if resume == "auto":
            return self._resumed(run_id)
        if run_id is not None:
            # That a shared run is there says nothing: another rank may have begun it.
            is_asked = resume is not None or self.mode != "shared"
            return run_id, self._earlier(run_id, resume) if is_asked else {}
        if resume == "must":
            raise InvalidInputError(
                "resume='must' needs to know which run: id=, or ARTSTORE_RUN_ID",
                code="value-invalid",
            )
        return new_run_id(), {}

    def _resumed(self, run_id: str | None) -> tuple[str, Mapping[str, Any]]:
        """The run that resume='auto' goes on with, and what it was."""
        from artstore.tracking.autoresume import resumed_id

        if run_id is not None:
            return run_id, self._earlier(run_id, "allow")
        found = resumed_id(self.state_dir, self.settings)
        earlier = {} if found is None else self._found(found)
        is_done = earlier and current_state(earlier, clock.now_seconds()) in _NOT_RESUMED
        return (new_run_id(), {}) if found is None or is_done else (found, earlier)

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
        steps: Steps,
        *,
        above: Joined | None = None,
    ) -> Run:
        from artstore.tracking.recording import Recording

        meta = self._session(run_id, earlier)
        recording = Recording(
            meta.directory(self.state_dir),
            meta,
            self.chosen,
            steps=steps,
            code_directory=_code_directory(),
            tell=self.tell,
        )
        known = {key: value for key, value in facts.items() if value}
        if not earlier and meta.is_primary:
            known = {**facts, "name": facts["name"] or spoken_name(run_id)}
        recording.recorder.add_change(known)
        run = Run(
            run_id=run_id,
            project=self.settings.project,
            facts={**earlier, **known},
            settings=self.chosen,
            store_settings=self.settings,
            recording=recording,
            earlier=earlier,
            may_change_config=above is not None or in_notebook(),
        )
        current.enter(run)
        recording.handle_signals(run.preempt)
        if above is None:
            self._tell_begin(run)
        else:
            run.on_finish(
                lambda _: note_next_step(above.directory, meta.session, recording.next_step)
            )
        return run

    def _session(self, run_id: str, earlier: Mapping[str, Any]) -> SessionMeta:
        return SessionMeta(
            url=self.settings.url,
            project=self.settings.project,
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

    def _is_primary(self) -> bool:
        stated = self.chosen.is_primary
        return self.rank.is_primary if stated is None or self.mode != "shared" else stated

    def _tell_begin(self, run: Run) -> None:
        if self._is_moved:
            self.tell(
                f"{self.settings.state_dir} cannot be written: the journal of the run lies in"
                f" {self.state_dir}"
            )
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
        state = current_state(found, clock.now_seconds()) if found else ""
        if state == "deleted" or (found and resume in ("never", None)):
            go_on = "resume='must' goes on with it"
            if state == "deleted":
                go_on = f"'art run restore {run_id}' brings it back"
            raise StateError(
                f"there is a run {self.settings.project}/{run_id} already, {state}",
                code="run-exists",
                hint=f"{go_on}; without id= a new run gets an id of its own",
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


def _code_directory() -> str | None:
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    try:
        return os.path.dirname(os.path.abspath(file)) if file else os.getcwd()
    except OSError:
        return None

"""
A run that is going on: what a program logs, and how it ends.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TextIO

from artstore import clock, forks
from artstore.errors import INTERRUPTED, StateError
from artstore.settings import DEFAULT_ORIGIN, Settings
from artstore.tracking.config import Config
from artstore.tracking.current import exit_code_of
from artstore.tracking.manners import RunExpected
from artstore.tracking.metrics import Metric, MetricRules
from artstore.tracking.runartifacts import RunArtifacts
from artstore.tracking.runfiles import RunFiles
from artstore.tracking.runsettings import RunSettings
from artstore.tracking.sessions import FILES, drop_into_inbox
from artstore.tracking.summary import Summary
from artstore.tracking.telling import tell_user
from artstore.tracking.values import Converter, Deferred

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.tracking.recording import Recording
    from artstore.tracking.rowgroups import LoggedRows
    from artstore.tracking.watching import Watched

__all__ = ["Run"]

"""What a shell says of a program that Ctrl-C ended."""
_SHARED: Final = ("used", "logged", "linked")
"""Changes that a forked child leaves for its parent."""


class Run(RunArtifacts, RunExpected):
    """
    One execution of a program, as `init` gives it. Threads may share it.

    Everything goes to a journal on this machine first, and from there to the store in the
    background. In a forked child a run is quiet: it takes what is logged and keeps nothing.

    Attributes:
        id: of the run, unique in its project.
        config: what it was started with.
        summary: one value for each metric.
    """

    def __init__(
        self,
        *,
        run_id: str,
        project: str,
        facts: Mapping[str, Any],
        settings: RunSettings,
        store_settings: Settings,
        recording: Recording | None,
        earlier: Mapping[str, Any],
        may_change_config: bool = False,
    ) -> None:
        self.id = run_id
        self.project = project
        self.settings = settings
        self._texts: dict[str, str | None] = {
            name: facts.get(name) for name in ("name", "notes", "group", "job_type")
        }
        self._tags: tuple[str, ...] = tuple(facts.get("tags") or ())
        self._store_settings = store_settings
        self._recording = recording
        self._is_recording = recording is not None
        self._generation = forks.generation()
        self._parent: Recording | None = None
        self._is_told_of_fork = False
        self._ended_by_exit = False
        self._watched: list[Watched] = []
        self._started = clock.now_seconds()
        self.resumed = bool(earlier)
        self.starting_step = recording.recorder.step if recording else 0
        self._quiet_step = 0
        self._depth = 1
        self._depths: list[int] = []
        self._is_over = False
        self._state = "running"
        self._is_preempting = False
        self._ending: threading.Lock = forks.new_lock()
        self._on_finish: list[Callable[[Run], None]] = []
        self._converter = Converter(self._tell, self._stored_value)
        self._rules = MetricRules(self._note, earlier.get("metrics"))
        self.config = Config(
            earlier.get("config"),
            on_change=self._note,
            use=self._use_in_config,
            tell=self._tell,
            may_change=may_change_config,
        )
        self.summary = Summary(
            self._rules,
            pull=recording.recorder.flush if recording else None,
            on_change=self._note,
            store=self._stored_value,
            tell=self._tell,
            earlier=earlier.get("summary"),
        )
        self._files = RunFiles(self._directory, self._push_files, self._tell)
        if recording is not None:
            recording.with_each_step(self._files.step)
            recording.begin(self._convert_row, self._take_rows)

    def __repr__(self) -> str:
        return f"Run({self.project}/{self.id}, {self.state})"

    # what it is ------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What people call it."""
        return self._texts["name"] or self.id

    @name.setter
    def name(self, text: str) -> None:
        self._set_fact("name", text)

    @property
    def notes(self) -> str | None:
        """What a person wrote about it."""
        return self._texts["notes"]

    @notes.setter
    def notes(self, text: str | None) -> None:
        self._set_fact("notes", text)

    @property
    def tags(self) -> tuple[str, ...]:
        """Words attached to it: `run.tags += ("best",)`."""
        return self._tags

    @tags.setter
    def tags(self, words: Any) -> None:
        given = (words,) if isinstance(words, str) else tuple(words or ())
        self._tags = tuple(dict.fromkeys(str(word) for word in given))
        self._note({"tags": sorted(self._tags)})

    @property
    def group(self) -> str | None:
        """What it is one of several runs of."""
        return self._texts["group"]

    @property
    def job_type(self) -> str | None:
        """What it does: `train`, `eval`."""
        return self._texts["job_type"]

    @property
    def path(self) -> str:
        """`project/id`."""
        return f"{self.project}/{self.id}"

    @property
    def url(self) -> str | None:
        """Where the page shows it, below the address of `art serve`; None if it is not recorded."""
        return f"/p/{self.project}/runs/{self.id}" if self._is_recording else None

    @property
    def dir(self) -> str:
        """A directory of its own for the program's files; made when it is asked for."""
        directory = self._directory()
        directory.mkdir(parents=True, exist_ok=True)
        return str(directory)

    @property
    def start_time(self) -> float:
        """When it began, seconds since the epoch."""
        return self._started

    @property
    def step(self) -> int:
        """The step of the next row."""
        return self._recording.recorder.step if self._recording else self._quiet_step

    @property
    def disabled(self) -> bool:
        """Whether nothing of it is kept: mode `disabled`, or a rank above 0."""
        return not self._is_recording

    @property
    def state(self) -> str:
        """`running`, or how it ended."""
        return self._state

    def _set_fact(self, name: str, value: str | None) -> None:
        self._texts[name] = value
        self._note({name: value})

    # logging ---------------------------------------------------------------------------

    def log(
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        commit: bool | None = None,  # noqa: FBT001 - W&B's
        sync: bool | None = None,  # noqa: ARG002, FBT001 - W&B's, and without a meaning there too
    ) -> None:
        """
        Add a row to the history.

        Args:
            data: numbers, texts, tensors without dimensions, media, tables, nested dicts.
            step: of the row, not below that of the row before; the next one if left out.
            commit: False keeps the row open: what is logged next belongs to it.
        Raises:
            InvalidInputError: `value-invalid`, keys that are no text.
            StateError: `run-finished`.
        Cost: some microseconds for scalars; a table or picture is stored before this returns.
        """
        if self._recording is not None:
            if self._is_over:
                if self._ended_by_exit:
                    # A thread that goes on while the process ends.
                    return
                raise self._finished("log")
            if self._rules.is_completing:
                # Metrics that are drawn against another get the value that one had last.
                data = self._convert_row(data)
            self._recording.recorder.log(data, step, commit)
        else:
            self._say_quiet()
            if commit is not False:
                self._quiet_step = (self._quiet_step if step is None else step) + 1

    def define_metric(  # noqa: PLR0917 - W&B's
        self,
        name: str,
        step_metric: str | Metric | None = None,
        step_sync: bool | None = None,  # noqa: FBT001 - W&B's
        hidden: bool | None = None,  # noqa: FBT001 - W&B's
        summary: str | None = None,
        goal: str | None = None,
        overwrite: bool | None = None,  # noqa: FBT001 - W&B's
    ) -> Metric:
        """
        Say how a metric is summarised, and against what it is drawn.

        Args:
            name: a key, or its beginning and `*`.
            summary: `min`, `max`, `mean`, `last`, `first`, `best`, `copy`, `none`, with commas.
        Raises:
            InvalidInputError: `metric-invalid`.
        """
        return self._rules.define(name, step_metric, step_sync, hidden, summary, goal, overwrite)

    def alert(
        self,
        title: str,
        text: str = "",
        level: Any = None,
        wait_duration: Any = None,
    ) -> None:
        """
        Keep a message on the run, and send it where the user's own settings say.

        Args:
            title: what happened; at most one alert of a title in `wait_duration`.
            level: INFO, WARN or ERROR.
            wait_duration: seconds, or a timedelta; a minute if left out.
        Raises:
            InvalidInputError: `value-invalid`.
        """
        if self._recording is not None:
            sent = self._recording.alert(self, title, text, level, wait_duration)
            if sent is not None:
                self._note({"alerts": [sent]})

    # files -----------------------------------------------------------------------------

    def save(
        self,
        glob_str: str | os.PathLike[str] | None = None,
        base_path: str | os.PathLike[str] | None = None,
        policy: str = "live",
        glob: bool = True,  # noqa: FBT001, FBT002 - W&B's
    ) -> list[str]:
        """
        Keep files with the run: they are put into `run.dir`, which is stored when it ends.

        Args:
            glob_str: a path, or a pattern of several; a directory stands for all below it.
            base_path: what paths are told from; the working directory, or for an absolute
                pattern its last directory without a wildcard.
            policy: `now` stores them at once, `end` at the end, `live` also with each step of
                the store at which they have changed.
            glob: False: `glob_str` is a path, whatever characters it has.
        Returns:
            their paths in `run.dir`.
        Raises:
            InvalidInputError: `value-invalid`.
            As `Store.log_artifact`, with `now`.
        """
        if glob_str is None or self._recording is None:
            return []
        return self._files.save(glob_str, base_path, policy, is_literal=not glob)

    def restore(
        self,
        name: str,
        run_path: str | None = None,
        replace: bool = False,  # noqa: FBT001, FBT002 - W&B's
        root: str | os.PathLike[str] | None = None,
    ) -> TextIO:
        """
        Fetch a file that a run has saved, and open it.

        Args:
            run_path: `project/id`, or `id`; this run if left out.
            replace: fetch it although it is there.
            root: where to put it; `run.dir` if left out.
        Raises:
            NotFoundError: `artifact-not-found`, `entry-not-found`.
        """
        from artstore.tracking.runfiles import fetch_file

        path = run_path or self.path
        return fetch_file(self._store(), path, name, Path(root or self.dir), replace=replace)

    # modules of torch ------------------------------------------------------------------

    def watch(  # noqa: PLR0917 - W&B's
        self,
        models: Any,
        criterion: Any = None,  # noqa: ARG002 - W&B's, for its graph
        log: str | None = "gradients",
        log_freq: int = 1000,
        idx: int | None = None,
        log_graph: bool = False,  # noqa: FBT001, FBT002 - W&B's
    ) -> None:
        """
        Log histograms of the gradients and parameters of modules of torch.

        Args:
            models: a module, or several.
            log: `gradients`, `parameters`, `all`, None for nothing.
            log_freq: every so many backward passes.
            idx: the number of the first module in the names of metrics.
            log_graph: without effect.
        Raises:
            InvalidInputError: `value-invalid`.
        Cost: a pass over all gradients, and one row, every `log_freq` backward passes.
        """
        from artstore.tracking.watching import watch

        if log_graph:
            self._tell("watch(log_graph=True): graphs are not recorded")
        if self._recording is not None:
            self._watched += watch(self, models, log, log_freq, idx or 0)

    def unwatch(self, models: Any = None) -> None:
        """Stop logging of these modules; of all if None."""
        from artstore.tracking.watching import unwatch

        self._watched = unwatch(self._watched, models)

    def write_logs(self, text: str) -> None:
        """Keep a piece of text among what was printed, without printing it."""
        if self._recording is not None:
            self._recording.write_logs(text)

    def mark_preempting(self) -> None:
        """Say that the scheduler is about to end this process: it ends as `preempted`."""
        self._is_preempting = True

    def status(self) -> dict[str, Any]:
        """What is known about it now."""
        return {"state": self.state, "step": self.step, "path": self.path}

    # its end ---------------------------------------------------------------------------

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:  # noqa: ARG002, FBT001 - W&B's
        """
        End the run and wait until the store has it.

        Within a run that was entered again it is the outermost end that counts. Twice is once.

        Args:
            exit_code: 0 for success.
        """
        self._depth -= 1
        if self._depth > 0:
            return
        code = exit_code or 0
        self.end("finished" if code == 0 else "failed", code)

    def end(self, state: str, exit_code: int | None, *, at_exit: bool = False) -> None:
        """
        End it with a state, however deep it was entered. Twice is once.

        Args:
            at_exit: threads that go on logging are not told that it has ended.
        """
        if not self.is_of_this_process():
            return
        with self._ending:
            if self._is_over:
                return
            self.config.persist()
            if self._recording is not None:
                self._files.finish()
            self._ended_by_exit = at_exit
            self._is_over = True
        if self._is_preempting:
            state = "preempted"
        self._state = state
        try:
            if self._recording is not None:
                self._recording.end(self, state, exit_code)
        finally:
            for forget in self._on_finish:
                forget(self)

    def preempt(self) -> None:
        """Have all of it stored as `preempted`: the process was told to end."""
        self._is_preempting = True
        if self._recording is not None:
            self._recording.preempt()

    def __enter__(self) -> Self:
        self._depths.append(self._depth)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What began again within the block and never finished does not keep it from ending.
        self._depth = min(self._depth, self._depths.pop())
        if kind is None:
            self.finish()
        elif self._depth > 1:
            self._depth -= 1
        elif issubclass(kind, KeyboardInterrupt):
            self.end("killed", INTERRUPTED)
        else:
            code = exit_code_of(error.code) if isinstance(error, SystemExit) else 1
            self.finish(code)

    # inside ----------------------------------------------------------------------------

    def enter_again(self) -> Run:
        """What a nested init gives: this run, which then ends one `finish` later."""
        self._depth += 1
        return self

    @property
    def is_entered(self) -> bool:
        """Whether a `with` statement of it is going on."""
        return bool(self._depths)

    def on_finish(self, forget: Callable[[Run], None]) -> None:
        """Have `forget` called when it has ended."""
        self._on_finish.append(forget)

    def is_of_this_process(self) -> bool:
        """Whether this process began it, and not the one that it was forked by."""
        return self._generation == forks.generation()

    def hush(self) -> None:
        """In a forked child: keep nothing of what is logged; the parent does that."""
        if self._recording is not None:
            self._parent, self._recording = self._recording, None

    def _push_files(self) -> None:
        from artstore.tracking.runfiles import draft_of_files

        draft = draft_of_files(self.id, self._directory())
        if draft is not None:
            self.log_artifact(draft)

    def shown_by(self) -> str:
        """What shows it: a command line, and the address below that of the page."""
        import shlex

        settings = self._store_settings
        command = ["art", "serve"]
        if settings.url_origin not in (DEFAULT_ORIGIN, str(settings.user_file)):
            command += ["--store", settings.url]
        return f"to see it: {shlex.join(command)}, then {self.url}"

    def _say_quiet(self) -> None:
        if self._parent is not None and not self._is_told_of_fork:
            self._is_told_of_fork = True
            self._tell(
                f"process {os.getpid()} was forked: what it logs is not part of run {self.path}"
            )

    def _directory(self) -> Path:
        recording = self._recording or self._parent
        if recording is not None:
            return recording.directory / FILES
        import tempfile

        return Path(tempfile.gettempdir()) / f"artstore-{os.getuid()}-{self.id}"

    def _store(self) -> Store:
        from artstore.defaultstore import store_of

        return store_of(self._store_settings)

    def _note(self, changes: Mapping[str, Any]) -> None:
        if self._recording is not None:
            if self._is_over:
                if self._ended_by_exit or changes.get("summary"):
                    return
                raise self._finished("change")
            self._recording.recorder.add_change(changes)
        elif self._parent is not None:
            shared = {name: changes[name] for name in _SHARED if name in changes}
            if shared:
                # The parent's run made and used them: it finds a note, as long as it lasts.
                with suppress(OSError):
                    drop_into_inbox(self._parent.directory, shared)
            else:
                self._say_quiet()

    def _finished(self, what: str) -> StateError:
        return StateError(
            f"run {self.path} has ended: it cannot {what} anything more",
            code="run-finished",
            hint="begin another one with init, or go on with init(id=..., resume='must')",
        )

    def _tell(self, sentence: str) -> None:
        if not self.settings.silent:
            tell_user(sentence)

    def _take_rows(self, rows: LoggedRows) -> None:
        self.summary.feed_rows(rows)

    def _convert_row(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        row = self._converter.row(data)
        return self._rules.complete(row) if self._rules.is_completing else row

    def _stored_value(self, key: str, value: Deferred) -> Any:
        if self._recording is None:
            return None
        return self._recording.store_value(self, key, value)

    def _use_in_config(self, value: Any) -> tuple[Any, Any] | None:
        from artstore.artifact import Artifact

        name = value.get("id") if isinstance(value, dict) else value
        if not isinstance(name, (str, Artifact)):
            return None
        if isinstance(name, str):
            name = name.removeprefix("wandb-artifact://").removeprefix("_id/")
        found = self.use_artifact(name)
        told = {
            "_type": "artifactVersion",
            "id": found.id,
            "artifact": found.qualified_name,
        }
        return told, found

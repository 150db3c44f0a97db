"""
The runs of this process that are going on, and the functions of the package that mean the newest.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from artstore.errors import INTERRUPTED, StateError
from artstore.tracking.runsettings import is_silent
from artstore.tracking.telling import tell_user

if TYPE_CHECKING:
    from artstore.artifact import Artifact
    from artstore.logged import LoggedArtifact
    from artstore.tracking.metrics import Metric
    from artstore.tracking.run import Run

__all__ = [
    "alert",
    "config",
    "define_metric",
    "enter",
    "exit_code_of",
    "finish",
    "finish_artifact",
    "link_artifact",
    "link_model",
    "log",
    "log_artifact",
    "log_code",
    "log_model",
    "mark_preempting",
    "own_run",
    "restore",
    "run",
    "save",
    "summary",
    "unwatch",
    "upsert_artifact",
    "use_artifact",
    "use_model",
    "watch",
]

_FAILED = 1
_runs: list[Run] = []
_is_hooked = False
_exit_codes: list[Any] = []
_is_told = False


def run() -> Run | None:
    """The run that began last and has not ended, None if there is none."""
    return _runs[-1] if _runs else None


def own_run() -> Run | None:
    """Likewise, of those that this process began: not its parent, if it was forked."""
    return next((one for one in reversed(_runs) if one.is_of_this_process()), None)


def enter(started: Run) -> None:
    """Make a run the current one, until it ends."""
    global _is_hooked  # noqa: PLW0603 - once a process
    _exit_codes.clear()
    _runs.append(started)
    started.on_finish(_leave)
    if not _is_hooked:
        _is_hooked = True
        _hook()


def _leave(ended: Run) -> None:
    if ended in _runs:
        _runs.remove(ended)


def _hook() -> None:
    """End runs with the process: as failed, if an exception ended it, or an exit code says so."""
    import atexit

    leave = sys.exit

    def exit_with(status: Any = None, /) -> NoReturn:
        # What SystemExit carries is gone by the time when a process ends.
        if threading.current_thread() is threading.main_thread():
            _exit_codes.append(status)
        leave(status)

    sys.exit = exit_with
    os.register_at_fork(after_in_child=_hush)
    # Not at interpreter exit alone: threads cannot be started any more by then.
    register = getattr(threading, "_register_atexit", None)
    (register or atexit.register)(_end_all)


def _hush() -> None:
    for one in _runs:
        one.hush()


def _end_all() -> None:
    state, code = _how_it_ends()
    for one in list(reversed(_runs)):
        one.end(state, code, at_exit=True)


def _how_it_ends() -> tuple[str, int]:
    """What the end of the process says of its runs."""
    # Set for the exception that ends a program; where people type, for any.
    error = getattr(sys, "last_value", None)
    if error is not None and not hasattr(sys, "ps1") and "IPython" not in sys.modules:
        if isinstance(error, KeyboardInterrupt):
            return "killed", INTERRUPTED
        return "failed", _FAILED
    code = exit_code_of(_exit_codes[-1]) if _exit_codes else 0
    return "finished" if code == 0 else "failed", code


def exit_code_of(status: Any) -> int:
    """The exit code that `sys.exit(status)` leads to."""
    if status is None:
        return 0
    return status if isinstance(status, int) else _FAILED


def _active(what: str) -> Run:
    """
    The current run.

    Raises:
        StateError: `run-not-active`.
    """
    found = run()
    if found is None:
        raise StateError(
            f"there is no run: {what} needs one",
            code="run-not-active",
            hint="call artstore.init() first",
        )
    return found


class CurrentPart:
    """
    `config` or `summary` of whichever run is the current one.

    Whatever is asked of it raises StateError `run-not-active` where there is none.
    """

    __slots__ = ("_name",)

    _name: str

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "_name", name)

    def _now(self) -> Any:
        return getattr(_active(self._name), self._name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # What inspection asks for must not need a run.
            raise AttributeError(name)
        return getattr(self._now(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._now(), name, value)

    def __getitem__(self, key: str) -> Any:
        return self._now()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._now()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._now()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._now()

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def __repr__(self) -> str:
        return repr(self._now()) if _runs else f"<{self._name} of no run>"


config = CurrentPart("config")
summary = CurrentPart("summary")


def log(
    data: Mapping[str, Any],
    step: int | None = None,
    commit: bool | None = None,  # noqa: FBT001 - W&B's
    sync: bool | None = None,  # noqa: FBT001 - W&B's
) -> None:
    """As `Run.log`, of the current run."""
    _active("log").log(data, step, commit, sync)


def define_metric(name: str, *args: Any, **kwargs: Any) -> Metric:
    """As `Run.define_metric`, of the current run."""
    return _active("define_metric").define_metric(name, *args, **kwargs)


def alert(title: str, text: str = "", level: Any = None, wait_duration: Any = None) -> None:
    """As `Run.alert`, of the current run."""
    _active("alert").alert(title, text, level, wait_duration)


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:  # noqa: FBT001 - W&B's
    """End the current run, if there is one."""
    found = run()
    if found is not None:
        found.finish(exit_code, quiet)


def log_artifact(
    artifact_or_path: Artifact | str | os.PathLike[str],
    name: str | None = None,
    type: str | None = None,  # noqa: A002 - W&B's
    aliases: Sequence[str] | str | None = None,
    tags: Sequence[str] | str | None = None,
) -> LoggedArtifact:
    """
    Log a draft, or a file, directory or URL: by the current run, if there is one.

    As `Run.log_artifact`; without a run as `Store.log_artifact`, into the default store.
    """
    found = run()
    if found is not None:
        return found.log_artifact(artifact_or_path, name, type, aliases, tags)
    from artstore.defaultstore import default_store
    from artstore.tracking.joining import made_by, note_logged

    store = default_store()
    made = store.log_artifact(artifact_or_path, name, type, aliases, tags, run=made_by(store.url))
    note_logged(made, store.url)
    return made


def use_artifact(
    artifact_or_name: Artifact | str,
    type: str | None = None,  # noqa: A002 - W&B's
    aliases: Sequence[str] | str | None = None,
    use_as: str | None = None,
) -> LoggedArtifact:
    """
    Find a version; the current run, if there is one, notes that it used it.

    As `Run.use_artifact`; without a run as `Store.use_artifact`, in the default store, and it
    says once that no lineage is recorded.
    """
    found = run()
    if found is not None:
        return found.use_artifact(artifact_or_name, type, aliases, use_as)
    from artstore.defaultstore import default_store
    from artstore.tracking.joining import note_used

    store = default_store()
    version = store.use_artifact(artifact_or_name, type, aliases)
    asked = artifact_or_name if isinstance(artifact_or_name, str) else None
    if note_used(version, store.url, "use_artifact", asked=asked) is None:
        _tell_no_lineage()
    return version


def link_artifact(
    artifact: Artifact, target_path: str, aliases: Sequence[str] | None = None
) -> LoggedArtifact:
    """As `Run.link_artifact`, of the current run."""
    return _active("link_artifact").link_artifact(artifact, target_path, aliases)


def log_model(
    path: str | os.PathLike[str], name: str | None = None, aliases: Sequence[str] | None = None
) -> LoggedArtifact:
    """As `Run.log_model`, of the current run."""
    return _active("log_model").log_model(path, name, aliases)


def use_model(name: str) -> str:
    """As `Run.use_model`, of the current run."""
    return _active("use_model").use_model(name)


def link_model(
    path: str | os.PathLike[str],
    registered_model_name: str,
    name: str | None = None,
    aliases: Sequence[str] | None = None,
) -> LoggedArtifact:
    """As `Run.link_model`, of the current run."""
    return _active("link_model").link_model(path, registered_model_name, name, aliases)


def save(
    glob_str: str | os.PathLike[str] | None = None,
    base_path: str | os.PathLike[str] | None = None,
    policy: str = "live",
    glob: bool = True,  # noqa: FBT001, FBT002 - W&B's
) -> list[str]:
    """As `Run.save`, of the current run."""
    return _active("save").save(glob_str, base_path, policy, glob)


def restore(
    name: str,
    run_path: str | None = None,
    replace: bool = False,  # noqa: FBT001, FBT002 - W&B's
    root: str | os.PathLike[str] | None = None,
) -> TextIO:
    """As `Run.restore`, of the current run; without one it needs `run_path`."""
    found = run()
    if found is None and run_path is not None:
        from pathlib import Path

        from artstore.defaultstore import default_store
        from artstore.tracking.runfiles import fetch_file

        return fetch_file(default_store(), run_path, name, Path(root or "."), replace=replace)
    return _active("restore").restore(name, run_path, replace, root)


def log_code(
    root: str | os.PathLike[str] | None = ".",
    name: str | None = None,
    include_fn: Callable[..., bool] | None = None,
    exclude_fn: Callable[..., bool] | None = None,
) -> LoggedArtifact | None:
    """As `Run.log_code`, of the current run."""
    return _active("log_code").log_code(root, name, include_fn, exclude_fn)


def watch(models: Any, *args: Any, **kwargs: Any) -> None:
    """As `Run.watch`, of the current run."""
    _active("watch").watch(models, *args, **kwargs)


def unwatch(models: Any = None) -> None:
    """As `Run.unwatch`, of the current run."""
    _active("unwatch").unwatch(models)


def upsert_artifact(
    artifact_or_path: Artifact | str | os.PathLike[str], *args: Any, **kwargs: Any
) -> LoggedArtifact:
    """As `Run.upsert_artifact`, of the current run."""
    return _active("upsert_artifact").upsert_artifact(artifact_or_path, *args, **kwargs)


def finish_artifact(
    artifact_or_path: Artifact | str | os.PathLike[str], *args: Any, **kwargs: Any
) -> LoggedArtifact:
    """As `Run.finish_artifact`, of the current run."""
    return _active("finish_artifact").finish_artifact(artifact_or_path, *args, **kwargs)


def mark_preempting() -> None:
    """As `Run.mark_preempting`, of the current run."""
    _active("mark_preempting").mark_preempting()


def _tell_no_lineage() -> None:
    global _is_told  # noqa: PLW0603 - once a process
    if _is_told or is_silent():
        return
    _is_told = True
    tell_user("no run is going on, so no lineage is recorded; artstore.init() begins one")

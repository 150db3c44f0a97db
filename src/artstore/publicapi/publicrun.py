"""
A run of a store as W&B's public API has it: what `Api.run` and `Artifact.logged_by` give.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from artstore.artifact import Artifact
from artstore.catalog.runs.format import files_collection
from artstore.catalog.runs.state import seconds_of
from artstore.errors import InvalidInputError, NotFoundError
from artstore.publicapi.listed import Listed
from artstore.publicapi.runfiles import RunFile
from artstore.publicapi.unoffered import Unoffered
from artstore.runs.names import fact_of
from artstore.runs.storedrun import StoredRun
from artstore.versions.runrecords import logged_record, used_record

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.logged import LoggedArtifact

__all__ = ["PublicRun", "Summary"]

_OWN_COLUMNS: Final = ("_step", "_timestamp", "_runtime")
_STREAMS: Final = ("default", "system", "events")


class Summary(dict[str, Any]):
    """
    The summary of a run: `update` writes what it is given, and what was set before.

    Args:
        derived: gives `_step`, `_runtime` and `_timestamp`, which can be asked for and are not
            listed.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        write: Callable[[], object],
        derived: Callable[[str], Any] = lambda _: None,
    ) -> None:
        super().__init__(values)
        self._write = write
        self._derived = derived

    def __missing__(self, key: str) -> Any:
        found = self._derived(key)
        if found is None:
            raise KeyError(key)
        return found

    @property
    def _json_dict(self) -> dict[str, Any]:
        # Documented at W&B for exports: what there is, as a plain dict.
        return dict(self)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the summary has no {name!r}") from None

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, also of one within others: `loss.min`."""
        found = _nested(self, key, None)
        if found is None and key not in self:
            found = self._derived(key)
        return default if found is None and key not in self else found

    def update(self, *values: Any, **named: Any) -> None:
        """Set values, and write all that was set into the run."""
        super().update(*values, **named)
        self._write()


class PublicRun(Unoffered, StoredRun):
    """
    A run in a store, with the names of W&B.

    What is set on it (`name`, `notes`, `tags`, `config`, `summary`) is written by `update`.
    """

    _instead: ClassVar = {
        "upload_file": "log the file as an artifact: log_artifact",
        "download_history_exports": "use history_table, which gives Arrow",
        "beta_scan_history": "use scan_history",
        "console_logs": "use console",
        "stop": "only the process of a run can end it",
        "to_html": "art serve shows it",
    }

    def __init__(self, store: Callable[[], Store], stored: StoredRun) -> None:
        super().__init__(
            stored._storage,  # noqa: SLF001 - it is the same run
            stored._index,  # noqa: SLF001
            stored.project,
            stored.id,
            stored.facts,
        )
        self._open_store = store
        self._set: dict[str, Any] = {}

    # what it is ------------------------------------------------------------------------

    def _text(self, name: str) -> Any:
        return self._set.get(name, self.facts[name])

    @property
    def name(self) -> str:
        """What people call it."""
        return self._text("name") or self.id

    @name.setter
    def name(self, text: str) -> None:
        self._set["name"] = text

    display_name = name
    displayName = name  # noqa: N815 - W&B's

    @property
    def notes(self) -> str | None:
        """What a person wrote about it."""
        text: str | None = self._text("notes")
        return text

    @notes.setter
    def notes(self, text: str | None) -> None:
        self._set["notes"] = text

    description = notes

    @property
    def group(self) -> str | None:
        """What it is one of several runs of."""
        text: str | None = self._text("group")
        return text

    @group.setter
    def group(self, text: str | None) -> None:
        self._set["group"] = text

    @property
    def job_type(self) -> str | None:
        """`train`, `eval`."""
        text: str | None = self._text("job_type")
        return text

    jobType = job_type  # noqa: N815 - W&B's

    @property
    def tags(self) -> list[str]:
        """May be changed in place."""
        words: list[str] = self._set.setdefault("tags", list(self.facts["tags"]))
        return words

    @tags.setter
    def tags(self, words: Sequence[str]) -> None:
        self._set["tags"] = list(words)

    @property
    def config(self) -> dict[str, Any]:
        """What it was started with; may be changed in place."""
        values: dict[str, Any] = self._set.setdefault("config", super().config)
        return values

    @property
    def rawconfig(self) -> dict[str, Any]:
        """As `config`."""
        return self.config

    @property
    def summary(self) -> Summary:
        """One value for each metric; may be changed in place."""
        if "summary" not in self._set:
            self._set["summary"] = Summary(super().summary, self.update, self._derived)
        values: Summary = self._set["summary"]
        return values

    summary_metrics = summary

    def _derived(self, key: str) -> Any:
        """What W&B keeps in a summary beside the metrics."""
        if key == "_step":
            return self.lastHistoryStep if self.lastHistoryStep >= 0 else None
        if key == "_runtime":
            return fact_of(self.whole, "duration")
        return seconds_of(self.heartbeat_at) or None if key == "_timestamp" else None

    @property
    def json_config(self) -> str:
        """`config` as JSON, each value within `{"value": ...}` as W&B has it."""
        return json.dumps({name: {"value": value} for name, value in self.config.items()})

    @property
    def sweep(self) -> None:
        """None: sweeps are not part of a store."""
        return

    @property
    def entity(self) -> str:
        """Empty: a store has no teams."""
        return ""

    @property
    def path(self) -> list[str]:
        """`[entity, project, id]`, as W&B has it."""
        return [self.entity, self.project, self.id]

    @property
    def url(self) -> str:
        """Where the page shows it, below the address of `art serve`."""
        return f"/p/{self.project}/runs/{self.id}"

    @property
    def storage_id(self) -> str:
        """The id."""
        return self.id

    @property
    def created_at(self) -> str:
        """UTC, `2026-01-31T12:00:00Z`."""
        return self.facts["created"] or ""

    createdAt = created_at  # noqa: N815 - W&B's

    @property
    def heartbeat_at(self) -> str:
        """When its log last told something."""
        return self.facts["updated"] or ""

    heartbeatAt = heartbeat_at  # noqa: N815 - W&B's

    @property
    def user(self) -> str | None:
        """Who started it."""
        sessions = self.facts["sessions"]
        return sessions[0].get("user") if sessions else None

    username = user

    @property
    def host(self) -> str | None:
        """The machine that it ran on."""
        text: str | None = fact_of(self.whole, "host")
        return text

    @property
    def commit(self) -> str | None:
        """The commit of its program, if that lay in a git repository."""
        git = self.whole["environment"].get("git") or {}
        text: str | None = git.get("commit")
        return text

    @property
    def lastHistoryStep(self) -> int:  # noqa: N802 - W&B's
        """The last step that was logged, -1 if none was."""
        steps = [segment.get("last_step") for segment in self._segments("history")]
        return max((step for step in steps if type(step) is int), default=-1)

    @property
    def metadata(self) -> dict[str, Any]:
        """Process, machine and code, by W&B's names."""
        told = self.whole["environment"]
        git = told.get("git") or {}
        arguments = list(told.get("argv") or [])
        found = {
            "os": told.get("os"),
            "python": told.get("python"),
            "heartbeatAt": self.heartbeat_at,
            "startedAt": told.get("started"),
            "args": arguments,
            "state": self.state,
            "program": told.get("program"),
            "git": {"remote": git.get("remote"), "commit": git.get("commit")} if git else None,
            "root": told.get("cwd"),
            "host": told.get("host"),
            "username": told.get("user"),
            "executable": told.get("executable"),
            "cpu_count": told.get("cpu_count"),
            "memory": {"total": told["memory_bytes"]} if told.get("memory_bytes") else None,
            "gpus": told.get("gpus"),
        }
        return {name: value for name, value in found.items() if value is not None}

    # history ---------------------------------------------------------------------------

    def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,  # noqa: FBT001, FBT002 - W&B's
        stream: str = "default",
    ) -> Any:
        """
        Rows of the history, at most `samples`, evenly chosen and with the last one.

        Args:
            keys: only rows that have all of these, and only these columns.
            x_axis: the column that is always there.
            pandas: a DataFrame; a list of dicts if False.
            stream: `system`, or `events`, for the samples of the machine.
        Raises:
            InvalidInputError: `value-invalid`.
            StateError: `library-missing`, of pandas.
            DamagedDataError: `history-damaged`.
        Cost: reads the columns that are asked for.
        """
        if stream not in _STREAMS:
            raise InvalidInputError(
                f"stream={stream!r} is not one of {', '.join(_STREAMS)}", code="value-invalid"
            )
        rows = list(self._rows_of(stream, keys, x_axis))
        chosen = [rows[number] for number in _spread(len(rows), samples)]
        return _as_frame(chosen) if pandas else chosen

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,  # noqa: ARG002 - W&B's: of its requests
        min_step: int | None = None,
        max_step: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """
        All rows from `min_step` up to and without `max_step`.

        Args:
            keys: only rows that have all of these, and only these values. Without, each row
                has every key, None where nothing was logged.
        """
        if keys:
            yield from self._rows_with(keys, min_step, max_step)
            return
        table = self.history_table(min_step=min_step, max_step=max_step)
        names = [name for name in table.column_names if name not in _OWN_COLUMNS]
        empty = dict.fromkeys(names)
        from artstore.runs.history import rows_of

        for row in rows_of(table):
            yield self._with_runtime({**empty, **row})

    def _rows_with(
        self, keys: Sequence[str], min_step: int | None = None, max_step: int | None = None
    ) -> Iterator[dict[str, Any]]:
        stored = [key for key in keys if key not in _OWN_COLUMNS]
        for row in self.rows(stored, min_step=min_step, max_step=max_step):
            whole = self._with_runtime(row)
            if all(key in whole for key in keys):
                yield {key: whole[key] for key in keys}

    def _rows_of(
        self, stream: str, keys: Sequence[str] | None, x_axis: str
    ) -> Iterator[dict[str, Any]]:
        if stream in ("system", "events"):
            from artstore.runs.history import rows_of

            yield from rows_of(self.system_table())
        elif keys:
            yield from self._rows_with(list(dict.fromkeys([x_axis, *keys])))
        else:
            yield from (self._with_runtime(row) for row in self.rows())

    def _with_runtime(self, row: dict[str, Any]) -> dict[str, Any]:
        if "_timestamp" in row:
            row["_runtime"] = max(0.0, row["_timestamp"] - seconds_of(self.facts["created"]))
        return row

    # artifacts and files ---------------------------------------------------------------

    def logged_artifacts(self, per_page: int = 100) -> Listed[LoggedArtifact]:  # noqa: ARG002 - W&B's
        """The versions that it made; those that are deleted are left out."""
        return Listed(lambda: self.whole["logged"], self._version_of)

    def used_artifacts(self, per_page: int = 100) -> Listed[LoggedArtifact]:  # noqa: ARG002 - W&B's
        """The versions that it used; those that are deleted are left out."""
        return Listed(lambda: self.whole["used"], self._version_of)

    def use_artifact(self, artifact: LoggedArtifact, use_as: str | None = None) -> LoggedArtifact:
        """Note that it used a version. Cost: one entry in its log."""
        self._append(
            "edit", {"changes": {"used": [used_record(artifact, "use_artifact", use_as=use_as)]}}
        )
        return artifact

    def log_artifact(
        self,
        artifact: Artifact,
        aliases: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> LoggedArtifact:
        """
        Note that it made a version; a draft is stored first.

        Raises:
            As `Store.log_artifact`.
        """
        made = self._open_store().log_artifact(
            artifact, aliases=aliases, tags=tags, run=f"{self.project}/{self.id}"
        )
        self._append("edit", {"changes": {"logged": [logged_record(made)]}})
        return made

    def files(
        self,
        names: Sequence[str] | None = None,
        per_page: int = 50,  # noqa: ARG002 - W&B's
    ) -> Listed[RunFile]:
        """The files that it saved."""

        def find() -> list[RunFile]:
            saved = self._saved_files()
            found = [] if saved is None else [RunFile(entry) for entry in saved.files()]
            return [file for file in found if not names or file.name in names]

        return Listed(find)

    def file(self, name: str) -> RunFile:
        """
        One file that it saved.

        Raises:
            NotFoundError: `entry-not-found`.
        """
        found = self.files([name])
        if not found:
            raise NotFoundError(
                f"run {self.project}/{self.id} has saved no file {name!r}",
                code="entry-not-found",
                path=name,
            )
        return found[0]

    def _saved_files(self) -> LoggedArtifact | None:
        try:
            return self._open_store().artifact(f"{self.project}/{files_collection(self.id)}")
        except NotFoundError:
            return None

    def _version_of(self, record: Mapping[str, Any]) -> LoggedArtifact | None:
        if "store" in record:
            # Of another store, from which this run was brought without it.
            return None
        try:
            return self._open_store().artifact(f"{record['artifact']}:v{record['version']}")
        except NotFoundError:
            return None

    # changes ---------------------------------------------------------------------------

    def update(self) -> None:
        """Write what was set. Cost: one entry in its log, if anything was."""
        changes: dict[str, Any] = {}
        for name, value in self._set.items():
            if name in ("config", "summary"):
                before = getattr(StoredRun, name).fget(self)
                changed = {k: v for k, v in value.items() if k not in before or before[k] != v}
                changed |= dict.fromkeys(key for key in before if key not in value)
                if changed:
                    changes[name] = changed
            elif value != self.facts[name]:
                changes[name] = value
        if changes:
            self.edit(**changes)
        self._set = {name: self._set[name] for name in ("config", "summary") if name in self._set}

    save = update

    def load(self, force: bool = False) -> Self:  # noqa: ARG002, FBT001, FBT002 - W&B's
        """Ask the store again; what was set and not written is forgotten."""
        self.refresh()
        self._set.clear()
        return self

    def delete(self, delete_artifacts: bool = False) -> Self:  # noqa: FBT001, FBT002 - W&B's
        """
        Hide it from lists; `restore` takes that back.

        Args:
            delete_artifacts: delete the versions that it made, too, aliases or not.
        """
        if delete_artifacts:
            for version in self.logged_artifacts():
                version.delete(delete_aliases=True)
        super().delete()
        return self

    def wait_until_finished(self) -> None:
        """Wait until it runs no more. Cost: one scan a second."""
        self.wait()
        self._set.clear()


def _nested(values: Mapping[str, Any], key: str, default: Any) -> Any:
    if key in values:
        return values[key]
    found: Any = values
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return default
        found = found[part]
    return found


def _spread(count: int, samples: int) -> list[int]:
    """At most `samples` of `count` numbers, evenly, the last one among them."""
    if samples <= 0:
        return []
    if count <= samples:
        return list(range(count))
    if samples == 1:
        return [count - 1]
    return [number * (count - 1) // (samples - 1) for number in range(samples)]


def _as_frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    from artstore.tables.reading import frame_of_rows

    return frame_of_rows(rows)

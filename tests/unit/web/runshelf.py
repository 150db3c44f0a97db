"""
Runs as lists of the page meet them: written as entries of their logs, which is quick.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import artstore as art
from artstore import clock
from artstore.api import Store
from artstore.catalog.runs.runlog import RunLog
from artstore.runs.nonfinite import encoded
from tests.unit.web.shelves import FORMULA, SCRIPT

SESSION: Final = "0123456789abcdef"
STARTED: Final = "2026-01-01T00:00:00Z"
ENDED: Final = "2026-01-01T01:02:03Z"
LONG: Final = "x" * 20_000
BIDI: Final = "\u202egnp.exe"


def add_run(
    store: Store,
    run_id: str,
    *,
    state: str = "finished",
    started: str = STARTED,
    ended: str = ENDED,
    project: str | None = None,
    **changes: Any,
) -> None:
    """
    One run.

    Args:
        state: `running` for one that goes on.
        changes: name, tags, config, summary, used, logged, environment, ...
    """
    stated: dict[str, Any] = {name: encoded(value) for name, value in changes.items()}
    fields: dict[str, Any] = {
        "session": SESSION,
        "is_primary": True,
        "started": started,
        "user": "ada",
        "host": "lab",
        "changes": stated,
    }
    if state == "running":
        next_by = clock.format_time(clock.now_seconds() + 3600)
        kind, fields = "start", {**fields, "next_by": next_by}
    else:
        code = 0 if state == "finished" else 1
        kind, fields = "end", {**fields, "ended": ended, "state": state, "exit_code": code}
    storage = store._guarded_storage()
    log = RunLog(storage, project or store.project, run_id, "ada")
    log.append(lambda _: (kind, fields))


def begin_store(store: Store) -> Store:
    """A store in which runs can be: something was pushed into it."""
    draft = art.Artifact("data", "dataset")
    with draft.new_file("a.txt") as file:
        file.write("a")
    store.log_artifact(draft)
    return store


def fill_runs(store: Store) -> Store:
    """
    Runs of the project `lab`.

    r0 .. r5   lr 0.1, 0.01, 0.001 in turn, acc 0 to 5 tenths, tags even/odd; r5 failed
    live       goes on
    odd        NaN, infinities, a list, an object, kinds that others have not
    evil       its name, keys and values mean harm
    gone       deleted
    """
    begin_store(store)
    for number, changes in enumerate(_plain_runs()):
        add_run(
            store,
            f"r{number}",
            state="failed" if number == 5 else "finished",
            started=f"2026-01-0{number + 1}T00:00:00Z",
            ended=f"2026-01-0{number + 1}T01:02:03Z",
            **changes,
        )
    add_run(store, "live", state="running", name="going on", config={"lr": 0.1}, tags=["odd"])
    odd = {"loss": float("nan"), "top": float("inf"), "low": float("-inf"), "list": [1, 2]}
    add_run(store, "odd", config={"lr": "fast", "optim": {"name": "adam", "a.b": 1}}, summary=odd)
    hostile = {SCRIPT: SCRIPT, "quote'\"`": FORMULA, "long": LONG, "bidi": BIDI, "a,b.c": 1, "": 0}
    add_run(
        store,
        "evil",
        name=f"{SCRIPT}{BIDI}",
        notes=SCRIPT,
        group=SCRIPT,
        job_type=FORMULA,
        tags=[SCRIPT, "it's"],
        config=hostile,
        summary={f"{SCRIPT}/x": SCRIPT},
        environment={"argv": [SCRIPT], "git": {"commit": SCRIPT}},
    )
    add_run(store, "gone", config={"lr": 5.0})
    store.run("lab/gone").delete()
    return store


def _plain_runs() -> Iterator[Mapping[str, Any]]:
    for number in range(6):
        yield {
            "name": f"run {number}",
            "group": "first" if number < 3 else "second",
            "job_type": "train",
            "tags": ["even" if number % 2 == 0 else "odd", "cnn"],
            "config": {"lr": (0.1, 0.01, 0.001)[number % 3], "seed": number, "same": 7},
            "summary": {"acc": number / 10, "val/loss": 1.0 - number / 10, "_step": number},
            "used": [{"artifact": "lab/data", "version": 0}],
            "logged": [{"artifact": "lab/model", "version": number, "is_new": True, "time": ENDED}],
            "environment": {
                "git": {"commit": f"{number % 2:040x}", "branch": "main"},
                "python": "cpython 3.11",
            },
        }

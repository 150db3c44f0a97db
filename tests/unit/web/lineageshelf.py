"""
Lineage as pages meet it: versions and runs written as entries of their logs, which is quick.
"""

from __future__ import annotations

from typing import Any, Final

import artstore as art
from artstore.api import Store
from artstore.catalog.requests import PublishRequest
from artstore.digest import digest_of
from tests.unit.web.runshelf import ENDED, add_run
from tests.unit.web.shelves import SCRIPT

BIDI: Final = "\u202e"
LONG: Final = "long " * 200
PROJECT: Final = "demo"


def add_versions(store: Store, name: str, count: int, kind: str = "model") -> None:
    """Versions of a collection, all with the files of demo/seed:v0, which has to be there."""
    catalog = store._place().catalog
    seed = catalog.state(PROJECT, "seed").versions[0]
    for number in range(count):
        request = PublishRequest(
            type=kind,
            digest=digest_of(f"{name} {number}".encode()).hex(),
            root=seed.root,
            push=digest_of(f"{number} {name}".encode()).hex()[:16],
            size_bytes=7,
            file_count=1,
            entry_count=1,
        )
        catalog.commit(PROJECT, name, request)


def add_step(store: Store, run_id: str, used: str, logged: str, **changes: Any) -> None:
    """A run of the project that used and logged versions: `digits:v0 files:v1`."""
    add_run(
        store,
        run_id,
        project=PROJECT,
        used=[_edge(one, alias=None) for one in used.split()],
        logged=[_edge(one, is_new=True, time=ENDED) for one in logged.split()],
        **changes,
    )


def _edge(text: str, **details: Any) -> dict[str, Any]:
    name, _, number = text.rpartition(":v")
    return {"artifact": f"{PROJECT}/{name}", "version": int(number), **details}


def fill_lineage(store: Store) -> Store:
    """
    Add to what `shelves.fill` logs:

    demo/seed:v0                    one file
    digits:v0 -> train -> model:v0  (tags `bad`; alias `best`)
    model:v0 -> sweep0 .. sweep5 -> swept:v0 .. v5, sweep5 failed
    swept:v3 -> check -> report:v0, which links to a file of model:v0; demo/seed:v0 -> check
    other/far:v0                    linked from swept:v1
    files:v0 (deleted) -> old       a run that used what is gone
    files:v2 -> evil -> hostile:v0  a run whose name means harm
    """
    draft = art.Artifact("seed", "seed")
    _put(draft, "seed.txt", "seed")
    store.log_artifact(draft)
    model = art.Artifact("model", "model")
    _put(model, "weights.bin", "weights")
    store.log_artifact(model, aliases=["best"], tags=["bad"], message="the first")
    for number in range(6):
        swept = art.Artifact("swept", "swept")
        _put(swept, "w.bin", str(number))
        store.log_artifact(swept)
    report = art.Artifact("report", "report")
    report.add_reference(store.artifact("model:v0").get_entry("weights.bin"), "weights.bin")
    _put(report, "told.txt", "told")
    store.log_artifact(report)
    store.artifact("swept:v1").link("other/far")
    environment = {"argv": ["train.py", "--lr", "1"], "git": {"commit": "c0ffee", "dirty": True}}
    add_step(
        store,
        "train",
        "digits:v0",
        "model:v0",
        name="lively cedar",
        job_type="train",
        summary={"acc": 0.75, "nan": float("nan"), "_step": 3, "nested": {"a": 1}},
        environment=environment,
    )
    for number in range(6):
        add_step(
            store,
            f"sweep{number}",
            "model:v0",
            f"swept:v{number}",
            job_type="sweep",
            state="failed" if number == 5 else "finished",
        )
    add_step(store, "check", "swept:v3 seed:v0", "report:v0", job_type="eval")
    add_step(store, "old", "files:v0", "")
    add_step(
        store,
        "evil",
        "files:v2",
        "hostile:v0",
        name=f"{SCRIPT}{BIDI}{LONG}",
        job_type=SCRIPT,
        summary={SCRIPT: SCRIPT, "long": LONG * 20},
        environment={"argv": [SCRIPT, LONG], "git": {"commit": SCRIPT}},
    )
    return store


def _put(draft: art.Artifact, path: str, text: str) -> None:
    with draft.new_file(path) as file:
        file.write(text)

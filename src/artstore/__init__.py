"""
artstore: versioned datasets, models and predictions in a directory or a bucket.

    import artstore as art

    a = art.Artifact("mnist", type="dataset")
    a.add_dir("data")
    art.log_artifact(a, aliases=["best"])
    art.use_artifact("mnist:best").download("out")

The store is the one that the settings name; `art.open_store(url)` opens another.

Names are loaded when they are first used (PEP 562), so that `import artstore` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from artstore._version import __version__

if TYPE_CHECKING:
    from artstore.api import Progress, Store, open_store
    from artstore.artifact import Artifact
    from artstore.catalog.retention import Retention
    from artstore.defaultstore import sql
    from artstore.errors import (
        AlreadyExistsError,
        ArtstoreError,
        ConflictError,
        DamagedDataError,
        DeniedError,
        InvalidInputError,
        LimitExceededError,
        NotFoundError,
        StateError,
        StorageError,
        UnavailableError,
        UnsupportedFormatError,
    )
    from artstore.logged import LoggedArtifact, PullResult, PushSummary
    from artstore.media.audio import Audio
    from artstore.media.bokeh import Bokeh
    from artstore.media.boxes import BoundingBoxes
    from artstore.media.classes import Classes
    from artstore.media.histogram import Histogram
    from artstore.media.html import Html
    from artstore.media.image import Image
    from artstore.media.masks import Mask
    from artstore.media.molecule import Molecule
    from artstore.media.plotly import Plotly
    from artstore.media.scene import Object3D
    from artstore.media.video import Video
    from artstore.publicapi.api import Api
    from artstore.runs.storedrun import StoredRun
    from artstore.syncing.report import SyncReport
    from artstore.syncing.storesync import sync
    from artstore.tables.diffs.comparing import diff_tables
    from artstore.tables.diffs.tablediff import TableDiff
    from artstore.tables.joined import JoinedTable
    from artstore.tables.partitioned import PartitionedTable
    from artstore.tables.table import Table
    from artstore.tracking.alerting import AlertLevel
    from artstore.tracking.config import Config
    from artstore.tracking.current import (
        alert,
        define_metric,
        finish,
        finish_artifact,
        link_artifact,
        link_model,
        log,
        log_artifact,
        log_code,
        log_model,
        mark_preempting,
        restore,
        save,
        unwatch,
        upsert_artifact,
        use_artifact,
        use_model,
        watch,
    )
    from artstore.tracking.manners import login, require, setup, teardown
    from artstore.tracking.run import Run
    from artstore.tracking.runsettings import RunSettings, Settings
    from artstore.tracking.starting import init
    from artstore.tracking.summary import Summary
    from artstore.versions.entries import ArtifactEntry
    from artstore.versions.labels import ArtifactTTL

    run: Run | None
    config: Config
    summary: Summary

    # The page lies above the package: who types a call of it knows that it takes anything.
    show: Any

__all__ = [
    "AlertLevel",
    "AlreadyExistsError",
    "Api",
    "Artifact",
    "ArtifactEntry",
    "ArtifactTTL",
    "ArtstoreError",
    "Audio",
    "Bokeh",
    "BoundingBoxes",
    "Classes",
    "ConflictError",
    "DamagedDataError",
    "DeniedError",
    "Histogram",
    "Html",
    "Image",
    "InvalidInputError",
    "JoinedTable",
    "LimitExceededError",
    "LoggedArtifact",
    "Mask",
    "Molecule",
    "NotFoundError",
    "Object3D",
    "PartitionedTable",
    "Plotly",
    "Progress",
    "PullResult",
    "PushSummary",
    "Retention",
    "Run",
    "RunSettings",
    "Settings",
    "StateError",
    "StorageError",
    "Store",
    "StoredRun",
    "SyncReport",
    "Table",
    "TableDiff",
    "UnavailableError",
    "UnsupportedFormatError",
    "Video",
    "__version__",
    "alert",
    "config",
    "define_metric",
    "diff_tables",
    "finish",
    "finish_artifact",
    "init",
    "link_artifact",
    "link_model",
    "log",
    "log_artifact",
    "log_code",
    "log_model",
    "login",
    "mark_preempting",
    "open_store",
    "require",
    "restore",
    "run",
    "save",
    "setup",
    "show",
    "sql",
    "summary",
    "sync",
    "teardown",
    "unwatch",
    "upsert_artifact",
    "use_artifact",
    "use_model",
    "watch",
]

_HOMES = {
    "AlertLevel": "artstore.tracking.alerting",
    "Api": "artstore.publicapi.api",
    "Artifact": "artstore.artifact",
    "ArtifactEntry": "artstore.versions.entries",
    "ArtifactTTL": "artstore.versions.labels",
    "Audio": "artstore.media.audio",
    "Bokeh": "artstore.media.bokeh",
    "BoundingBoxes": "artstore.media.boxes",
    "Classes": "artstore.media.classes",
    "Histogram": "artstore.media.histogram",
    "Html": "artstore.media.html",
    "Image": "artstore.media.image",
    "JoinedTable": "artstore.tables.joined",
    "LoggedArtifact": "artstore.logged",
    "Mask": "artstore.media.masks",
    "Molecule": "artstore.media.molecule",
    "Object3D": "artstore.media.scene",
    "PartitionedTable": "artstore.tables.partitioned",
    "Plotly": "artstore.media.plotly",
    "Progress": "artstore.api",
    "PullResult": "artstore.logged",
    "PushSummary": "artstore.logged",
    "Retention": "artstore.catalog.retention",
    "Run": "artstore.tracking.run",
    "RunSettings": "artstore.tracking.runsettings",
    "Settings": "artstore.tracking.runsettings",
    "Store": "artstore.api",
    "StoredRun": "artstore.runs.storedrun",
    "SyncReport": "artstore.syncing.report",
    "Table": "artstore.tables.table",
    "TableDiff": "artstore.tables.diffs.tablediff",
    "Video": "artstore.media.video",
    "alert": "artstore.tracking.current",
    "config": "artstore.tracking.current",
    "define_metric": "artstore.tracking.current",
    "diff_tables": "artstore.tables.diffs.comparing",
    "finish": "artstore.tracking.current",
    "finish_artifact": "artstore.tracking.current",
    "init": "artstore.tracking.starting",
    "link_artifact": "artstore.tracking.current",
    "link_model": "artstore.tracking.current",
    "log": "artstore.tracking.current",
    "log_artifact": "artstore.tracking.current",
    "log_code": "artstore.tracking.current",
    "log_model": "artstore.tracking.current",
    "login": "artstore.tracking.manners",
    "mark_preempting": "artstore.tracking.current",
    "open_store": "artstore.api",
    "require": "artstore.tracking.manners",
    "restore": "artstore.tracking.current",
    "save": "artstore.tracking.current",
    "setup": "artstore.tracking.manners",
    "show": "artstore.web.showing",
    "sql": "artstore.defaultstore",
    "sync": "artstore.syncing.storesync",
    "summary": "artstore.tracking.current",
    "teardown": "artstore.tracking.manners",
    "unwatch": "artstore.tracking.current",
    "upsert_artifact": "artstore.tracking.current",
    "use_artifact": "artstore.tracking.current",
    "use_model": "artstore.tracking.current",
    "watch": "artstore.tracking.current",
}

# What scripts written for W&B ask their package for besides: there, or told what to use instead.
_OF_WANDB = frozenset(
    [
        "AuthenticationError",
        "CommError",
        "Error",
        "Graph",
        "UsageError",
        "WaitTimeoutError",
        "agent",
        "apis",
        "controller",
        "data_types",
        "env",
        "integration",
        "keras",
        "launch",
        "plot",
        "plot_table",
        "sdk",
        "sweep",
        "termerror",
        "termlog",
        "termwarn",
        "util",
        "wandb_sdk",
    ]
)


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _OF_WANDB:
        return import_module("artstore.integrations.wandb_names").name_in_package(name)
    if name not in __all__:
        raise AttributeError(f"module 'artstore' has no attribute {name!r}")

    if name == "run":
        # The run that is going on: another one each time.
        return import_module("artstore.tracking.current").run()

    value = getattr(import_module(_HOMES.get(name, "artstore.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

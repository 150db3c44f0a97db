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
    from artstore.defaultstore import log_artifact, sql, use_artifact
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
    from artstore.tables.diffs.comparing import diff_tables
    from artstore.tables.diffs.tablediff import TableDiff
    from artstore.tables.joined import JoinedTable
    from artstore.tables.partitioned import PartitionedTable
    from artstore.tables.table import Table
    from artstore.versions.entries import ArtifactEntry
    from artstore.versions.labels import ArtifactTTL

    # The page lies above the package: who types a call of it knows that it takes anything.
    show: Any

__all__ = [
    "AlreadyExistsError",
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
    "StateError",
    "StorageError",
    "Store",
    "Table",
    "TableDiff",
    "UnavailableError",
    "UnsupportedFormatError",
    "Video",
    "__version__",
    "diff_tables",
    "log_artifact",
    "open_store",
    "show",
    "sql",
    "use_artifact",
]

_HOMES = {
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
    "Store": "artstore.api",
    "Table": "artstore.tables.table",
    "TableDiff": "artstore.tables.diffs.tablediff",
    "Video": "artstore.media.video",
    "diff_tables": "artstore.tables.diffs.comparing",
    "log_artifact": "artstore.defaultstore",
    "open_store": "artstore.api",
    "show": "artstore.web.showing",
    "sql": "artstore.defaultstore",
    "use_artifact": "artstore.defaultstore",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'artstore' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES.get(name, "artstore.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

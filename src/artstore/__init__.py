"""
artstore: versioned datasets, models and predictions in a directory or a bucket.

    import artstore as art

    store = art.open_store("file:///data/store")
    a = art.Artifact("mnist", type="dataset")
    a.add_dir("data")
    v = store.log_artifact(a, aliases=["best"])
    store.artifact("mnist:best").download("out")

Names are loaded when they are first used (PEP 562), so that `import artstore` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from artstore._version import __version__

if TYPE_CHECKING:
    from artstore.api import Progress, Store, open_store
    from artstore.artifact import Artifact
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

__all__ = [
    "AlreadyExistsError",
    "Artifact",
    "ArtstoreError",
    "ConflictError",
    "DamagedDataError",
    "DeniedError",
    "InvalidInputError",
    "LimitExceededError",
    "LoggedArtifact",
    "NotFoundError",
    "Progress",
    "PullResult",
    "PushSummary",
    "StateError",
    "StorageError",
    "Store",
    "UnavailableError",
    "UnsupportedFormatError",
    "__version__",
    "open_store",
]

_HOMES = {
    "Artifact": "artstore.artifact",
    "LoggedArtifact": "artstore.logged",
    "Progress": "artstore.api",
    "PullResult": "artstore.logged",
    "PushSummary": "artstore.logged",
    "Store": "artstore.api",
    "open_store": "artstore.api",
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

"""
What stands for W&B below `art run exec --as-wandb`: its names, which write the run of artstore.
"""

from __future__ import annotations

from typing import Any

try:
    from artstore.integrations.wandb_names import VERSION, attribute, names, set_up
except ModuleNotFoundError as error:
    raise ImportError(
        "`import wandb` is answered by artstore below `art run exec --as-wandb`, and this "
        f"Python cannot import artstore: {error}; install artstore into it"
    ) from error

__version__ = VERSION

set_up(__name__)


def __getattr__(name: str) -> Any:
    return attribute(name)


def __dir__() -> list[str]:
    return names()

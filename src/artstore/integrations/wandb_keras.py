"""
Callbacks for Keras with the names that W&B gives them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import artstore

__all__ = ["WandbCallback", "WandbMetricsLogger", "WandbModelCheckpoint"]

# By its name: Keras is installed where it is used, and nowhere else. To mypy its classes are Any.
_callbacks: Any = import_module("keras").callbacks
_Callback: Any = _callbacks.Callback
_ModelCheckpoint: Any = _callbacks.ModelCheckpoint


def _running() -> Any:
    return artstore.run or artstore.init()


class WandbMetricsLogger(_Callback):  # type: ignore[misc]
    """
    Logs the metrics of each epoch as `epoch/<name>`, and of batches as `batch/<name>`.

    Args:
        log_freq: `epoch`, `batch`, or after how many batches.
    """

    def __init__(
        self, log_freq: str | int = "epoch", initial_global_step: int = 0, *_: Any, **__: Any
    ) -> None:
        super().__init__()
        self._every = 1 if log_freq == "batch" else log_freq if isinstance(log_freq, int) else None
        self._batch = initial_global_step

    def on_train_begin(self, logs: Any = None) -> None:
        """Say which axes the metrics have."""
        del logs
        run = _running()
        run.define_metric("epoch/epoch")
        run.define_metric("epoch/*", step_metric="epoch/epoch")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log an epoch."""
        told = {f"epoch/{name}": float(value) for name, value in (logs or {}).items()}
        _running().log({**told, "epoch/epoch": epoch})

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Log a batch, if that is wanted."""
        del batch
        self._batch += 1
        if self._every and self._batch % self._every == 0:
            told = {f"batch/{name}": float(value) for name, value in (logs or {}).items()}
            _running().log({**told, "batch/batch_step": self._batch})


class WandbCallback(_Callback):  # type: ignore[misc]
    """Logs the metrics of each epoch under their own names. Other arguments mean nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log an epoch."""
        told = {name: float(value) for name, value in (logs or {}).items()}
        _running().log({**told, "epoch": epoch})


class WandbModelCheckpoint(_ModelCheckpoint):  # type: ignore[misc]
    """As that of Keras, and every file that it writes is a version of `run_<id>_model`."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write a checkpoint and log it."""
        super().on_epoch_end(epoch, logs)
        path = self._get_file_path(epoch, None, logs)
        run = _running()
        if artstore.run is not None:
            run.log_model(path, f"run_{run.id}_model", [f"epoch_{epoch}"])

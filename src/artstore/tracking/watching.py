"""
Histograms of the gradients and parameters of modules of torch, which is not imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from artstore.errors import InvalidInputError

if TYPE_CHECKING:
    from artstore.tracking.run import Run

__all__ = ["LOGS", "Watched", "unwatch", "watch"]

LOGS: Final = ("gradients", "parameters", "all")


@dataclass(slots=True)
class Watched:
    """A module that is watched, and what ends that."""

    model: Any
    hooks: list[Any]


def watch(run: Run, models: Any, log: str | None, log_freq: int, first: int) -> list[Watched]:
    """
    Have a run log histograms of modules.

    Raises:
        InvalidInputError: `value-invalid`: no module, no such `log`, a frequency below 1.
    """
    if log is None:
        return []
    if log not in LOGS or log_freq < 1:
        raise InvalidInputError(
            f"watch(log={log!r}, log_freq={log_freq}): log is one of {', '.join(LOGS)}, log_freq "
            "at least 1",
            code="value-invalid",
        )
    several = models if isinstance(models, (list, tuple)) else (models,)
    for model in several:
        if not hasattr(model, "named_parameters"):
            raise InvalidInputError(
                f"watch takes modules of torch, not {type(model).__name__}", code="value-invalid"
            )
    return [
        _Watch(run, model, log, log_freq, f"graph_{first + i}" if first + i else "").begin()
        for i, model in enumerate(several)
    ]


def unwatch(watched: Sequence[Watched], models: Any = None) -> list[Watched]:
    """Stop; what is still watched."""
    several = models if isinstance(models, (list, tuple)) else (models,)
    rest = []
    for one in watched:
        if models is None or any(one.model is model for model in several):
            for hook in one.hooks:
                hook.remove()
        else:
            rest.append(one)
    return rest


class _Watch:
    """The hooks of one module."""

    def __init__(self, run: Run, model: Any, log: str, log_freq: int, prefix: str) -> None:
        self._run, self._model, self._log = run, model, log
        self._log_freq, self._prefix = log_freq, prefix
        self._passes: dict[str, int] = {}

    def begin(self) -> Watched:
        hooks = [
            parameter.register_hook(self._hook(name, parameter))
            for name, parameter in self._model.named_parameters()
            if parameter.requires_grad
        ]
        return Watched(self._model, hooks)

    def _hook(self, name: str, parameter: Any) -> Any:
        def take(gradient: Any) -> None:
            passes = self._passes[name] = self._passes.get(name, 0) + 1
            if passes % self._log_freq or self._run.state != "running":
                return
            if self._log != "parameters":
                self._keep("gradients", name, gradient)
            if self._log != "gradients":
                self._keep("parameters", name, parameter)

        return take

    def _keep(self, what: str, name: str, tensor: Any) -> None:
        from artstore.media.histogram import Histogram

        values = tensor.detach().float().flatten().cpu().numpy()
        key = "/".join(part for part in (what, f"{self._prefix}{name}") if part)
        # A row that is open yet: the next log of the program ends it.
        self._run.log({key: Histogram(values)}, commit=False)

"""
How a run is recorded: what `settings=` of `init` takes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, NamedTuple

from artstore.errors import InvalidInputError

__all__ = [
    "CONSOLE_MODES",
    "GivenSettings",
    "RunSettings",
    "Settings",
    "is_silent",
    "run_settings",
]

CONSOLE_MODES: Final = ("wrap", "redirect", "off")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """
    What is captured, how often it is stored, what is said.

    Attributes:
        silent: nothing is printed; ARTSTORE_SILENT sets it.
        console: `wrap` keeps what Python prints, `redirect` also what libraries in C print.
        save_git: the commit and the diff of uncommitted changes.
        save_packages: names and versions of installed packages.
        save_system: samples of CPU, memory, disk, network and GPUs.
        save_environment: host, Python, command line.
        system_seconds: between two samples.
        journal_seconds: what `kill -9` may cost.
        store_seconds: what the loss of the machine may cost, at first.
        store_max_seconds: up to which that grows while the run goes on.
        finish_seconds: how long `finish` waits for a store that does not answer.
        is_primary: with mode `shared`, whether the run ends when this process does; the one of
            rank 0 if None.
    """

    silent: bool = False
    console: str = "wrap"
    save_git: bool = True
    save_packages: bool = True
    save_system: bool = True
    save_environment: bool = True
    system_seconds: float = 15.0
    journal_seconds: float = 1.0
    store_seconds: float = 15.0
    store_max_seconds: float = 60.0
    finish_seconds: float = 60.0
    is_primary: bool | None = None

    def __post_init__(self) -> None:
        if self.console not in CONSOLE_MODES:
            raise InvalidInputError(
                f"console={self.console!r} is not one of {', '.join(CONSOLE_MODES)}",
                code="value-invalid",
            )


class Settings:
    """Settings by whichever names a script has for them; `init` takes those that it knows."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


_OF_WANDB: Final[Mapping[str, tuple[str, bool]]] = {
    "disable_git": ("save_git", True),
    "x_disable_stats": ("save_system", True),
    "_disable_stats": ("save_system", True),
    "x_disable_meta": ("save_environment", True),
    "_disable_meta": ("save_environment", True),
    "x_primary": ("is_primary", False),
    "x_stats_sampling_interval": ("system_seconds", False),
    "quiet": ("silent", False),
}
"""Names that scripts know: ours, and whether theirs says the contrary."""
_ARGUMENTS: Final[Mapping[str, str]] = {
    "project": "project",
    "mode": "mode",
    "reinit": "reinit",
    "resume": "resume",
    "run_group": "group",
    "run_id": "id",
    "run_job_type": "job_type",
    "run_name": "name",
    "run_notes": "notes",
    "run_tags": "tags",
}
"""What settings say in place of arguments of `init`."""
_OF_SERVERS: Final = frozenset(
    [
        "_service_wait",
        "_start_method",
        "anonymous",
        "api_key",
        "base_url",
        "entity",
        "init_timeout",
        "login_timeout",
        "start_method",
        "x_service_wait",
    ]
)
"""About processes and servers that are not needed here: nobody has to hear of it."""


class GivenSettings(NamedTuple):
    """
    What a script gave as settings.

    Attributes:
        arguments: what it said of arguments of `init`, by their names.
        strange: names that mean nothing here.
    """

    settings: RunSettings
    arguments: Mapping[str, Any]
    strange: list[str]


def run_settings(given: Any = None) -> GivenSettings:
    """
    Settings out of what a script gave: ours, a dict, or an object with such attributes.

    Raises:
        InvalidInputError: `value-invalid`.
    """
    usual = RunSettings(silent=is_silent())
    if given is None:
        return GivenSettings(usual, {}, [])
    if isinstance(given, RunSettings):
        return GivenSettings(replace(given, silent=given.silent or usual.silent), {}, [])
    values = dict(given) if isinstance(given, Mapping) else dict(vars(given))
    known = {one.name for one in fields(RunSettings)}
    taken: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    strange: list[str] = []
    for name, value in values.items():
        if value is None or name in _OF_SERVERS:
            continue
        if name in known:
            taken[name] = value
        elif name in _ARGUMENTS:
            arguments[_ARGUMENTS[name]] = value
        elif name in _OF_WANDB:
            ours, is_contrary = _OF_WANDB[name]
            taken[ours] = not value if is_contrary else value
        else:
            strange.append(name)
    if taken.get("console") in ("auto", "wrap_raw", "wrap_emu"):
        taken["console"] = "wrap"
    return GivenSettings(replace(usual, **taken), arguments, sorted(strange))


def is_silent() -> bool:
    """Whether the environment asks for nothing to be printed."""
    return _is_set("ARTSTORE_SILENT") or _is_set("WANDB_SILENT")


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").lower() not in ("", "0", "false", "no")

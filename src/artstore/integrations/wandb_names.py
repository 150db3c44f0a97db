"""
The names of the package `wandb`, answered by artstore: all of them for `art run exec --as-wandb`,
and for scripts that import artstore in place of wandb those that are no names of ours.

`as_wandb/wandb` asks here for each of its attributes. Submodules that libraries import are
made here too, since several of W&B's have names that no module of ours may have.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

import artstore
from artstore.errors import ArtstoreError, InvalidInputError

__all__ = ["VERSION", "attribute", "name_in_package", "names", "set_up"]

VERSION: Final = "0.31.0"
"""The release of W&B whose names these are; libraries ask for one that is new enough."""

_OURS: Final = frozenset(
    [
        "AlertLevel",
        "Api",
        "Audio",
        "Bokeh",
        "Classes",
        "Histogram",
        "Html",
        "Image",
        "JoinedTable",
        "Molecule",
        "Object3D",
        "PartitionedTable",
        "Plotly",
        "Run",
        "Table",
        "Video",
        "alert",
        "config",
        "define_metric",
        "finish",
        "finish_artifact",
        "link_artifact",
        "link_model",
        "log",
        "log_artifact",
        "log_code",
        "log_model",
        "login",
        "mark_preempting",
        "require",
        "restore",
        "run",
        "save",
        "setup",
        "summary",
        "teardown",
        "unwatch",
        "upsert_artifact",
        "use_artifact",
        "use_model",
        "watch",
    ]
)
_VARIABLES: Final = {
    "project": "WANDB_PROJECT",
    "id": "WANDB_RUN_ID",
    "name": "WANDB_NAME",
    "notes": "WANDB_NOTES",
    "tags": "WANDB_TAGS",
    "group": "WANDB_RUN_GROUP",
    "job_type": "WANDB_JOB_TYPE",
    "mode": "WANDB_MODE",
    "resume": "WANDB_RESUME",
}
"""What W&B takes from the environment where `init` is not told."""
_MODES: Final = {"dryrun": "offline", "run": "online"}
_NO_SWEEPS: Final = (
    "sweeps are not part of artstore; begin a run for each trial, with group= for all of them"
)
_INSTEAD: Final = {
    "sweep": _NO_SWEEPS,
    "agent": _NO_SWEEPS,
    "controller": _NO_SWEEPS,
    "Graph": "log a table or a picture instead",
    "launch": "launch is not part of artstore",
}
_MEANINGLESS: Final = frozenset(["anonymous", "magic", "tensorboard"])
"""What libraries give `init` whoever asks for it; nobody needs to hear of it."""
_ERRORS: Final = (
    "Error",
    "CommError",
    "UsageError",
    "AuthenticationError",
    "WaitTimeoutError",
)
_told: set[str] = set()
_in_package: dict[str, ModuleType] = {}


class RunDisabled:
    """What W&B gave for a run that is disabled; none is one here."""


class Artifact(artstore.Artifact):
    """A draft whose metadata may have numbers as names, `{0: "cat"}`: they become text."""

    def __init__(
        self,
        name: str,
        type: str | None = None,  # noqa: A002 - W&B's
        description: str | None = None,
        metadata: Any = None,
        **given: Any,
    ) -> None:
        super().__init__(name, type, description, _with_text_names(metadata), **given)


class _Module(ModuleType):
    """A submodule whose attributes are made when they are asked for."""

    def __init__(self, name: str, make: Callable[[str], Any]) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)
        self.__path__: list[str] = []
        self._make = make

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._make(name)


def attribute(name: str) -> Any:
    """
    What `wandb.<name>` is.

    Raises:
        AttributeError: it is not offered; the message says what is to be used instead.
    """
    if name in _OURS:
        return getattr(artstore, name)
    return _made(name, "wandb", "artstore, which answers for wandb here, does not offer it")


def name_in_package(name: str) -> Any:
    """
    What `artstore.<name>` is for a script that says `import artstore as wandb`.

    Raises:
        AttributeError: it is not offered; the message says what is to be used instead.
    """
    if name == "wandb_sdk":
        name = "sdk"
    modules = _submodules()
    if name not in modules:
        return _made(name, "artstore", "it is not offered")
    for full, make in modules.items():
        if full == name or full.startswith(f"{name}."):
            _put(_in_package, full, _Module(f"artstore.{full}", make))
    return _in_package[name]


def _made(name: str, package: str, otherwise: str) -> Any:
    made = _own().get(name)
    if made is None:
        instead = _INSTEAD.get(name, otherwise)
        raise AttributeError(f"module {package!r} has no attribute {name!r}: {instead}")
    return made


def _put(modules: dict[str, ModuleType], name: str, module: ModuleType) -> None:
    """Keep a module under its name, and make it an attribute of the one that it is in."""
    modules[name] = module
    parent, _, last = name.rpartition(".")
    if parent in modules:
        setattr(modules[parent], last, module)


def names() -> list[str]:
    """What `dir(wandb)` lists."""
    return sorted({*_OURS, *_own()})


def set_up(package: str) -> None:
    """Make the submodules of `package`, and tell once where runs go."""
    from artstore.tracking.runsettings import is_silent

    for name, make in _submodules().items():
        full = f"{package}.{name}"
        _put(sys.modules, full, _Module(full, make))
    _adapt_run()
    if not is_silent():
        _write("art: `import wandb` is artstore here: runs go to its store, and nothing to W&B")


def init(*given: Any, **named: Any) -> Any:
    """
    As `artstore.init`; what the environment says in variables of W&B counts too.

    Below `art run exec` it joins the run of the command, whatever project it names.
    """
    from artstore.tracking.joining import joined_session

    order = ("entity", "project", "dir", "id", "name", "notes", "tags", "config")
    values = {**dict(zip(order, given, strict=False)), **named}
    for name, variable in _VARIABLES.items():
        if values.get(name) is None and os.environ.get(variable):
            text = os.environ[variable]
            values[name] = text.split(",") if name == "tags" else text
    values["mode"] = _MODES.get(values.get("mode") or "", values.get("mode"))
    above = joined_session()
    if above is not None:
        _tell_project(values.pop("project", None), above.meta.project)
    known = set(artstore.init.__code__.co_varnames[: artstore.init.__code__.co_argcount])
    for name in sorted(set(values) - known):
        if values.pop(name) is None or name in _MEANINGLESS:
            continue
        termwarn(f"wandb.init({name}=...) means nothing here", repeat=False)
    return artstore.init(**values)


def _tell_project(wanted: str | None, project: str) -> None:
    """A script that names its project elsewhere too will look for things there."""
    from artstore.tracking.runsettings import is_silent

    if wanted not in (None, project) and not is_silent():
        termlog(
            f"the run is in project {project}, not in {wanted!r} as wandb.init says:"
            " give --project to 'art run exec' for that",
            repeat=False,
        )


def termlog(string: str = "", *_: Any, repeat: Any = True, prefix: Any = True, **__: Any) -> None:
    """One line on stderr; once only unless `repeat`."""
    if repeat or string not in _told:
        _told.add(string)
        _write(f"art: {string}" if prefix else string)


termwarn = termlog
termerror = termlog


def generate_id(length: int = 8) -> str:
    """Letters and digits, as ids of runs are."""
    from artstore.tracking.runnames import new_run_id

    text = ""
    while len(text) < length:
        text += new_run_id()
    return text[:length]


def _attach(*_: Any, **__: Any) -> Any:
    return artstore.run or init()


def _write(line: str) -> None:
    from artstore.tracking.telling import tell_user

    tell_user(line.removeprefix("art: "))


def _own() -> Mapping[str, Any]:
    from artstore.integrations import wandb_plots

    errors = dict.fromkeys(_ERRORS, ArtstoreError)
    return {
        "Artifact": Artifact,
        "init": init,
        "Settings": artstore.Settings,
        "termlog": termlog,
        "termwarn": termwarn,
        "termerror": termerror,
        "plot_table": wandb_plots.plot_table,
        "_attach": _attach,
        **errors,
    }


def _with_text_names(value: Any) -> Any:
    """As JSON that Python writes has them."""
    if isinstance(value, Mapping):
        return {
            str(name) if isinstance(name, (int, float)) else name: _with_text_names(one)
            for name, one in value.items()
        }
    return value


def _chosen(values: Mapping[str, Any], where: str) -> Callable[[str], Any]:
    def make(name: str) -> Any:
        if name in values:
            return values[name]
        raise AttributeError(f"module 'wandb.{where}' has no attribute {name!r} here")

    return make


def _set_variable(variable: str) -> Callable[[Any], None]:
    def set_it(value: Any) -> None:
        os.environ[variable] = str(value)

    return set_it


def _submodules() -> dict[str, Callable[[str], Any]]:
    def plot(name: str) -> Any:
        return getattr(import_module("artstore.integrations.wandb_plots"), name)

    def keras(name: str) -> Any:
        return getattr(import_module("artstore.integrations.wandb_keras"), name)

    def errors(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return ArtstoreError

    empty = _chosen({}, "sdk")
    utility = _chosen({"generate_id": generate_id}, "util")
    run = _chosen({"Run": artstore.Run}, "sdk.wandb_run")
    config = _chosen({"ConfigError": InvalidInputError}, "sdk.lib.config_util")
    env = {
        f"set_{name}": _set_variable(f"WANDB_{name.upper()}")
        for name in ("project", "entity", "base_url")
    }
    return {
        "sdk": empty,
        "sdk.lib": _chosen({"RunDisabled": RunDisabled}, "sdk.lib"),
        "sdk.lib.config_util": config,
        "sdk.lib.runid": utility,
        "sdk.wandb_run": run,
        "sdk.wandb_config": _chosen({}, "sdk.wandb_config"),
        "sdk.data_types": attribute,
        "sdk.artifacts": attribute,
        "sdk.artifacts.artifact": attribute,
        "sdk.wandb_settings": _chosen({"Settings": artstore.Settings}, "sdk.wandb_settings"),
        "wandb_run": run,
        "data_types": attribute,
        "util": utility,
        "errors": errors,
        "errors.term": _chosen(
            {"termlog": termlog, "termwarn": termwarn, "termerror": termerror}, "errors.term"
        ),
        "env": _chosen(env, "env"),
        "plot": plot,
        "apis": empty,
        "apis.public": attribute,
        "integration": empty,
        "integration.keras": keras,
        "keras": keras,
    }


def _adapt_run() -> None:
    """Give runs what libraries call on those of W&B, and nobody else should."""

    def label(_run: Any, *_: Any, **__: Any) -> None:
        """W&B notes here which library calls it."""

    def project_name(run: Any) -> Any:
        return run.project

    def get_url(run: Any) -> Any:
        return run.url

    for name, answer in (("_label", label), ("project_name", project_name), ("get_url", get_url)):
        if not hasattr(artstore.Run, name):
            setattr(artstore.Run, name, answer)

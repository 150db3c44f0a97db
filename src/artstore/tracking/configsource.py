"""
What a user may give as a config, as a dict: a mapping, a namespace, flags, a file, an object.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Collection, Mapping
from types import ModuleType
from typing import Any

from artstore import forks
from artstore.errors import InvalidInputError

__all__ = ["parsed_config"]

_W_AND_B_VERSION = "wandb_version"
_DESCRIBED = frozenset(("value", "desc"))


def parsed_config(
    given: Any,
    *,
    include: Collection[str] | None = None,
    exclude: Collection[str] | None = None,
) -> dict[Any, Any]:
    """
    The names and values of a config; the values are still what they were.

    Args:
        given: a dict or another mapping (OmegaConf); an `argparse.Namespace`; flags of
            absl or their module; a dataclass, named tuple or any object with attributes;
            the path of a YAML or JSON file, plain or with W&B's `value` and `desc`;
            None, for nothing.
        include: only these names.
        exclude: all but these names.
    Raises:
        InvalidInputError: `config-invalid`; `library-missing` for YAML without PyYAML.
    """
    if include and exclude:
        raise InvalidInputError(
            "a config cannot be told both which keys to take and which to leave out",
            code="config-invalid",
            hint="give config_include_keys or config_exclude_keys",
        )
    members = _members(given)
    if include:
        return {key: value for key, value in members.items() if key in include}
    return {key: value for key, value in members.items() if key not in (exclude or ())}


def _members(given: Any) -> dict[Any, Any]:
    if given is None:
        return {}
    if isinstance(given, (str, os.PathLike)):
        return _from_file(os.fspath(given))
    if isinstance(given, Mapping):
        return dict(given.items())
    if isinstance(given, ModuleType) and hasattr(given, "FLAGS"):
        given = given.FLAGS
    if type(given).__module__.startswith("absl.flags"):
        return {name: given[name].value for name in dir(given)}
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        # Not `vars`: there is none if it has slots.
        return {field.name: getattr(given, field.name) for field in dataclasses.fields(given)}
    if hasattr(given, "_asdict"):
        return dict(given._asdict())
    if hasattr(given, "keys") and hasattr(given, "__getitem__"):
        return {key: given[key] for key in given.keys()}  # noqa: SIM118 - no mapping
    if hasattr(given, "__dict__") and not isinstance(given, (type, ModuleType)):
        return dict(vars(given))
    raise InvalidInputError(
        f"a config cannot be made from {type(given).__name__}",
        code="config-invalid",
        hint="give a dict, the arguments of argparse, or the path of a YAML file",
    )


def _from_file(path: str) -> dict[Any, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InvalidInputError(
            f"the config file {path!r} cannot be read: {why}",
            code="config-invalid",
            hint="give the path of a YAML or JSON file, or a dict",
            path=path,
        ) from error
    found = _decoded(text, path)
    if not isinstance(found, dict):
        raise InvalidInputError(
            f"the config file {path!r} holds {type(found).__name__}, not names with values",
            code="config-invalid",
            path=path,
        )
    return _without_descriptions(found, path)


def _decoded(text: str, path: str) -> Any:
    if path.lower().endswith(".json"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise _unreadable(path, error) from error
    try:
        forks.import_late(("yaml",))
        import yaml
    except ImportError as error:
        raise InvalidInputError(
            f"the config file {path!r} is YAML, and PyYAML is not installed",
            code="library-missing",
            hint="pip install pyyaml, or write the file as JSON",
            path=path,
        ) from error
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _unreadable(path, error) from error
    return {} if found is None else found


def _unreadable(path: str, error: Exception) -> InvalidInputError:
    return InvalidInputError(
        f"the config file {path!r} cannot be understood: {error}", code="config-invalid", path=path
    )


def _without_descriptions(found: dict[Any, Any], path: str) -> dict[Any, Any]:
    """A config as W&B writes it, `{lr: {value: 0.1, desc: ...}}`, without what is around values."""
    version = found.pop(_W_AND_B_VERSION, None)
    if version not in (None, 1):
        raise InvalidInputError(
            f"the config file {path!r} is of version {version!r}, and only 1 is known",
            code="config-invalid",
            path=path,
        )
    described = all(
        isinstance(member, dict) and "value" in member and member.keys() <= _DESCRIBED
        for member in found.values()
    )
    if described or version is not None:
        return {
            key: member["value"] if isinstance(member, dict) and "value" in member else member
            for key, member in found.items()
        }
    return found

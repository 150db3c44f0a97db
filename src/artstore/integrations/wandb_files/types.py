"""The types of W&B's columns: what a table says of its cells, under the names of today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from artstore import limits
from artstore.integrations.wandb_files.failures import Misfit

__all__ = ["ANY", "ForeignKey", "WandbType", "constant", "parse_type", "union_of"]

_LEGACY: Final = {
    "dictionary": "typedDict",
    "object": "pythonObject",
    "wandb.Audio": "audio-file",
    "wandb.Bokeh": "bokeh-file",
    "wandb.Classes_id": "classesId",
    "wandb.Html": "html-file",
    "wandb.Image": "image-file",
    "wandb.JoinedTable": "joined-table",
    "wandb.Molecule": "molecule-file",
    "wandb.Object3D": "object3D-file",
    "wandb.PartitionedTable": "partitioned-table",
    "wandb.Table": "table",
    "wandb.Video": "video-file",
}


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """
    That the cells of a column name rows of another table.

    Attributes:
        table: the path of its file in the directory.
        column: the column of it that is named; None if cells are numbers of rows.
    """

    table: str
    column: str | None


@dataclass(frozen=True, slots=True)
class WandbType:
    """
    What a column holds.

    Attributes:
        name: `number`, `string`, `union`, `image-file`, ...; a name that is not known
            stays as it is.
        members: of a `union`.
        element: of a `list`.
        fields: of a `typedDict`.
        shape: of an `ndarray`, without the rows.
        params: all that is said beside the name, as it is in the file.
    """

    name: str
    members: tuple[WandbType, ...] = ()
    element: WandbType | None = None
    fields: Mapping[str, WandbType] = field(default_factory=dict)
    shape: tuple[int, ...] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_optional(self) -> bool:
        """Whether a cell may be empty."""
        return self.name == "none" or any(member.is_optional for member in self.members)

    @property
    def plain(self) -> WandbType:
        """The type of the cells that are not empty; a union if there are several."""
        if self.name != "union":
            return self
        left = [member for member in self.members if member.name != "none"]
        return left[0] if len(left) == 1 else WandbType("union", members=tuple(left))

    def __str__(self) -> str:
        if self.name == "union":
            return " | ".join(map(str, self.members))
        return f"list of {self.element}" if self.element is not None else self.name


ANY: Final = WandbType("any")


def parse_type(value: Any, levels: int = limits.JSON_MAX_LEVELS) -> WandbType:
    """
    The type that a file tells as `{"wb_type": ..., "params": {...}}`.

    Raises:
        Misfit: it is not one; the text says why.
    """
    if levels == 0:
        raise Misfit("a type is nested too deeply")
    if isinstance(value, str):
        value = {"wb_type": value}
    told = value.get("wb_type") if isinstance(value, dict) else None
    if not isinstance(told, str):
        raise Misfit(f"{_brief(value)} is not a type")
    name = _LEGACY.get(told, told)
    params = value.get("params", {})
    if not isinstance(params, dict):
        raise Misfit(f"the params of type {name!r} are {_brief(params)}")
    below = levels - 1
    if name == "union":
        members = params.get("allowed_types")
        if not isinstance(members, list):
            raise Misfit("a union has no list of allowed_types")
        return WandbType(name, tuple(parse_type(one, below) for one in members), params=params)
    if name == "list":
        element = params.get("element_type")
        parsed = ANY if element is None else parse_type(element, below)
        return WandbType(name, element=parsed, params=params)
    if name == "typedDict":
        fields = params.get("type_map", {})
        if not isinstance(fields, dict):
            raise Misfit("a typedDict has no type_map")
        known = {key: parse_type(one, below) for key, one in fields.items()}
        return WandbType(name, fields=known, params=params)
    shape = _shape(params.get("shape")) if name == "ndarray" else None
    return WandbType(name, shape=shape, params=params)


def union_of(types: Iterable[WandbType]) -> WandbType:
    """The type of a column whose parts have these types."""
    given = list(types)
    if all(one == given[0] for one in given):
        return given[0]
    found: list[WandbType] = []
    for one in given:
        for member in one.members if one.name == "union" else (one,):
            if member not in found:
                found.append(member)
    return found[0] if len(found) == 1 else WandbType("union", members=tuple(found))


def constant(params: Mapping[str, Any], name: str) -> Any:
    """What a param of type `const` holds; None if there is none."""
    value = params.get(name)
    if not isinstance(value, dict) or value.get("wb_type") != "const":
        return None
    inner = value.get("params")
    return inner.get("val") if isinstance(inner, dict) else None


def _shape(value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(side) is int and side >= 0 for side in value):
        raise Misfit(f"{_brief(value)} is not the shape of an array")
    return tuple(value)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."

"""Which files belong to a table or to a media value: those that it names."""

from __future__ import annotations

from typing import Any, Final

from artstore.integrations.wandb_files.files import WandbFiles
from artstore.integrations.wandb_files.header import TableHeader, raw_rows
from artstore.integrations.wandb_files.media import is_media
from artstore.integrations.wandb_files.types import WandbType

__all__ = ["claimed_by_record", "claimed_by_table"]

_WITHOUT_FILES: Final = frozenset(
    ("boolean", "foreignIndex", "foreignKey", "none", "number", "primaryKey", "string", "timestamp")
)


def claimed_by_table(files: WandbFiles, header: TableHeader) -> set[str]:
    """
    The paths that a table names, in its types and in its rows.

    Cost: reads the rows if a column can hold media.
    """
    found = {source.path for source in header.arrays().values()}
    for kind in header.types.values():
        classes = kind.plain.params.get("classes_obj")
        if isinstance(classes, dict) and isinstance(classes.get("path"), str):
            found.add(classes["path"])
    columns = [i for i, name in enumerate(header.columns) if _may_name_files(header.types[name])]
    if columns:
        for row in raw_rows(files, header.path):
            for index in columns:
                value = row[index]
                if isinstance(value, (dict, list)):
                    found |= claimed_by_record(value)
    return found


def claimed_by_record(value: Any, *, inside: bool = False) -> set[str]:
    """
    The paths in a value of JSON: those within records of media.

    Args:
        inside: the value is one itself, whatever it says.
    """
    found: set[str] = set()
    left = [(value, inside)]
    while left:
        one, within = left.pop()
        if isinstance(one, dict):
            within = within or is_media(one)
            if within and isinstance(one.get("path"), str):
                found.add(one["path"])
            left.extend((item, within) for item in one.values())
        elif isinstance(one, list):
            left.extend((item, within) for item in one)
    return found


def _may_name_files(kind: WandbType) -> bool:
    if kind.name == "union":
        return any(map(_may_name_files, kind.members))
    if kind.name == "list":
        return kind.element is None or _may_name_files(kind.element)
    return kind.name not in _WITHOUT_FILES and kind.name != "ndarray"

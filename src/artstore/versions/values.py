"""
Tables, joined tables and media values read from a version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from artstore import canonical
from artstore.errors import DamagedDataError, NotFoundError
from artstore.manifests.entry import TABLE, Entry
from artstore.versions.contents import VersionContent, VersionHome
from artstore.versions.version import LoggedVersion

if TYPE_CHECKING:
    from artstore.tables.joined import JoinedTable
    from artstore.tables.partitioned import PartitionedTable
    from artstore.tables.table import Table

__all__ = [
    "JOINED_SUFFIX",
    "PARTITIONED_SUFFIX",
    "TABLE_SUFFIX",
    "plain_name",
    "read_table_entry",
    "read_value",
]

TABLE_SUFFIX: Final = ".parquet"
"""What the path of a table ends in: written out, it is a Parquet file."""

JOINED_SUFFIX: Final = ".joined-table.json"
PARTITIONED_SUFFIX: Final = ".partitioned-table.json"
_TABLE_SUFFIXES: Final = (".table.json", TABLE_SUFFIX)


def plain_name(name: str) -> str:
    """The name of a table without an ending, W&B's or ours."""
    for suffix in _TABLE_SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def read_value(version: LoggedVersion, name: str) -> Any:
    """
    The table, joined table or media value that was added as `name`; None if there is none.

    Raises:
        DamagedDataError: `table-damaged`, `media-cell-damaged`, `joined-table-damaged`.
        NotFoundError: `version-not-found`: a table that is joined was in another version.
    Cost: a table: its description. No row, no media file is read.
    """
    entry = _entry(version, plain_name(name) + TABLE_SUFFIX)
    if entry is not None and entry.kind == TABLE:
        return read_table_entry(version, entry)
    for suffix, read in ((JOINED_SUFFIX, _read_joined), (PARTITIONED_SUFFIX, _read_partitioned)):
        plain = name.removesuffix(suffix)
        if _entry(version, plain + suffix) is not None:
            value = read(version, plain + suffix)
            value.place_name = f"{version.qualified_name}/{plain}"
            return value
    return _read_media(version, name)


def read_table_entry(version: LoggedVersion, entry: Entry) -> Table:
    """The table of an entry. Raises DamagedDataError `table-damaged`."""
    from artstore.tables.stored import read_table
    from artstore.tables.table import Table

    stored = read_table(version.place.packs, entry)
    table = Table.from_stored(stored, VersionHome(version, entry))
    table.place_name = f"{version.qualified_name}/{entry.path.removesuffix(TABLE_SUFFIX)}"
    return table


def _entry(version: LoggedVersion, path: str) -> Entry | None:
    try:
        return version.files().tree.entry(path)
    except NotFoundError:
        return None


def _read_media(version: LoggedVersion, name: str) -> Any:
    from artstore.media.kinds import KINDS, decode_descriptor

    for kind in KINDS:
        path = name.removesuffix(kind.suffix) + kind.suffix
        if _entry(version, path) is not None:
            content = VersionContent(version, path)
            return decode_descriptor(
                content.read(), lambda member: VersionContent(version, member), what=path
            )
    return None


def _description(version: LoggedVersion, path: str, type_name: str) -> dict[str, Any]:
    data = VersionContent(version, path).read()
    value = canonical.decode(data, what=path)
    if not isinstance(value, dict) or value.get("_type") != type_name:
        raise _damaged(path, f"it describes no {type_name}")
    return value


def _read_joined(version: LoggedVersion, path: str) -> JoinedTable:
    from artstore.tables.joined import JoinedTable

    value = _description(version, path, "joined-table")
    try:
        left, right = (value[side]["path"] for side in ("left", "right"))
        on = [(str(a), str(b)) for a, b in value["on"]]
        how = str(value["how"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    tables = [_side(version, str(side), path) for side in (left, right)]
    return JoinedTable(tables[0], tables[1], on, how=how)


def _side(version: LoggedVersion, path: str, joined: str) -> Table:
    entry = _entry(version, path)
    if entry is None or entry.kind != TABLE:
        raise _damaged(joined, f"it joins {path!r}, which is no table of this version")
    return read_table_entry(version, entry)


def _read_partitioned(version: LoggedVersion, path: str) -> PartitionedTable:
    from artstore.tables.partitioned import PartitionedTable

    value = _description(version, path, "partitioned-table")
    parts_path = value.get("parts_path")
    if not isinstance(parts_path, str):
        raise _damaged(path, "it names no directory of parts")
    prefix = parts_path.rstrip("/") + "/"
    parts = [
        read_table_entry(version, entry)
        for entry in version.manifest().entries(prefix)
        if entry.kind == TABLE
    ]
    return PartitionedTable(parts_path, parts)


def _damaged(path: str, found: str) -> DamagedDataError:
    return DamagedDataError(
        f"{path} is damaged: {found}", code="joined-table-damaged", path=path, found=found
    )

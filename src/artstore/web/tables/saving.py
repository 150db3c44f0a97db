"""
Rows of a table, filtered or chosen, with edited cells, logged as a table of a new version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from artstore import canonical, names
from artstore.artifact import Artifact
from artstore.errors import ConflictError, InvalidInputError, LimitExceededError, NotFoundError
from artstore.versions.values import plain_name
from artstore.web.tables.state import TableState, parse_state

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact, Store
    from artstore.tables.exploring import ExploredTable
    from artstore.tables.exploring.copies import CopiedRows
    from artstore.tables.reading import RowReader
    from artstore.tables.table import Table
    from artstore.web.routing import Visit

__all__ = [
    "MADE_FROM",
    "SavedRows",
    "SavingRequest",
    "check_request",
    "read_request",
    "save_rows",
    "saving_places",
]

MADE_FROM: Final = "made_from"
"""The member of an artifact's metadata that tells what its rows are."""

_ROWS_MAX: Final = 100_000
_EDITS_MAX: Final = 10_000
_MESSAGE_CHARS: Final = 2_000
_ALIASES_MAX: Final = 20
_NOTED_CHARS: Final = 64 * 1024
_PARTS: Final = ("where", "sort", "compute")
_LISTS: Final = (*_PARTS, "with", "key")
_TEXTS: Final = ("among", "how", "quick", "judge", "truth", "guess")
_KNOWN: Final = frozenset(
    (
        *(*_LISTS, *_TEXTS, "name", "columns", "rows", "edits", "side"),
        *("message", "aliases", "type", "check"),
    )
)


@dataclass(frozen=True, slots=True)
class SavingRequest:
    """
    What is to be saved, as it was asked.

    Attributes:
        collection: which artifact gets a version.
        table: what the table is called in it.
        rows: numbers of chosen rows; None for all that match.
        side: of compared tables, the one whose rows are saved; None if there is one table.
        edits: (number of the row, column, JSON value).
        type: of an artifact that is new; None: that of the source.
        is_check: whether only the edits are looked at, and nothing is saved.
    """

    collection: str
    table: str
    state: TableState
    rows: tuple[int, ...] | None = None
    edits: tuple[tuple[int, str, Any], ...] = ()
    message: str | None = None
    aliases: tuple[str, ...] = ()
    type: str | None = None
    is_check: bool = False
    side: int | None = None


@dataclass(frozen=True, slots=True)
class SavedRows:
    """
    What was saved.

    Attributes:
        is_new: whether there is a new version: the newest may have had just these rows.
        made_from: what the metadata of the version tells of them.
    """

    artifact: LoggedArtifact
    table: str
    row_count: int
    is_new: bool
    made_from: Mapping[str, Any]


def read_request(value: Mapping[str, Any]) -> SavingRequest:
    """
    A request out of JSON.

    Args:
        value: `name` (`NAME/TABLE`); `where`, `sort` and `compute` as in the address of a table
            page, lists of texts; `columns`, names; `rows`, numbers; `edits`, objects with `row`,
            `column`, `value`; `message`; `aliases`; `type`; `check`; `among`; of compared tables
            `side`, a number, and as in addresses `with`, `key`, `how`, `quick`, `judge`, `truth`
            and `guess`.
    Raises:
        InvalidInputError: `request-invalid`, `name-invalid`, `path-invalid`.
        LimitExceededError: `limit-exceeded`.
    """
    unknown = sorted(set(value) - _KNOWN)
    if unknown:
        raise _refused(f"a request to save rows has no {unknown[0]!r:.80}")
    collection, table = _saved_name(value.get("name"))
    kind = _text(value, "type")
    return SavingRequest(
        collection=collection,
        table=table,
        state=_state(value),
        rows=_rows(value.get("rows")),
        edits=_edits(value.get("edits")),
        message=_text(value, "message"),
        aliases=tuple(names.check_alias(text) for text in _texts(value, "aliases", _ALIASES_MAX)),
        type=None if kind is None else names.check_type_name(kind),
        is_check=_flag(value, "check"),
        side=_side(value.get("side")),
    )


def check_request(explored: ExploredTable, request: SavingRequest) -> None:
    """
    Whether the edits of a request fit the table.

    Raises:
        InvalidInputError: `cell-unsupported`, `column-unknown`, `value-invalid`.
    """
    from artstore.tables.exploring.copies import check_edits

    check_edits(explored, _wanted(request))


def save_rows(
    store: Store,
    source: LoggedArtifact,
    path: str,
    explored: ExploredTable,
    request: SavingRequest,
    *,
    author: str,
    noted: Mapping[str, Any] | None = None,
) -> SavedRows:
    """
    Log rows of a table of `source` on top of what the newest version of an artifact holds.

    Nothing is logged if anything of the request cannot be done.

    Args:
        store: of the project that gets the version.
        path: of the table in `source`.
        author: who the store says is writing.
        noted: what else the metadata tells of how the rows were chosen.
    Raises:
        InvalidInputError: as `copied_rows` (`cell-unsupported`, `column-unknown`, ...);
            `request-invalid`: nothing would be new.
        ConflictError: `version-superseded`: there is a newer version of the source than the
            one that was looked at, and it would lose what is new in it.
        As `Store.log_artifact`.
    """
    from artstore.tables.exploring.copies import copied_rows

    newest = _newest(store, source.project, request.collection)
    if _is_source(source, path, request):
        _check_newest(source, newest)
        _check_change(explored, request)
    # Rows are read by one thread: the reader that pages share is not used.
    reader: RowReader = source.get(path)
    table = copied_rows(explored, reader, _wanted(request))
    made_from = _made_from(source, path, request, table, author=author, more=noted or {})
    metadata = {**(newest.metadata if newest is not None else {}), MADE_FROM: made_from}
    kind = None if newest is not None else request.type or source.type
    if newest is not None and request.type is not None:
        kind = request.type
    draft = Artifact(request.collection, kind, metadata=metadata, incremental=True)
    draft.add(table, request.table, overwrite=True)
    logged = store.log_artifact(draft, aliases=request.aliases, message=request.message)
    return SavedRows(logged, request.table, table.row_count, logged.push.is_new, made_from)


def _newest(store: Store, project: str, collection: str) -> LoggedArtifact | None:
    try:
        return store.artifact(f"{project}/{collection}")
    except NotFoundError:
        return None


def _is_source(source: LoggedArtifact, path: str, request: SavingRequest) -> bool:
    is_same = source.collection.name == request.collection
    return is_same and plain_name(path) == request.table


def _check_newest(source: LoggedArtifact, newest: LoggedArtifact | None) -> None:
    if newest is None or newest.version == source.version:
        return
    raise ConflictError(
        f"{newest.qualified_name} is newer than {source.qualified_name}, whose rows these are: "
        "saved over it, what is new in it would be lost",
        code="version-superseded",
        hint="open the newest version and edit that, or save under another name",
    )


def _check_change(explored: ExploredTable, request: SavingRequest) -> None:
    """A table saved over itself as it is would only say of itself that it was made of itself."""
    state = request.state
    asked = (request.rows, request.edits, state.compute, state.sort, state.columns)
    is_changed = any(part for part in asked) or request.rows == () or state.among is not None
    if is_changed or (state.where and _is_filtered(explored, request)):
        return
    raise _refused("these are all rows of the table as they are: nothing would be new")


def _is_filtered(explored: ExploredTable, request: SavingRequest) -> bool:
    found = explored.count(request.state.selection())
    return found.matching < found.total


def _wanted(request: SavingRequest) -> CopiedRows:
    from artstore.tables.exploring.copies import CellEdit, CopiedRows

    return CopiedRows(
        request.state.selection(),
        request.state.columns,
        request.rows,
        tuple(CellEdit(*edit) for edit in request.edits),
    )


def _made_from(
    source: LoggedArtifact,
    path: str,
    request: SavingRequest,
    table: Table,
    *,
    author: str,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """What the metadata of the version says: whence the rows are, and what was done to them."""
    state = request.state
    noted = {name: text for name, text in state.pairs() if name in _PARTS}
    parts = {name: [text for known, text in state.pairs() if known == name] for name in noted}
    told = {
        "table": f"{source.qualified_name}/{plain_name(path)}",
        "where": parts.get("where", []),
        "rows": table.row_count,
        "edits": len({edit[:2] for edit in request.edits}),
        "author": author,
        **{name: texts for name, texts in parts.items() if name != "where"},
        **more,
    }
    if request.rows is not None or state.among is not None:
        told["chosen"] = True
    if len(canonical.encode(told)) > _NOTED_CHARS:
        raise LimitExceededError(
            f"what is noted of the rows has more than {_NOTED_CHARS:,} bytes: "
            "conditions and computed columns are too long",
            code="limit-exceeded",
        )
    return told


# the request -----------------------------------------------------------------------------


def _saved_name(value: Any) -> tuple[str, str]:
    if not isinstance(value, str):
        raise _refused("a request to save rows says with `name` what they become: NAME/TABLE")
    collection, slash, table = value.partition("/")
    if not slash or not table or set(collection) & set(":@"):
        raise _refused(
            f"{value!r:.80} is no NAME/TABLE: the artifact and the table in it, without a version"
        )
    return names.check_collection_name(collection), names.check_entry_path(plain_name(table))


def _state(value: Mapping[str, Any]) -> TableState:
    pairs = [(name, text) for name in _LISTS for text in _texts(value, name, 200)]
    for name in _TEXTS:
        text = _text(value, name, _NOTED_CHARS * 4)
        pairs += [] if text is None else [(name, text)]
    columns = value.get("columns")
    if columns is not None:
        if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
            raise _refused("columns is a list of names")
        pairs.append(("columns", json.dumps(columns)))
    state, told = parse_state(pairs)
    if told:
        # A page shows what it can; what is saved has to be what was asked.
        raise _refused(told[0])
    return state


def _texts(value: Mapping[str, Any], name: str, most: int) -> Sequence[str]:
    found = value.get(name)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise _refused(f"{name} is a list of texts")
    _check_count(name, len(found), most)
    return found


def _text(value: Mapping[str, Any], name: str, most: int = _MESSAGE_CHARS) -> str | None:
    found = value.get(name)
    if found is None or found == "":
        return None
    if not isinstance(found, str) or len(found) > most:
        raise _refused(f"{name} is a text of at most {most:,} characters")
    return found


def _side(value: Any) -> int | None:
    if value is not None and (type(value) is not int or value < 0):
        raise _refused("side is the number of one of the compared tables")
    return value


def _flag(value: Mapping[str, Any], name: str) -> bool:
    found = value.get(name, False)
    if not isinstance(found, bool):
        raise _refused(f"{name} is true or false")
    return found


def _rows(value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(number) is int for number in value):
        raise _refused("rows is a list of numbers of rows")
    _check_count("rows", len(value), _ROWS_MAX)
    return tuple(value)


def _edits(value: Any) -> tuple[tuple[int, str, Any], ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _refused("edits is a list")
    _check_count("edits", len(value), _EDITS_MAX)
    return tuple(map(_edit, value))


def _edit(value: Any) -> tuple[int, str, Any]:
    is_edit = (
        isinstance(value, dict)
        and set(value) == {"row", "column", "value"}
        and type(value["row"]) is int
        and isinstance(value["column"], str)
    )
    if not is_edit:
        raise _refused(f"an edit is an object with row, column and value, not {value!r:.80}")
    return value["row"], value["column"], value["value"]


def _check_count(name: str, count: int, most: int) -> None:
    if count > most:
        raise LimitExceededError(
            f"{name} has at most {most:,} elements, not {count:,}", code="limit-exceeded"
        )


def _refused(message: str) -> InvalidInputError:
    return InvalidInputError(message, code="request-invalid")


def saving_places(visit: Visit) -> dict[str, dict[str, str]]:
    """What the dialogs of a table page need; nothing on a server that only reads."""
    if not visit.site.settings.write:
        return {}
    params = dict(visit.params)
    project = params["project"]
    places = {
        "save": visit.api_link("table-save", **params),
        "views": visit.api_link("save-view", project=project),
        "viewList": visit.link("views", project=project),
        "collection": params["collection"],
        "table": plain_name(params["path"]),
    }
    return {"saving": places}

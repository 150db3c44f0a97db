"""
What the address of a list of runs says: conditions, order, columns, groups, which are ticked.

One spelling for people, programs and saved views: `?where=...&sort=-summary.acc&columns=...`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from artstore.catalog.runs.format import check_run_id
from artstore.errors import InvalidInputError, LimitExceededError
from artstore.runs.ordering import split_names

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from artstore.runs.selecting import Conditions

__all__ = [
    "CHOSEN_MAX",
    "COLUMNS_MAX",
    "FIRST_ORDER",
    "RunListState",
    "read_chosen",
    "read_state",
]

CHOSEN_MAX: Final = 200
"""As many as are compared at once."""
COLUMNS_MAX: Final = 100
FIRST_ORDER: Final = "-created"
_GROUPS_MAX: Final = 2
_CONDITIONS_MAX: Final = 100
_OPEN_MAX: Final = 100
_PLOT_PARTS: Final = ("plot", "x", "y", "colour", "axes")
_PLOT_CHARS: Final = 4_000
_CHARS_MAX: Final = 100_000
"""Of a condition; the server of a browser takes less in an address."""


@dataclass(frozen=True, slots=True)
class RunListState:
    """
    The view of a list.

    Attributes:
        where: conditions in SQL or Mongo that must all hold.
        states: one of these, if there are any.
        tags: all of these.
        sort: names, `-` in front for the largest first; empty: the newest first.
        columns: names; None for those that the page chooses.
        group: one or two names.
        opened: groups whose runs are shown, by their keys.
        chosen: ids of runs that are ticked, wherever they are in the list.
        plot: which chart is open and what it shows: parts of the address that only its script
            reads.
    """

    where: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    group: tuple[str, ...] = ()
    deleted: bool = False
    opened: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    plot: tuple[tuple[str, str], ...] = ()
    page: int = 1

    @property
    def conditions(self) -> Conditions:
        """All that must hold, as `selected_ids` takes it."""
        quick: list[Any] = [{"state": {"$in": list(self.states)}}] if self.states else []
        quick += [{"tags": tag} for tag in self.tags]
        return [*self.where, *quick]

    @property
    def is_filtered(self) -> bool:
        """Whether it says which runs are meant."""
        return bool(self.where or self.states or self.tags)

    def pairs(self, *, without: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
        """The parts of the query in their order, without those of some names."""
        lists = (
            ("where", self.where),
            ("state", self.states),
            ("tag", self.tags),
            ("sort", (",".join(self.sort),) if self.sort else ()),
            ("columns", () if self.columns is None else (",".join(self.columns),)),
            ("group", (",".join(self.group),) if self.group else ()),
            ("deleted", ("1",) if self.deleted else ()),
            ("open", self.opened),
            ("run", (",".join(self.chosen),) if self.chosen else ()),
            ("page", (str(self.page),) if self.page > 1 else ()),
        )
        for name, texts in lists:
            if name not in without:
                yield from ((name, text) for text in texts)
        yield from (pair for pair in self.plot if pair[0] not in without)

    def query(self, **changes: Any) -> str:
        """The query of the address, `?` in front, of the view after some changes."""
        # What is seen now stands elsewhere in another order or selection.
        changed = replace(self, **{"page": 1, **changes})
        text = urlencode(list(changed.pairs()), quote_via=quote, safe=":,/")
        return f"?{text}" if text else ""


def read_state(asked: QueryParams) -> RunListState:
    """
    The state that an address says.

    Raises:
        InvalidInputError: `request-invalid`, `name-invalid`.
        LimitExceededError: `limit-exceeded`.
    """
    where = tuple(text for text in asked.getlist("where") if text.strip())
    if len(where) > _CONDITIONS_MAX or sum(map(len, where)) > _CHARS_MAX:
        raise LimitExceededError(
            f"a list takes {_CONDITIONS_MAX} conditions of {_CHARS_MAX:,} characters in all",
            code="limit-exceeded",
            limit=_CONDITIONS_MAX,
        )
    columns = _names(asked.getlist("columns"), COLUMNS_MAX, "columns")
    group = _names(asked.getlist("group"), _GROUPS_MAX, "group")
    page = asked.get("page", "1")
    if not (page.isascii() and page.isdecimal() and len(page) < 10 and int(page)):
        raise InvalidInputError(f"there is no page {page[:20]!r}", code="request-invalid")
    return RunListState(
        where=where,
        states=_few(asked.getlist("state")),
        tags=_few(asked.getlist("tag")),
        sort=_names(asked.getlist("sort"), _CONDITIONS_MAX, "sort"),
        # An empty field of a form asks for nothing: those that the page chooses are shown.
        columns=columns or None,
        group=group,
        deleted=asked.get("deleted", "0") not in ("", "0"),
        opened=_few(asked.getlist("open")) if group else (),
        chosen=read_chosen(asked.getlist("run")),
        plot=tuple(
            (name, text[:_PLOT_CHARS]) for name in _PLOT_PARTS if (text := asked.get(name, ""))
        ),
        page=int(page),
    )


def read_chosen(texts: Sequence[str]) -> tuple[str, ...]:
    """
    Ids of runs, each once; a text may have several, with commas between.

    Raises:
        InvalidInputError: `name-invalid`.
        LimitExceededError: `limit-exceeded`.
    """
    every = (one for text in texts for one in text.split(",") if one)
    ids = tuple(dict.fromkeys(map(check_run_id, every)))
    if len(ids) > CHOSEN_MAX:
        raise LimitExceededError(
            f"{len(ids):,} runs are chosen, and {CHOSEN_MAX} can be compared at once",
            code="limit-exceeded",
            hint="choose fewer, or group them",
            limit=CHOSEN_MAX,
        )
    return ids


def _few(texts: Sequence[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(text for text in texts if text))
    if len(found) > _OPEN_MAX:
        raise LimitExceededError(
            f"at most {_OPEN_MAX} values can be given, not {len(found):,}",
            code="limit-exceeded",
            limit=_OPEN_MAX,
        )
    return found


def _names(texts: Sequence[str], most: int, what: str) -> tuple[str, ...]:
    """The names of a part that may be there several times, each with commas between."""
    found = tuple(dict.fromkeys(name for text in texts for name in split_names(text) if name))
    if len(found) > most:
        raise LimitExceededError(
            f"{what} takes at most {most} names, not {len(found):,}",
            code="limit-exceeded",
            limit=most,
        )
    return found

"""
What a name in a condition over runs stands for: a fact, a key of the config, of the summary.

Names of W&B's filters are taken too. Of each run only the members are loaded that are
named: a `Need` is a member of the run, or one key of its config or summary.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from artstore import clock
from artstore.catalog.runs.state import current_state, seconds_of
from artstore.runs.conditions import ANY, RunOperand, field_of
from artstore.runs.nonfinite import restored
from artstore.tables.expressions.refusal import AMBIGUOUS, UNKNOWN, Refusal, did_you_mean
from artstore.tables.expressions.tree import Call, Field, Loop, Node, Path

__all__ = [
    "FACTS",
    "FIRST_NAMES",
    "SECTIONS",
    "Need",
    "RunNames",
    "fact_of",
    "needs_of",
    "paths_of",
    "read_path",
    "shown_name",
]

Need = tuple[str, ...]
"""`("name",)`, or `("config", "lr")`."""

SECTIONS: Final = {
    "config": "config",
    "summary": "summary",
    "summary_metrics": "summary",
    "summaryMetrics": "summary",
}
_STATE_NEEDS: Final = ("deleted", "sessions")


def _state(whole: Mapping[str, Any]) -> str:
    return current_state(whole, clock.now_seconds())


def _duration(whole: Mapping[str, Any]) -> float | None:
    """From its beginning to its end, or to now if it is going on."""
    ends = [seconds_of(one.get("ended")) for one in whole["sessions"] if one.get("ended")]
    begun = seconds_of(whole["created"])
    if not begun:
        return None
    if _state(whole) == "running":
        return max(0.0, clock.now_seconds() - begun)
    return max(0.0, max(ends, default=seconds_of(whole["updated"])) - begun)


def _of_session(name: str) -> Callable[[Mapping[str, Any]], Any]:
    """What its last primary session says."""

    def get(whole: Mapping[str, Any]) -> Any:
        sessions = whole["sessions"]
        told = [one for one in sessions if one.get("is_primary")] or sessions
        return told[-1].get(name) if told else None

    return get


def _of_member(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda whole: whole[name]


def _moment(name: str) -> Callable[[Mapping[str, Any]], dt.datetime | None]:
    def get(whole: Mapping[str, Any]) -> dt.datetime | None:
        text = whole[name]
        try:
            return dt.datetime.fromisoformat(text).replace(tzinfo=None)
        except (ValueError, TypeError):
            return None

    return get


_Fact = tuple[str, tuple[str, ...], Callable[[Mapping[str, Any]], Any]]
"""Kind, members of the run that it is made of, and how."""

FACTS: Final[dict[str, _Fact]] = {
    "id": ("text", ("run",), _of_member("run")),
    "name": ("text", ("name",), _of_member("name")),
    "state": ("text", _STATE_NEEDS, _state),
    "created": ("time", ("created",), _moment("created")),
    "updated": ("time", ("updated",), _moment("updated")),
    "duration": ("number", (*_STATE_NEEDS, "created", "updated"), _duration),
    "tags": ("list", ("tags",), _of_member("tags")),
    "group": ("text", ("group",), _of_member("group")),
    "job_type": ("text", ("job_type",), _of_member("job_type")),
    "notes": ("text", ("notes",), _of_member("notes")),
    "user": ("text", ("sessions",), _of_session("user")),
    "host": ("text", ("sessions",), _of_session("host")),
    "exit_code": ("number", ("sessions",), _of_session("exit_code")),
}
"""Bare names, with their kinds."""

_OTHER_NAMES: Final = {
    "run": "id",
    "display_name": "name",
    "displayName": "name",
    "created_at": "created",
    "createdAt": "created",
    "updated_at": "updated",
    "updatedAt": "updated",
    "heartbeat_at": "updated",
    "heartbeatAt": "updated",
    "jobType": "job_type",
    "username": "user",
}
FIRST_NAMES: Final = frozenset([*FACTS, *_OTHER_NAMES, *SECTIONS])
"""What a path may begin with and mean the same in every project."""


def fact_of(whole: Mapping[str, Any], name: str) -> Any:
    """The value of one of `FACTS`."""
    return FACTS[name][2](whole)


class RunNames:
    """
    The names of a selection, resolved over the values that were loaded for them.

    Args:
        needs: what is loaded of each run, in order.
        rows: of each run the values of `needs`.
        known_keys: all keys of config and summary, asked for when a name cannot be found.
    """

    def __init__(
        self,
        needs: Sequence[Need],
        rows: Sequence[Sequence[Any]],
        known_keys: Callable[[], Mapping[str, Iterable[str]]],
    ) -> None:
        self._places = {need: place for place, need in enumerate(needs)}
        self._rows = rows
        self._known_keys = known_keys

    def resolve(self, path: Path) -> RunOperand:
        """
        What computes the value of a path in a row.

        Raises:
            Refusal: `column-unknown`, `column-ambiguous`.
        """
        first, *rest = path.parts
        section = SECTIONS.get(first)
        if section is not None:
            if not rest:
                hint = f"name a key of it: {section}.lr" if section == "config" else None
                raise Refusal(path.position, f"{section} is no value", kind=UNKNOWN, hint=hint)
            return self._key(section, rest, path.position)
        fact = FACTS.get(_OTHER_NAMES.get(first, first))
        if fact is not None:
            term = self._fact(fact, path.position)
            for name, position in zip(rest, path.positions[1:], strict=True):
                term = field_of(term, name, position)
            return term
        return self._bare(path)

    def _fact(self, fact: _Fact, position: int) -> RunOperand:
        kind, members, make = fact
        places = [(member, self._places[member,]) for member in members]

        def get(row: Sequence[Any]) -> Any:
            return make({member: row[place] for member, place in places})

        if len(members) == 1 and kind in ("text", "list") and members[0] != "sessions":
            ((_, place),) = places
            return RunOperand(lambda row: row[place], kind, position)
        return RunOperand(get, kind, position)

    def _key(self, section: str, parts: Sequence[str], position: int) -> RunOperand:
        """The value behind a path: the shortest key first, since keys may have dots."""
        heads = [
            (self._places[section, ".".join(parts[:end])], tuple(parts[end:]))
            for end in range(1, len(parts) + 1)
        ]
        may_be_wrapped = section == "config" and len(parts) > 1 and parts[-1] == "value"

        def get(row: Sequence[Any]) -> Any:
            for place, rest in heads:
                value = row[place]
                if value is None:
                    continue
                if type(value) is dict:
                    value = restored(value)
                if not rest:
                    return value
                found = _inside(value, rest)
                if found is None and may_be_wrapped:
                    # W&B has `config.lr.value` for `config.lr`.
                    found = _inside(value, rest[:-1])
                if found is not None:
                    return found
            return None

        return RunOperand(get, ANY, position)

    def _bare(self, path: Path) -> RunOperand:
        name = ".".join(path.parts)
        found = [section for section in ("config", "summary") if self._has(section, path.parts)]
        if not found:
            known = self._known_keys()
            found = [section for section, keys in known.items() if path.parts[0] in keys]
            if not found:
                names = (*FACTS, *known, *(key for keys in known.values() for key in keys))
                raise Refusal(
                    path.position,
                    f"no run has {name!r}",
                    kind=UNKNOWN,
                    hint=did_you_mean(name, names),
                )
        if len(found) > 1:
            shown = shown_name(path.parts)
            raise Refusal(
                path.position,
                f"both config and summary have {name!r}",
                kind=AMBIGUOUS,
                hint=f"say which: config.{shown} or summary.{shown}",
            )
        return self._key(found[0], path.parts, path.position)

    def _has(self, section: str, parts: Sequence[str]) -> bool:
        get = self._key(section, parts, 0).get
        return any(get(row) is not None for row in self._rows)


def _inside(value: Any, parts: Sequence[str]) -> Any:
    for part in parts:
        if type(value) is not dict:
            return None
        value = value.get(part)
    return value


def needs_of(path: Path) -> Iterator[Need]:
    """What has to be loaded of each run, so that a path can be resolved."""
    first, *rest = path.parts
    section = SECTIONS.get(first)
    fact = FACTS.get(_OTHER_NAMES.get(first, first))
    if section is not None:
        yield from _key_needs(section, rest)
    elif fact is not None:
        yield from ((member,) for member in fact[1])
    else:
        yield from _key_needs("config", path.parts)
        yield from _key_needs("summary", path.parts)


def _key_needs(section: str, parts: Sequence[str]) -> Iterator[Need]:
    for end in range(1, len(parts) + 1):
        yield section, ".".join(parts[:end])


def paths_of(node: Node) -> Iterator[Path]:
    """The paths in a tree, as often as they stand there."""
    if isinstance(node, Path):
        yield node
    elif isinstance(node, Call):
        for argument in node.arguments:
            yield from paths_of(argument)
    elif isinstance(node, Field):
        yield from paths_of(node.of)
    elif isinstance(node, Loop):
        yield from paths_of(node.over)
        yield from paths_of(node.body)


# names by themselves -------------------------------------------------------------------

_PART: Final = re.compile(r'"((?:[^"]|"")*)"|([^".,]+)')


def read_path(text: str, start: int, end: int) -> Path:
    """
    A name by itself, as orders and columns have it: no quotation marks are needed in
    `summary.val/acc`.

    Args:
        start: where it begins in `text`.
        end: where it ends.
    Raises:
        Refusal: it is none.
    """
    parts, positions, at = [], [], start
    while True:
        match = _PART.match(text, at, end)
        if match is None:
            raise Refusal(min(at, len(text)), "a name is wanted here", hint="such as summary.acc")
        quoted, plain = match.groups()
        parts.append(plain.strip() if quoted is None else quoted.replace('""', '"'))
        positions.append(at)
        at = match.end()
        if at >= end:
            break
        if text[at] != ".":
            raise Refusal(at, f"{text[at]!r} does not fit here")
        at += 1
    if not all(parts):
        raise Refusal(start, "a name is wanted here", hint="such as summary.acc")
    return Path(tuple(parts), tuple(positions))


def shown_name(parts: Sequence[str]) -> str:
    """A path as it is written in SQL."""
    return ".".join(
        part if part.isidentifier() else '"' + part.replace('"', '""') + '"' for part in parts
    )

"""
The runs of a project as lists of the page read them: all of one moment, in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from artstore import clock
from artstore.catalog.runs.state import current_state
from artstore.runs.columns import flattened
from artstore.runs.names import FACTS, FIRST_NAMES, SECTIONS, read_path, shown_name
from artstore.tables.expressions.refusal import AMBIGUOUS, UNKNOWN, Refusal, did_you_mean, told
from artstore.web.site import RecentValues

if TYPE_CHECKING:
    from artstore.web.site import Site

__all__ = ["KeyFacts", "ProjectRuns", "can_be_named", "project_runs"]

_SECTIONS: Final = ("config", "summary")
_PROJECT_COUNT: Final = 8
_TAG_CHARS: Final = 500
_FIRST_LOOK: Final = 20_000
"""Values that are looked at to choose columns: no more than 20 ms."""
_LONG_LOOK: Final = 400_000
_COMPARED_CHARS: Final = 1_000
_CHOSEN_COUNT: Final = 4
"""Of config, and of summary, in the columns that the page chooses."""
_KINDS: Final = {
    bool: "bool",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "object",
}

Whole = Mapping[str, Any]


class KeyFacts(NamedTuple):
    """
    What is known of one key of config or summary.

    Attributes:
        name: as conditions have it: `config.optim.lr`.
        run_count: in how many of the runs that were looked at it is.
        kind: `number`, `text`, `bool`, `list`, `object`, or `mixed`.
        differs: whether two of them have other values.
    """

    name: str
    section: str
    run_count: int
    kind: str
    differs: bool


class ProjectRuns:
    """
    All runs of a project at one moment. Safe between threads; nothing in it changes.

    Args:
        wholes: the facts of runs, as `RunIndex.runs` gives them.
        revision: another one whenever something is different.
    """

    def __init__(self, project: str, wholes: Sequence[Whole], revision: int) -> None:
        self.project = project
        self.revision = revision
        self.wholes = wholes
        self._by_id: dict[str, Whole] | None = None
        self._chosen: list[str] | None = None
        self._facts: list[KeyFacts] | None = None

    # what selections ask ------------------------------------------------------------------

    def members(self, project: str, wanted: Sequence[tuple[str, ...]]) -> list[list[Any]]:
        """As `RunIndex.members`."""
        assert project == self.project
        rows = [[whole.get(member[0]) for member in wanted] for whole in self.wholes]
        for place, member in enumerate(wanted):
            if len(member) > 1:
                for row in rows:
                    value = row[place]
                    row[place] = value.get(member[1]) if type(value) is dict else None
        return rows

    def keys(self, project: str) -> dict[str, list[str]]:
        """As `RunIndex.keys`."""
        assert project == self.project
        found: dict[str, dict[str, None]] = {name: {} for name in _SECTIONS}
        for whole in self.wholes:
            for name, known in found.items():
                known.update(dict.fromkeys(whole[name]))
        return {name: list(known) for name, known in found.items()}

    def get(self, run_id: str) -> Whole | None:
        """One run."""
        if self._by_id is None:
            self._by_id = {whole["run"]: whole for whole in self.wholes}
        return self._by_id.get(run_id)

    def some(self, ids: Iterable[str]) -> list[Whole]:
        """These runs, in this order; what is not there is left out."""
        found = (self.get(run_id) for run_id in ids)
        return [whole for whole in found if whole is not None]

    def count(self, *, deleted: bool) -> int:
        """How many there are."""
        return len(self.wholes) if deleted else sum(not one["deleted"] for one in self.wholes)

    def states(self) -> dict[str, int]:
        """How many are in each state, deleted ones left out."""
        now = clock.now_seconds()
        counted = Counter(current_state(one, now) for one in self.wholes if not one["deleted"])
        return dict(sorted(counted.items()))

    def tags(self) -> list[tuple[str, int]]:
        """The tags of runs that are not deleted, the most used ones first."""
        counted: Counter[str] = Counter()
        for whole in self.wholes:
            if not whole["deleted"]:
                # By longer ones nobody filters with a click.
                counted.update(
                    tag for tag in whole["tags"] if type(tag) is str and len(tag) <= _TAG_CHARS
                )
        return sorted(counted.items(), key=lambda item: (-item[1], item[0]))

    # names --------------------------------------------------------------------------------

    def full_name(self, name: str) -> str:
        """
        The name with its section: `lr` is `config.lr` where only configs have such a key.

        Raises:
            InvalidInputError: `column-unknown`, `column-ambiguous`, `expression-invalid`.
        """
        with told(name):
            path = read_path(name, 0, len(name))
            if path.parts[0] in FIRST_NAMES:
                return shown_name((SECTIONS.get(path.parts[0], path.parts[0]), *path.parts[1:]))
            keys = self.keys(self.project)
            heads = {".".join(path.parts[:end]) for end in range(1, len(path.parts) + 1)}
            found = [section for section in _SECTIONS if not heads.isdisjoint(keys[section])]
            shown = shown_name(path.parts)
            if not found:
                known = (*FACTS, *_SECTIONS, *(key for section in keys.values() for key in section))
                hint = did_you_mean(shown, known)
                raise Refusal(0, f"no run has {shown!r}", kind=UNKNOWN, hint=hint)
            if len(found) > 1:
                hint = f"say which: config.{shown} or summary.{shown}"
                raise Refusal(
                    0, f"both config and summary have {shown!r}", kind=AMBIGUOUS, hint=hint
                )
            return f"{found[0]}.{shown}"

    def first_columns(self) -> list[str]:
        """The columns of a list of which nobody said which: what there is, and what differs."""
        if self._chosen is None:
            facts = ["state", "created", "duration", "user"]
            there = [whole for whole in self.wholes if not whole["deleted"]]
            facts += [name for name in ("group", "job_type", "tags") if any(w[name] for w in there)]
            found = list(_key_facts(_some(there, _FIRST_LOOK)))
            for section in _SECTIONS:
                keys = [one for one in found if one.section == section and _is_told(one)]
                keys.sort(key=lambda one: (not one.differs, -one.run_count))
                facts += [one.name for one in keys[:_CHOSEN_COUNT]]
            self._chosen = facts
        return self._chosen

    def key_facts(self) -> list[KeyFacts]:
        """
        Every key of config and summary, by name.

        Of very many values only some are looked at: keys in objects that few runs have may
        be missing.
        """
        if self._facts is None:
            found = {one.name: one for one in _key_facts(_some(self.wholes, _LONG_LOOK))}
            for section, keys in self.keys(self.project).items():
                for key in keys:
                    name = f"{section}.{shown_name((key,))}"
                    if not key:
                        continue
                    # Of an object only its members are told.
                    if name not in found and not any(one.startswith(f"{name}.") for one in found):
                        found[name] = KeyFacts(name, section, 0, "mixed", differs=False)
            self._facts = sorted(found.values(), key=lambda one: (one.section, one.name))
        return self._facts


def can_be_named(name: str) -> bool:
    """Whether a key, as `flattened` tells it, can stand in a condition: an empty one cannot."""
    try:
        read_path(name, 0, len(name))
    except Refusal:
        return False
    return True


def project_runs(site: Site, project: str) -> ProjectRuns:
    """
    The runs of a project as they are now, those of this machine up to this second.

    Raises:
        InvalidInputError: `name-invalid`.
    """
    known: RecentValues[str, ProjectRuns] = site.kept(
        "listed runs", lambda: RecentValues(_PROJECT_COUNT)
    )
    live = site.live.runs(project)
    found = known.get(project)
    if found is None or found.wholes is not live.wholes:
        found = known.put(project, ProjectRuns(project, live.wholes, live.revision))
    return found


def _is_told(one: KeyFacts) -> bool:
    """Whether a column can tell it; what begins with `_` is told otherwise: steps, times."""
    return one.kind not in ("object", "list") and not one.name.startswith(
        ("summary._", 'summary."_')
    )


def _some(wholes: Sequence[Whole], value_count: int) -> list[Whole]:
    """Runs from everywhere, the newest among them, with about so many values at the most."""
    sizes = [len(whole["config"]) + len(whole["summary"]) + 1 for whole in wholes]
    total = sum(sizes)
    if total <= value_count:
        return list(wholes)
    count = max(1, len(wholes) * value_count // total)
    step = len(wholes) / count
    return [wholes[len(wholes) - 1 - int(place * step)] for place in range(count)]


def _key_facts(wholes: Sequence[Whole]) -> Iterator[KeyFacts]:
    for section in _SECTIONS:
        counts: Counter[str] = Counter()
        kinds: dict[str, set[str]] = {}
        values: dict[str, set[str]] = {}
        for whole in wholes:
            for key, value in flattened(whole[section]).items():
                if value is None:
                    continue
                counts[key] += 1
                kinds.setdefault(key, set()).add(_KINDS.get(type(value), "mixed"))
                known = values.setdefault(key, set())
                if len(known) < 2:
                    known.add(repr(value)[:_COMPARED_CHARS])
        for key, count in counts.items():
            if not can_be_named(key):
                continue
            kind = kinds[key].pop() if len(kinds[key]) == 1 else "mixed"
            differs = len(values[key]) > 1 or count < len(wholes)
            yield KeyFacts(f"{section}.{key}", section, count, kind, differs)

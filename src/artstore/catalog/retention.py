"""
What a collection keeps: the rule that `art prune` applies to it. Pure, no I/O.

The rule decides nothing by itself: what it gives up is deleted by a tombstone, which is an
entry of the log like any other (PROTOCOL G4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

from artstore import limits
from artstore.durations import DURATION_MAX_SECONDS, duration_text
from artstore.errors import InvalidInputError

__all__ = ["Retention", "is_alias_pattern"]

_COUNT_MAX: Final = 999_999_999
# What aliases are made of, and what fnmatch reads: no free text in logs (P1).
_PATTERN: Final = re.compile(r"[A-Za-z0-9_\-.*?\[\]!]+")


def is_alias_pattern(value: Any) -> bool:
    """Whether it can be a pattern of aliases: `best`, `prod-*`."""
    return (
        type(value) is str
        and len(value) <= limits.NAME_MAX_CHARS
        and _PATTERN.fullmatch(value) is not None
    )


@dataclass(frozen=True, slots=True)
class Retention:
    """
    What of a collection stays. A version stays if any of these says so.

    Attributes:
        keep_last: so many of the newest versions, 1 or more.
        keep_within: versions that are younger; whole seconds.
        keep_aliases: which aliases keep a version, as patterns (`prod-*`); if none is
            given, every alias does.

    Whatever the rule, the newest version stays, and what is pinned, in use by a running run,
    or has a protected alias. Without any of the three nothing is given up by age or number.

    Raises:
        InvalidInputError: `value-invalid`.
    """

    keep_last: int | None = None
    keep_within: timedelta | None = None
    keep_aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        last, within = self.keep_last, self.keep_within
        if last is not None and (type(last) is not int or not 1 <= last <= _COUNT_MAX):
            raise _invalid(
                f"keep_last is a number of versions from 1 on, not {last!r}",
                "the newest version always stays",
            )
        if within is not None and not (
            isinstance(within, timedelta) and 1 <= within.total_seconds() <= DURATION_MAX_SECONDS
        ):
            raise _invalid(
                f"keep_within is a timedelta of a second to 1,000 years, not {within!r}", None
            )
        if isinstance(self.keep_aliases, str):
            raise _invalid(f"keep_aliases is a list of patterns, not {self.keep_aliases!r}", None)
        # As a log tells it again: whole seconds, each pattern once.
        if within is not None:
            object.__setattr__(self, "keep_within", timedelta(seconds=int(within.total_seconds())))
        object.__setattr__(self, "keep_aliases", tuple(dict.fromkeys(self.keep_aliases)))
        for pattern in self.keep_aliases:
            if not is_alias_pattern(pattern):
                raise _invalid(
                    f"{pattern!r} is no pattern of aliases",
                    "letters, digits, _, -, . and *, ?, [...]: best, prod-*",
                )

    def __str__(self) -> str:
        parts = [f"last {self.keep_last}"] if self.keep_last else []
        parts += [f"within {duration_text(seconds)}"] if (seconds := self.within_seconds) else []
        parts += [f"alias {pattern}" for pattern in self.keep_aliases]
        return f"keep {', '.join(parts)}" if parts else "keep all"

    @property
    def is_empty(self) -> bool:
        """Whether it gives nothing up."""
        return not (self.keep_last or self.keep_within or self.keep_aliases)

    @property
    def within_seconds(self) -> int | None:
        """`keep_within` in seconds."""
        return None if self.keep_within is None else int(self.keep_within.total_seconds())

    def counting(self, aliases: Iterable[str]) -> tuple[str, ...]:
        """Those of the aliases of a version that keep it."""
        if not self.keep_aliases:
            return tuple(aliases)
        return tuple(
            alias
            for alias in aliases
            if any(fnmatchcase(alias, pattern) for pattern in self.keep_aliases)
        )

    def fields(self, protected: Iterable[str]) -> dict[str, Any]:
        """The fields of the entry that states it, with the aliases that are protected."""
        stated: dict[str, Any] = {
            "keep_last": self.keep_last,
            "keep_within_seconds": self.within_seconds,
            "keep_aliases": list(self.keep_aliases),
            "protected": sorted(protected),
        }
        return {name: value for name, value in stated.items() if value}

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Retention:
        """The rule that a checked entry states."""
        seconds = fields.get("keep_within_seconds")
        return cls(
            fields.get("keep_last"),
            None if seconds is None else timedelta(seconds=seconds),
            tuple(fields.get("keep_aliases") or ()),
        )


def _invalid(message: str, hint: str | None) -> InvalidInputError:
    return InvalidInputError(message, code="value-invalid", hint=hint)

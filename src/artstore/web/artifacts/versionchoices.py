"""
Versions of an artifact as a form lets people choose among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from artstore.web.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artstore.api import VersionState

__all__ = ["version_choices"]

_COUNT_MAX: Final = 500
_ALIASES_CHARS: Final = 60


def version_choices(states: Iterable[VersionState]) -> list[tuple[str, str]]:
    """(`v3`, `v3 best, clean`) of the newest versions that are not deleted, the newest first."""
    newest = sorted((state for state in states if state.is_live), key=_number, reverse=True)
    return [
        (f"v{state.version}", f"v{state.version} {_aliases(state)}".rstrip())
        for state in newest[:_COUNT_MAX]
    ]


def _number(state: VersionState) -> int:
    return state.version


def _aliases(state: VersionState) -> str:
    return visible(", ".join(state.aliases), _ALIASES_CHARS, lines=False)

"""
Calls that scripts make before they begin a run, and that nothing has to be done for here.
"""

from __future__ import annotations

from typing import Any

__all__ = ["login", "require", "setup", "teardown"]


def login(*args: Any, **kwargs: Any) -> bool:  # noqa: ARG001 - whatever a script gives
    """True: a store has no accounts; who may read it is a matter of its directory or bucket."""
    return True


def require(*args: Any, **kwargs: Any) -> None:
    """Nothing has to be asked for."""


def setup(*args: Any, **kwargs: Any) -> None:
    """Nothing has to be prepared."""


def teardown(exit_code: int | None = None) -> None:
    """End the run that is going on, if there is one: nothing else has to be taken down."""
    from artstore.tracking.current import finish

    finish(exit_code)

"""
Calls that scripts make, and that nothing has to be done for here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

__all__ = ["RunExpected", "login", "require", "setup", "teardown"]


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


class RunExpected:
    """The part of `Run` that is there because scripts ask for it."""

    @property
    def dir(self) -> str:
        """As `Run.dir`."""
        raise NotImplementedError

    @property
    def entity(self) -> str | None:
        """None: a store has no teams."""
        return None

    @property
    def offline(self) -> bool:
        """False: offline is no mode here."""
        return False

    @property
    def sweep_id(self) -> None:
        """None: sweeps are not part of this project."""
        return

    @property
    def sync_dir(self) -> str:
        """The directory that has `dir` in it, with the journal."""
        return os.path.dirname(self.dir)

    def pin_config_keys(self, keys: Sequence[str]) -> None:
        """Nothing: each list of runs says which columns it has."""

"""Real processes for tests: forked children with their own user, group, umask and limits."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable
from typing import Any


class ChildProcess:
    """
    `work` in a forked child; `result` waits and gives its value or raises its error.

    Args:
        user, group, groups: whom the child becomes for good (real setuid; needs root).
        umask: of the child.
    """

    def __init__(
        self,
        work: Callable[[], Any],
        *,
        user: int | None = None,
        group: int | None = None,
        groups: tuple[int, ...] = (),
        umask: int | None = None,
    ) -> None:
        self._reader, writer = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of threads; those of finished tests hold no lock we need.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            try:
                if umask is not None:
                    os.umask(umask)
                if user is not None:
                    os.setgroups(groups)
                    os.setgid(group if group is not None else user)
                    os.setuid(user)
                answer = (True, work())
            except BaseException as error:  # noqa: BLE001 - travels to the parent
                answer = (False, error)
            with os.fdopen(writer, "wb") as stream:
                pickle.dump(answer, stream)
            os._exit(0)
        os.close(writer)

    def kill(self, signal: int) -> None:
        os.kill(self.pid, signal)
        os.waitpid(self.pid, 0)
        os.close(self._reader)

    def result(self) -> Any:
        with os.fdopen(self._reader, "rb") as stream:
            data = stream.read()
        os.waitpid(self.pid, 0)
        is_ok, answer = pickle.loads(data)
        if not is_ok:
            raise answer
        return answer

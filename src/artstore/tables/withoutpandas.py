"""
Arrow in a process that nobody else programs: it need not look for values of pandas.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any, Final

__all__ = ["leave_pandas_out"]

_LEFT_OUT: Final = "pandas"


class _Refusal(MetaPathFinder):
    """Finds nothing of pandas."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Raises ModuleNotFoundError for pandas; leaves all else to others."""
        del path, target
        if fullname == _LEFT_OUT:
            raise ModuleNotFoundError("pandas is left out", name=fullname)


def leave_pandas_out() -> None:
    """
    Have Arrow settle now that what it is given is never of pandas.

    The first `pa.array` imports pandas to ask whether it was given a Series: 0.2 seconds and 45 MB,
    each time that a program starts. Only for programs of ours: a Series would be taken for a list.
    `to_pandas` imports pandas as ever, and from then on all is as usual.
    """
    import pyarrow as pa

    if _LEFT_OUT in sys.modules:
        return
    refusal = _Refusal()
    sys.meta_path.insert(0, refusal)
    try:
        # Arrow asks once in a process.
        pa.array([0])
    finally:
        sys.meta_path.remove(refusal)

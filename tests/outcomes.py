"""Whether a test has failed, for what it leaves behind then."""

from __future__ import annotations

from typing import Final

import pytest

FAILED: Final = pytest.StashKey[bool]()


def has_failed(item: pytest.Item) -> bool:
    """Whether the test, or what it needs, has failed so far."""
    return item.stash.get(FAILED, False)

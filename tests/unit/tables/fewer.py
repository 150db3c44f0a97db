"""How many examples a property gets of which each asks the query engine dozens of times."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

FEWER: Final = settings(max_examples=max(settings.default.max_examples // 8, 12))

"""
What columns of what is right, and of what was predicted, are usually called.
"""

from __future__ import annotations

from typing import Final

__all__ = ["GUESS_NAMES", "TRUTH_NAMES"]

TRUTH_NAMES: Final = ("truth", "label", "target", "expected", "ground_truth")
GUESS_NAMES: Final = ("guess", "prediction", "predicted", "pred", "output")

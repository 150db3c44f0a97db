"""Histograms: counts and the edges of their bins, inside the cell, without a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from artstore import canonical, limits
from artstore.digest import digest_of
from artstore.errors import InvalidInputError, LimitExceededError
from artstore.media.cells import damaged_cell
from artstore.media.content import MediaContent
from artstore.media.values import PreparedMedia, as_array

__all__ = ["Histogram"]


class Histogram:
    """
    How often numbers fall between which others.

    Args:
        sequence: numbers to count; all finite.
        np_histogram: counts and edges as `numpy.histogram` gives them, instead.
        num_bins: how many bins of equal width `sequence` is counted in.
    Raises:
        InvalidInputError: `histogram-invalid`.
        LimitExceededError: `limit-exceeded`, for more than 512 bins.
    """

    __slots__ = ("bins", "values")

    type_name: ClassVar[str] = "histogram"

    bins: tuple[float, ...]
    values: tuple[float, ...]

    def __init__(
        self,
        sequence: Any = None,
        np_histogram: Any = None,
        num_bins: int = 64,
    ) -> None:
        if (sequence is None) == (np_histogram is None):
            raise _invalid("it is made from either a sequence or counts and edges")
        if np_histogram is not None:
            try:
                values, bins = np_histogram
            except (TypeError, ValueError) as error:
                raise _invalid("np_histogram is not a pair of counts and edges") from error
        else:
            _check_count(num_bins)
            values, bins = _counted(sequence, num_bins)
        self.values, self.bins = _numbers(values, "counts"), _numbers(bins, "edges")
        _check_count(len(self.values))
        if len(self.bins) != len(self.values) + 1:
            raise _invalid(f"{len(self.values)} counts have {len(self.bins)} edges, not one more")
        if any(left > right for left, right in zip(self.bins, self.bins[1:], strict=False)):
            raise _invalid("the edges do not ascend")

    @property
    def digest(self) -> bytes:
        """32 bytes, of the canonical JSON of counts and edges."""
        return digest_of(canonical.encode(self.identity(), what="a histogram"))

    def identity(self) -> dict[str, Any]:
        """Counts and edges."""
        return {"values": list(self.values), "bins": list(self.bins)}

    def prepare(self) -> PreparedMedia:
        """The cell; there is no file."""
        return PreparedMedia(self.identity())

    @classmethod
    def from_cell(
        cls, cell: Mapping[str, Any], open_content: Callable[[str], MediaContent] | None = None
    ) -> Histogram:
        """The histogram that `prepare` gave as `cell`. Raises DamagedDataError."""
        del open_content
        try:
            return cls(np_histogram=(cell["values"], cell["bins"]))
        except (InvalidInputError, KeyError, TypeError) as error:
            raise damaged_cell("a histogram", error) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.identity() == other.identity()

    def __hash__(self) -> int:
        return hash((self.values, self.bins))

    def __repr__(self) -> str:
        return f"<Histogram of {len(self.values)} bins from {self.bins[0]:g} to {self.bins[-1]:g}>"


def _counted(sequence: Any, num_bins: int) -> tuple[Any, Any]:
    import numpy as np

    array = as_array(sequence)
    try:
        numbers = np.asarray(list(sequence) if array is None else array, dtype=np.float64)
        if not np.isfinite(numbers).all():
            raise _invalid("NaN or infinity is among the numbers")
        return np.histogram(numbers, bins=num_bins)
    except (TypeError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise _invalid(f"the sequence is not made of numbers: {error}") from error


def _numbers(values: Any, what: str) -> tuple[float, ...]:
    array = as_array(values)
    try:
        numbers = tuple(float(value) for value in (values if array is None else array.tolist()))
    except (TypeError, ValueError) as error:
        raise _invalid(f"{what} are not a list of numbers") from error
    if not numbers or not all(map(math.isfinite, numbers)):
        raise _invalid(f"{what} are empty, or not finite")
    return numbers


def _check_count(count: int) -> None:
    if not 1 <= count <= limits.HISTOGRAM_BIN_COUNT:
        raise LimitExceededError(
            f"a histogram has 1 to {limits.HISTOGRAM_BIN_COUNT} bins, not {count}",
            code="limit-exceeded",
            hint="use fewer bins, or log the numbers as a column of a table",
            limit=limits.HISTOGRAM_BIN_COUNT,
        )


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(f"a histogram cannot be made: {why}", code="histogram-invalid")

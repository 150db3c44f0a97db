"""
Content-defined cutting: the same bytes are cut at the same places wherever they stand.

The algorithm is FastCDC 2020 as `pyfastcdc` has it (ADR 0002: it is faster
than the other wheel and cuts without holding the interpreter lock). Where cuts
fall decides only how much two versions share, never what is read back.
"""

from __future__ import annotations

from artstore import limits

__all__ = ["PARAMETERS", "Cutter"]

PARAMETERS = {
    "algorithm": "fastcdc-2020",
    "average_bytes": limits.CHUNK_CUT_AVERAGE_BYTES,
    "max_bytes": limits.CHUNK_CUT_MAX_BYTES,
    "min_bytes": limits.CHUNK_CUT_MIN_BYTES,
    "normalization": 1,
}
"""Written into `artstore.json`; writers of one store should agree, to share chunks."""


class Cutter:
    """Finds cut points. One instance a thread."""

    def __init__(self) -> None:
        # Imported here: it costs 80 ms and small files never need it.
        from pyfastcdc import FastCDC

        self._cdc = FastCDC(
            limits.CHUNK_CUT_AVERAGE_BYTES,
            min_size=limits.CHUNK_CUT_MIN_BYTES,
            max_size=limits.CHUNK_CUT_MAX_BYTES,
            normalized_chunking=1,
        )

    def lengths(self, window: memoryview, *, final: bool) -> list[int]:
        """
        The lengths in bytes of the chunks that start at the first byte of `window`.

        Unless `final`, the last piece is left out: more bytes could move its
        end. The caller puts it in front of the next window. Empty when nothing
        can be told yet.

        Cost: about 3 GB/s, other threads run meanwhile.
        """
        lengths = [chunk.length for chunk in self._cdc.cut_buf(window)]
        return lengths if final else lengths[:-1]

"""
Every limit in one place, each with its reason.

The FORMAT limits are part of format v1: readers refuse what passes them
before they allocate, so that a hostile length field costs nothing. The
others are choices of this release and may move.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# --- FORMAT: hard limits of v1 ------------------------------------------------
CHUNK_MAX_BYTES: Final = 8 * MIB
"""Plain bytes of one chunk; also the largest zstd window a reader grants."""
PACK_MAX_BYTES: Final = 64 * MIB
PACK_CHUNK_COUNT: Final = 65_536
FOOTER_MAX_BYTES: Final = 8 * MIB
SEGMENT_MAX_BYTES: Final = 4 * MIB
SEGMENT_ENTRY_COUNT: Final = 8_192
"""Hostile paths could avoid every boundary; a segment is cut here at the latest."""
ROOT_MAX_BYTES: Final = 64 * MIB
ENTRY_MAX_BYTES: Final = 1 * MIB
"""One log entry, and one manifest entry with its inline chunk list."""
PATH_MAX_BYTES: Final = 4_096
TREE_MAX_LEVELS: Final = 4
"""Levels of chunk-list or segment-list nodes above the leaves."""
JSON_MAX_LEVELS: Final = 100
"""Lists and objects inside one another, in log entries, metadata and manifest roots."""
LOG_NUMBER_DIGITS: Final = 12
NAME_MAX_CHARS: Final = 128
KEY_PART_MAX_CHARS: Final = 255
"""What the common file systems take as one name; the longest escaped name."""
METADATA_MAX_BYTES: Final = 1 * MIB

# --- CHOICES of this release --------------------------------------------------
CHUNK_CUT_MIN_BYTES: Final = 32 * KIB
CHUNK_CUT_AVERAGE_BYTES: Final = 128 * KIB
CHUNK_CUT_MAX_BYTES: Final = 512 * KIB
PACK_TARGET_BYTES: Final = 16 * MIB
"""A pack is closed when its stored chunks reach this."""
SEGMENT_TARGET_COUNT: Final = 512
"""Entries of an average segment: 10 scattered changes in 1 M rewrite < 0.5 MB."""
INLINE_SEGMENTS_BYTES: Final = 64 * KIB
"""Segments up to this many bytes in all travel inside the root: one request less."""
READ_WINDOW_BYTES: Final = 8 * MIB
"""One read of a large source file, and the largest coalesced read of a pack."""
READ_GAP_BYTES: Final = 64 * KIB
"""Two ranges of one pack closer than this are fetched as one."""
CACHE_MAX_BYTES: Final = 10 * 1024 * MIB
"""Default cap of the local content cache."""
IMAGE_MAX_PIXELS: Final = 268_435_456
"""16,384 x 16,384: up to 1 GiB when decoded. A header that claims more is refused unread."""
IMAGE_MAX_SIDE_PIXELS: Final = 65_500
"""JPEG ends at 65,535 and its encoders a little before."""
HISTOGRAM_BIN_COUNT: Final = 512
"""A histogram travels inside a row; more bins are a column of their own."""

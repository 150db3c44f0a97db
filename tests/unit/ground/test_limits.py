from __future__ import annotations

from artstore import limits


def test_the_choices_of_a_release_stay_within_the_format() -> None:
    assert (
        0
        < limits.CHUNK_CUT_MIN_BYTES
        < limits.CHUNK_CUT_AVERAGE_BYTES
        < limits.CHUNK_CUT_MAX_BYTES
        <= limits.CHUNK_MAX_BYTES
    )
    # A pack is closed after the chunk that reaches the target, footer and all.
    assert (
        limits.PACK_TARGET_BYTES + limits.CHUNK_MAX_BYTES + limits.FOOTER_MAX_BYTES
        <= limits.PACK_MAX_BYTES
    )
    assert limits.SEGMENT_TARGET_COUNT < limits.SEGMENT_ENTRY_COUNT
    assert limits.SEGMENT_MAX_BYTES <= limits.CHUNK_MAX_BYTES
    assert limits.INLINE_SEGMENTS_BYTES < limits.ROOT_MAX_BYTES


def test_an_escaped_name_and_a_log_number_fit_on_a_disk() -> None:
    assert limits.KEY_PART_MAX_CHARS <= 255
    assert limits.NAME_MAX_CHARS < limits.KEY_PART_MAX_CHARS
    assert 10**limits.LOG_NUMBER_DIGITS > 2**32

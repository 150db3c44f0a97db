from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from artstore import canonical
from artstore.errors import DamagedDataError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=15,
)
# Bytes that come close to being JSON, so that all branches of the reader are met.
NEARLY_JSON = st.lists(
    st.sampled_from([b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"a", b"1", b"-", b"."])
    | st.sampled_from([b"e", b"\\u", b"d800", b"00e9", b"NaN", b"null", b'"a":', b" ", b"\xc3"])
).map(b"".join)


@given(VALUES)
def test_what_was_encoded_is_decoded_to_the_same_value(value) -> None:
    data = canonical.encode(value)
    decoded = canonical.decode(data, what="it")
    assert decoded == value
    # Equality takes 1 for 1.0 and for True; the bytes do not.
    assert canonical.encode(decoded) == data


@given(st.dictionaries(TEXT, VALUES), st.randoms(use_true_random=False))
def test_the_order_in_which_keys_were_set_leaves_no_trace(value, random) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert canonical.encode({key: value[key] for key in keys}) == canonical.encode(value)


@given(st.binary() | NEARLY_JSON)
def test_any_bytes_are_damage_or_a_value_that_can_be_written_again(data) -> None:
    try:
        value = canonical.decode(data, what="it")
    except DamagedDataError as error:
        assert error.code == "value-invalid"
    else:
        assert canonical.decode(canonical.encode(value), what="it") == value


@given(VALUES, st.data())
def test_a_flipped_bit_is_never_more_than_damage_or_another_value(value, data) -> None:
    damaged = bytearray(canonical.encode(value))
    bit = data.draw(st.integers(0, 8 * len(damaged) - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        found = canonical.decode(bytes(damaged), what="it")
    except DamagedDataError:
        return
    # -0 and 0, 1e5 and 1E5 are read alike; bytes that differ otherwise are another value.
    assert json.loads(damaged) == found


@given(VALUES.map(lambda value: [value]), st.integers(0, 3))
def test_indented_json_is_read_like_canonical_json(value, indent) -> None:
    data = json.dumps(value, indent=indent).encode()
    assert canonical.decode(data, what="it") == value

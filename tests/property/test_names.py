from __future__ import annotations

import os
import string

from hypothesis import assume, example, given
from hypothesis import strategies as st

from artstore import limits, names
from artstore.errors import InvalidInputError

FIRST = string.ascii_letters + string.digits + "_-"
DEVICES = ["con", "prn", "aux", "nul", "com1", "lpt9"]
PLAIN = st.builds(str.__add__, st.sampled_from(FIRST), st.text(FIRST + ".", max_size=60))
DEVICE_LIKE = st.builds(
    lambda name, capital, rest: (name.upper() if capital else name) + rest,
    st.sampled_from(DEVICES),
    st.booleans(),
    st.sampled_from(["", ".", ".txt", "x", "..", ".A"]),
)
NAMES = PLAIN | DEVICE_LIKE
# Paths as an attacker writes them, and as people do.
HOSTILE = st.lists(
    st.sampled_from(
        ["..", ".", "", "/", "\0", "a", "...", "\\", "C:", "\udcff", "~", "\u2024", "b"]
    )
    | st.text(max_size=5)
).map("/".join)


def folded(part: str) -> str:
    """What disks that ignore case, normalisation apart, and Windows make of a name."""
    return part.casefold().rstrip(". ")


@given(NAMES)
def test_a_name_survives_the_way_into_a_key_and_back(name) -> None:
    part = names.escape_for_key(names.check_collection_name(name))
    assert names.unescape_from_key(part) == name
    assert names.check_key(f"collections/{part}/000000000012")


@given(NAMES, NAMES)
@example("mnist", "Mnist")
@example("a", "a.")
@example("con", "Con")
def test_no_two_names_share_a_key_on_a_disk_that_folds_case(one, other) -> None:
    assume(one != other)
    assert folded(names.escape_for_key(one)) != folded(names.escape_for_key(other))


@given(NAMES, st.data())
def test_no_two_spellings_of_one_name_share_a_key(name, data) -> None:
    flips = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
    other = "".join(
        c.swapcase() if flip else c for c, flip in zip(name, flips, strict=True)
    ) + data.draw(st.sampled_from(["", ".", ".."]))
    assume(other != name)
    assert folded(names.escape_for_key(name)) != folded(names.escape_for_key(other))


@given(NAMES)
def test_no_key_part_is_a_device_of_windows(name) -> None:
    assert names.escape_for_key(name).split(".")[0] not in DEVICES


@given(
    NAMES,
    st.none() | NAMES,
    st.one_of(
        st.just({}),
        st.integers(0, 999_999_999).map(lambda version: {"version": version}),
        NAMES.map(lambda alias: {"alias": alias}),
        st.text("0123456789abcdef", min_size=8, max_size=64).map(
            lambda digest: {"digest_prefix": digest}
        ),
    ),
)
def test_a_printed_name_is_parsed_to_itself(name, project, selector) -> None:
    if "alias" in selector:
        assume(not (selector["alias"][0] == "v" and selector["alias"][1:].isdigit()))
    parsed = names.ArtifactName(name, project, **selector)
    assert names.parse_artifact_name(str(parsed)) == parsed
    assert parsed.is_exact == bool(selector)


@given(st.text())
def test_any_text_is_a_name_or_refused_as_one(text) -> None:
    for check in (names.parse_artifact_name, names.check_alias, names.check_tag):
        try:
            check(text)
        except InvalidInputError as error:
            assert error.code == "name-invalid"


@given(st.text() | HOSTILE)
def test_any_text_is_a_key_or_refused_as_one(text) -> None:
    try:
        names.check_key(text)
    except InvalidInputError as error:
        assert error.code == "key-invalid"
    else:
        assert text.isascii()
        assert text == text.lower()
        assert not any(part in {"", ".", ".."} for part in text.split("/"))


@given(st.text() | HOSTILE)
@example("..")
@example("a/../../b")
@example("\ud800")
def test_a_path_that_passes_stays_below_the_target_and_can_be_written(path) -> None:
    try:
        names.check_entry_path(path)
    except InvalidInputError as error:
        assert error.code == "path-invalid"
        str(error).encode("utf-8")
        return
    target = "/target/directory"
    assert os.path.normpath(os.path.join(target, path)) == f"{target}/{path}"
    encoded = path.encode("utf-8")
    assert b"\0" not in encoded
    assert len(encoded) <= limits.PATH_MAX_BYTES


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1)
    )
)
def test_every_path_made_of_ordinary_parts_passes(parts) -> None:
    assume(parts)
    assume(not {".", ".."} & set(parts))
    path = "/".join(parts)
    assume(len(path.encode()) <= limits.PATH_MAX_BYTES)
    assert names.check_entry_path(path) == path

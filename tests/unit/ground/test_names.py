from __future__ import annotations

import pytest

from artstore import limits, names
from artstore.errors import InvalidInputError
from artstore.names import ArtifactName

DIGEST = "af1349b9f5f9a1a6"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("mnist", ArtifactName("mnist")),
        ("vision/mnist", ArtifactName("mnist", "vision")),
        ("mnist:v0", ArtifactName("mnist", version=0)),
        ("mnist:v12", ArtifactName("mnist", version=12)),
        ("vision/mnist:best", ArtifactName("mnist", "vision", alias="best")),
        ("mnist:latest", ArtifactName("mnist", alias="latest")),
        ("mnist:v1.2", ArtifactName("mnist", alias="v1.2")),
        (f"vision/mnist@{DIGEST}", ArtifactName("mnist", "vision", digest_prefix=DIGEST)),
        ("_a-b.c", ArtifactName("_a-b.c")),
    ],
)
def test_a_name_is_parsed_into_its_parts_and_printed_back(text, parsed) -> None:
    assert names.parse_artifact_name(text) == parsed
    assert str(parsed) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "a/",
        "/a",
        "a/b/c",
        "a:",
        ":v1",
        "a:v1:v2",
        "a@",
        "a@123",
        "a@" + DIGEST.upper(),
        f"a:v1@{DIGEST}",
        f"a@{DIGEST}:v1",
        "..",
        "../a",
        "a/..",
        ".hidden",
        "a b",
        "a\n",
        "a\0",
        "a!b",
        "a\\b",
        "caf\u00e9",
        "a:b\u00e9",
        "a" * 129,
        "a:" + "b" * 129,
    ],
)
def test_what_is_no_name_is_refused(text) -> None:
    with pytest.raises(InvalidInputError) as caught:
        names.parse_artifact_name(text)
    assert caught.value.code == "name-invalid"


@pytest.mark.parametrize("selector", ["v01", "v00", "v1234567890"])
def test_what_looks_like_a_version_is_never_taken_for_an_alias(selector) -> None:
    with pytest.raises(InvalidInputError, match="leading zeros"):
        names.parse_artifact_name(f"mnist:{selector}")
    with pytest.raises(InvalidInputError, match="cannot be an alias"):
        names.check_alias(selector)


def test_latest_can_be_asked_for_but_not_assigned() -> None:
    assert names.check_alias("latest", assign=False) == "latest"
    with pytest.raises(InvalidInputError, match="cannot be assigned"):
        names.check_alias("latest")


@pytest.mark.parametrize("tag", ["ok", "two words", "a-b_c", "\u00fcber gut", "3"])
def test_tags_are_words(tag) -> None:
    assert names.check_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", " a", "a ", "a,b", "a\n", "a\tb", "a" * 129, "a/b"])
def test_what_is_no_tag_is_refused(tag) -> None:
    with pytest.raises(InvalidInputError, match="tag"):
        names.check_tag(tag)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("mnist", "mnist"),
        ("Mnist", "!mnist"),
        ("MNIST", "!m!n!i!s!t"),
        ("con", "!!con"),
        ("Con", "!!!con"),
        ("con.v2", "!!con.v2"),
        ("lpt9", "!!lpt9"),
        ("lpt", "lpt"),
        ("console", "console"),
        ("a.", "a.!"),
        ("A..", "!a..!"),
        ("nul.", "!!nul.!"),
    ],
)
def test_names_are_escaped_for_disks_that_fold_case_or_reserve_names(name, part) -> None:
    assert names.escape_for_key(name) == part
    assert names.unescape_from_key(part) == name
    assert names.check_key(f"collections/{part}/000000000000")


def test_a_long_name_is_accepted_only_if_its_key_fits_on_disks() -> None:
    assert names.check_collection_name("a" * 128)
    fits = "A" * 127 + "a"
    assert len(names.escape_for_key(fits)) == limits.KEY_PART_MAX_CHARS
    assert names.check_key(names.escape_for_key(names.check_project_name(fits)))
    with pytest.raises(InvalidInputError, match="capitals"):
        names.check_collection_name("A" * 128)
    # Types are no part of any key.
    assert names.check_type_name("A" * 128)


@pytest.mark.parametrize(
    "key",
    ["a", "artstore.json", "packs/0f/0f12-34", "a-b", "a.b/c!d", "!!con", "a" * 255, "a..b"],
)
def test_keys_that_every_backend_keeps_apart_pass(key) -> None:
    assert names.check_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        ".hidden",
        "a/.b",
        "a.",
        "a./b",
        "A",
        "a b",
        "a\\b",
        "a:b",
        "a\0b",
        "a\n",
        "caf\u00e9",
        "a" * 256,
        "/".join(["a" * 100] * 11),
    ],
)
def test_keys_that_some_backend_folds_or_refuses_are_refused(key) -> None:
    with pytest.raises(InvalidInputError) as caught:
        names.check_key(key)
    assert caught.value.code == "key-invalid"


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a/b.c",
        ".gitignore",
        "a/.b",
        "...",
        "a/...",
        "..a/b..",
        "a b",
        "-rf",
        "a\\b",
        "a\nb",
        "C:\\x",
        "con",
        "\u00e9",
        "e\u0301",
        "\U0001f600/x",
        "a" * limits.PATH_MAX_BYTES,
    ],
)
def test_any_path_that_stays_inside_is_taken_as_it_is(path) -> None:
    assert names.check_entry_path(path) is path


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("", "is empty"),
        ("/", "is absolute"),
        ("/etc/passwd", "is absolute"),
        ("//a", "is absolute"),
        (".", "part . or .."),
        ("..", "part . or .."),
        ("../a", "part . or .."),
        ("a/..", "part . or .."),
        ("a/../../b", "part . or .."),
        ("a/./b", "part . or .."),
        ("./a", "part . or .."),
        ("a/.", "part . or .."),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("a\0b", "NUL"),
        ("\0", "NUL"),
        ("a\udcff", "not valid UTF-8"),
        ("\ud800/x", "not valid UTF-8"),
        ("a" * (limits.PATH_MAX_BYTES + 1), "4097 bytes"),
        ("\u00e9" * 2_049, "4098 bytes"),
    ],
)
def test_a_path_that_leads_outside_or_cannot_be_stored_is_refused_by_its_rule(path, rule) -> None:
    with pytest.raises(InvalidInputError, match=rule) as caught:
        names.check_entry_path(path)
    assert caught.value.code == "path-invalid"
    # The message can be printed on any terminal.
    str(caught.value).encode("utf-8")

"""Several sorted streams as one: each path once, no path a file and a directory."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from artstore.digest import digest_of
from artstore.errors import InvalidInputError
from artstore.manifests.entry import FILE, Entry, directory_entry
from artstore.transfer.merging import Item, Ranked, merge

# Characters around `/`, which decide what sorts between a directory and what is in it.
PATHS = st.text("ab-./0", min_size=1, max_size=6).filter(lambda path: "" not in path.split("/"))
TREES = st.dictionaries(PATHS, st.booleans(), max_size=6)


def item(path: str, is_directory: bool) -> Item:
    return directory_entry(path) if is_directory else Entry(path, FILE, 1, digest_of(b"x"))


def later(_lower: Ranked, upper: Ranked) -> Ranked:
    return upper


def merged(*trees: dict[str, bool]) -> list[tuple[str, bool]]:
    streams = [iter([item(path, tree[path]) for path in sorted(tree)]) for tree in trees]
    return [(one.path, one.kind != FILE) for one in merge(streams, later)]


def expected(*trees: dict[str, bool]) -> list[tuple[str, bool]] | None:
    """What a dictionary makes of them; None where a file has something below it."""
    whole: dict[str, bool] = {}
    for tree in trees:
        whole |= tree
    for path in list(whole):
        below = [other for other in whole if other.startswith(path + "/")]
        if below and not whole[path]:
            return None
    return [
        (path, whole[path])
        for path in sorted(whole)
        if not any(other.startswith(path + "/") for other in whole)
    ]


@given(st.lists(TREES, min_size=1, max_size=3))
@example([{"a": True, "a-": True}, {"a-/b": False, "a/b": False}])
@example([{"a": False, "a-": False}, {"a/b": False}])
def test_merged_is_what_a_dictionary_makes_of_it(trees: list[dict[str, bool]]) -> None:
    wanted = expected(*trees)
    if wanted is None:
        with pytest.raises(InvalidInputError) as caught:
            merged(*trees)
        assert caught.value.code == "path-twice"
    else:
        assert merged(*trees) == wanted


def test_a_path_that_nobody_gives_up_is_refused() -> None:
    streams = [iter([item("a", False)]) for _ in range(2)]
    with pytest.raises(InvalidInputError, match="'a' is added twice"):
        list(merge(streams, lambda _lower, _upper: None))


def test_the_earlier_stream_is_given_first() -> None:
    seen: list[tuple[int, int]] = []

    def note(lower: Ranked, upper: Ranked) -> Ranked:
        seen.append((lower[1], upper[1]))
        return lower

    list(merge([iter([item("a", False)]) for _ in range(3)], note))
    assert seen == [(0, 1), (0, 2)]

"""What can change about a version: words about it, links, its deletion."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import artstore as art
from artstore.catalog.upkeeplog import UPKEEP_PREFIX
from artstore.packs.locator import pack_key
from artstore.storage.memory import MemoryStorage
from tests.trees import open_at, push
from tests.unit.catalog.logs import LogWriter


@pytest.fixture
def version(store: art.Store, tree: Path) -> art.LoggedArtifact:
    return push(store, tree, description="d", metadata={"k": 1}, aliases=["best"], tags=["red"])


def kinds(store: art.Store, name: str = "ds") -> list[str]:
    return [entry["kind"] for entry in store.history(name)]


def test_nothing_changed_writes_nothing(store: art.Store, version: art.LoggedArtifact) -> None:
    before = kinds(store)
    version.save()
    version.aliases.append("gone")
    version.aliases.remove("gone")
    version.metadata = dict(version.metadata)
    version.description = "d"
    version.tags = ["red"]
    version.ttl = None
    version.save()
    assert kinds(store) == before


def test_each_change_is_one_entry(store: art.Store, version: art.LoggedArtifact) -> None:
    before = len(kinds(store))
    version.description = "other"
    version.metadata["k"] = True
    version.metadata["more"] = [1.5]
    version.aliases.append("second")
    version.aliases.remove("best")
    version.tags = ["blue", "green"]
    version.ttl = timedelta(hours=1)
    version.save()
    assert kinds(store)[before:] == ["describe", "alias", "tag", "ttl"]
    for found in (version, store.artifact("ds")):
        assert found.description == "other"
        assert found.metadata == {"k": True, "more": [1.5]}
        assert found.metadata["k"] is True
        assert found.aliases == ["latest", "second"]
        assert found.tags == ["blue", "green"]
        assert found.ttl == timedelta(hours=1)
    version.save()
    assert len(kinds(store)) == before + 4


def test_a_ttl_is_taken_back(store: art.Store, version: art.LoggedArtifact) -> None:
    version.ttl = timedelta(days=1, seconds=0.5)
    version.save()
    assert store.artifact("ds").ttl == timedelta(days=1)
    version.ttl = art.ArtifactTTL.INHERIT
    version.save()
    assert store.artifact("ds").ttl is None


def test_words_may_be_taken_away(store: art.Store, version: art.LoggedArtifact) -> None:
    version.description = None
    version.metadata = {}
    version.aliases = []
    version.tags = []
    version.save()
    found = store.artifact("ds")
    assert (found.description, found.metadata, found.aliases, found.tags) == (
        None,
        {},
        ["latest"],
        [],
    )


def test_latest_is_neither_given_nor_taken(store: art.Store, version: art.LoggedArtifact) -> None:
    version.aliases = ["best", "x"]
    version.save()
    old = store.artifact("ds:v0")
    assert old.aliases == ["latest", "best", "x"]
    draft = version.new_draft()
    draft.remove("a.txt")
    store.log_artifact(draft)
    old.aliases = ["latest", "best"]
    old.save()
    assert store.artifact("ds:v0").aliases == ["best"]
    assert store.artifact("ds").version == "v1"


def test_what_others_changed_meanwhile_stays(store: art.Store, version: art.LoggedArtifact) -> None:
    mine = store.artifact("ds")
    mine.aliases.append("mine")
    mine.aliases.remove("best")
    mine.tags.append("mine")
    store.set_aliases("ds:v0", add=["theirs"], remove=["best"])
    store.set_tags("ds:v0", add=["theirs"], remove=["red"])
    mine.save()
    found = store.artifact("ds")
    assert found.aliases == ["latest", "theirs", "mine"]
    assert found.tags == ["theirs", "mine"]
    assert mine.aliases == found.aliases


def test_an_alias_moves(store: art.Store, version: art.LoggedArtifact) -> None:
    draft = version.new_draft()
    draft.remove("a.txt")
    second = store.log_artifact(draft)
    second.aliases.append("best")
    second.save()
    assert store.artifact("ds:best").version == "v1"
    assert store.artifact("ds:v0").aliases == []


@pytest.mark.parametrize("alias", ["v3", "a/b", ".x"])
def test_names_that_are_none_are_refused(
    store: art.Store, version: art.LoggedArtifact, alias: str
) -> None:
    with pytest.raises(art.InvalidInputError) as caught:
        version.aliases = [alias]
    assert caught.value.code == "name-invalid"
    version.aliases.append(alias)
    with pytest.raises(art.InvalidInputError) as caught:
        version.save()
    assert caught.value.code == "name-invalid"
    assert store.artifact("ds").aliases == ["latest", "best"]


def test_words_for_a_deleted_version_are_refused(
    store: art.Store, version: art.LoggedArtifact
) -> None:
    version.tags.append("x")
    store.delete("ds:v0", force=True)
    with pytest.raises(art.NotFoundError) as caught:
        version.save()
    assert caught.value.code == "version-deleted"


def test_logging_a_version_gives_it_names(store: art.Store, version: art.LoggedArtifact) -> None:
    again = store.log_artifact(version, aliases=["more", "best"], tags="blue")
    assert again is version
    assert (version.aliases, version.tags) == (["latest", "best", "more"], ["red", "blue"])
    assert len(store.versions("ds")) == 1


def test_a_version_of_another_store_is_not_logged(
    version: art.LoggedArtifact, tmp_path: Path
) -> None:
    other = open_at(tmp_path / "other")
    other.create()
    with pytest.raises(art.InvalidInputError) as caught:
        other.log_artifact(version, aliases=["x"])
    assert caught.value.code == "link-elsewhere"


# deleting ----------------------------------------------------------------------------------------


def test_a_version_with_aliases_is_deleted_only_with_them(
    store: art.Store, version: art.LoggedArtifact
) -> None:
    with pytest.raises(art.StateError) as caught:
        version.delete()
    assert caught.value.code == "version-aliased"
    assert version.state == "COMMITTED"
    version.delete(delete_aliases=True)
    assert (version.state, version.aliases) == ("DELETED", [])
    assert "DELETED" in version._repr_html_()
    with pytest.raises(art.NotFoundError):
        store.artifact("ds:v0")
    store.restore("ds:v0")
    assert store.artifact("ds:v0").state == "COMMITTED"


def test_a_version_without_aliases_is_deleted(store: art.Store, tree: Path) -> None:
    version = push(store, tree)
    version.delete()
    version.delete()
    assert kinds(store) == ["create", "publish", "delete"]


# links ------------------------------------------------------------------------------------------


def test_a_link_is_a_version_by_itself(store: art.Store, version: art.LoggedArtifact) -> None:
    link = version.link("models/best", aliases=["prod", "latest"])
    assert isinstance(link, art.LoggedArtifact)
    assert (link.qualified_name, link.digest, link.type) == (
        "models/best:v0",
        version.digest,
        "dataset",
    )
    assert (link.is_link, link.aliases, link.tags) == (True, ["latest", "prod"], [])
    assert (link.source_qualified_name, link.source_name) == ("p/ds:v0", "ds:v0")
    assert (link.source_project, link.source_collection, link.source_version) == ("p", "ds", "v0")
    assert (version.source_qualified_name, version.is_link) == ("p/ds:v0", False)
    assert link.metadata == {"k": 1}
    assert link.id != version.id
    assert link.json["source"] == "p/ds:v0"
    version.delete(delete_aliases=True)
    assert store.artifact("models/best:prod").read("a.txt") == b"a"
    assert store.check(read_data=1.0).problems == ()
    assert kinds(store, "models/best") == ["create", "link"]


def test_a_link_says_what_was_said_last(store: art.Store, version: art.LoggedArtifact) -> None:
    version.description = "later"
    version.metadata["k"] = 2
    version.save()
    link = version.link("best")
    found = store.artifact("best")
    assert (found.description, found.metadata, link.metadata) == ("later", {"k": 2}, {"k": 2})
    link.metadata["k"] = 3
    link.save()
    assert store.artifact("ds").metadata == {"k": 2}


def test_linking_again_only_moves_aliases(store: art.Store, version: art.LoggedArtifact) -> None:
    version.link("best")
    link = version.link("best", aliases=["prod"])
    assert (link.version, link.aliases) == ("v0", ["latest", "prod"])
    assert kinds(store, "best") == ["create", "link", "alias"]


def test_a_link_of_a_link_names_the_first_version(version: art.LoggedArtifact) -> None:
    assert version.link("one").link("two").source_qualified_name == "p/ds:v0"


def test_a_team_in_front_of_a_target_is_left_out(version: art.LoggedArtifact) -> None:
    assert version.link("team/models/best").qualified_name == "models/best:v0"
    for target in ("a/b/c/d", "best:v3", ""):
        with pytest.raises(art.InvalidInputError) as caught:
            version.link(target)
        assert caught.value.code == "name-invalid"


def test_a_link_keeps_to_the_type_of_its_collection(
    store: art.Store, version: art.LoggedArtifact, tree: Path
) -> None:
    push(store, tree, name="best", type="model")
    with pytest.raises(art.InvalidInputError) as caught:
        version.link("best")
    assert caught.value.code == "type-mismatch"


def test_only_links_are_unlinked(store: art.Store, version: art.LoggedArtifact) -> None:
    link = version.link("best", aliases=["prod"])
    with pytest.raises(art.StateError) as caught:
        version.unlink()
    assert caught.value.code == "artifact-not-linked"
    link.unlink()
    assert link.state == "DELETED"
    assert store.artifact("ds").read("a.txt") == b"a"


def test_a_link_has_no_ttl_of_its_own(version: art.LoggedArtifact) -> None:
    link = version.link("best")
    link.ttl = timedelta(days=1)
    with pytest.raises(art.InvalidInputError) as caught:
        link.save()
    assert caught.value.code == "value-invalid"


def test_what_gc_condemned_is_not_linked(tree: Path) -> None:
    storage = MemoryStorage()
    store = open_at("memory://x", storage)
    version = push(store, tree)
    store.delete("ds:v0")
    keys = [pack_key(ref.pack) for ref in version.entry("a.txt").chunks]
    writer = LogWriter(prefix=UPKEEP_PREFIX).continue_from(storage)
    writer.add("plan", k=writer.n, condemned=keys, condemned_in=[])
    with pytest.raises(art.ConflictError) as caught:
        version.link("best")
    assert caught.value.code == "content-condemned"


def test_what_is_gone_is_not_linked(tree: Path) -> None:
    storage = MemoryStorage()
    store = open_at("memory://x", storage)
    version = push(store, tree)
    storage.delete([pack_key(ref.pack) for ref in version.entry("a.txt").chunks])
    with pytest.raises(art.ConflictError) as caught:
        version.link("best")
    assert caught.value.code == "content-vanished"
    assert [info.name for info in store.collections() if info.version_count] == ["ds"]

"""What a version tells and gives."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import artstore as art
from tests.trees import File, Symlink, build, observe, push


@pytest.fixture
def version(store: art.Store, tree: Path) -> art.LoggedArtifact:
    (tree / "link").symlink_to("a.txt")
    (tree / "empty").mkdir()
    draft = art.Artifact("ds", "dataset", "what it is", {"k": [1]})
    draft.add_dir(tree)
    draft.add_reference("ssh://host/key", "ref", checksum=False)
    return store.log_artifact(draft, aliases=["best"], tags=["red"], message="why")


def test_a_version_tells_what_it_is(store: art.Store, version: art.LoggedArtifact) -> None:
    assert isinstance(version, art.Artifact)
    assert (version.name, version.version, version.project) == ("ds:v0", "v0", "p")
    assert version.qualified_name == "p/ds:v0"
    assert version.url == "art://p/ds:v0"
    assert version.collection == ("p", "ds", "dataset")
    assert version.collection.qualified_name == "p/ds"
    assert (version.type, version.state, version.store_id) == ("dataset", "COMMITTED", store.id)
    assert (version.history_step, version.logged_by(), version.used_by()) == (None, None, [])
    assert (version.message, version.is_link, version.incremental) == ("why", False, False)
    assert len(version.id) == 16
    assert version.id == store.artifact("ds").id
    assert store.artifact(version.name).digest == version.digest


def test_an_id_is_of_one_version_alone(store: art.Store, tree: Path) -> None:
    found = set()
    for number in range(2):
        (tree / "a.txt").write_text(str(number))
        found.add(push(store, tree).id)
        found.add(push(store, tree, name="other").id)
    assert len(found) == 4


def test_a_version_tells_when_it_last_changed(
    store: art.Store, version: art.LoggedArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert version.updated_at == version.created_at
    version.aliases.append("later")
    monkeypatch.setattr("artstore.clock.now_seconds", lambda: 2_000_000_000.0)
    version.save()
    assert version.updated_at == "2033-05-18T03:33:20Z" > version.created_at


def test_entries_are_found_by_path(version: art.LoggedArtifact) -> None:
    entry = version.get_entry("sub/b.txt")
    assert (entry.path, entry.kind, entry.size, entry.local_path) == ("sub/b.txt", "file", 2, None)
    assert entry.digest == version.entry("sub/b.txt").digest.hex()
    assert entry.stored == version.entry("sub/b.txt")
    assert version["sub/b.txt"].digest == version.get_path("sub/b.txt").digest == entry.digest
    assert entry.parent_artifact() is version
    assert (entry.read(), entry.open().read()) == (b"bb", b"bb")
    assert entry.ref_url() == "art://p/ds:v0/sub/b.txt"
    assert (version["link"].kind, version["link"].size) == ("symlink", 5)
    for call in (version.get_entry, version.get_path, version.__getitem__, version.entry):
        with pytest.raises(art.NotFoundError) as caught:
            call("none")
        assert caught.value.code == "entry-not-found"


def test_references_tell_where_they_lead(version: art.LoggedArtifact) -> None:
    entry = version.get_entry("ref")
    assert entry.ref == entry.ref_target() == "ssh://host/key"
    assert entry.extra == {"url": "ssh://host/key"}
    with pytest.raises(art.InvalidInputError) as caught:
        version.get_entry("a.txt").ref_target()
    assert caught.value.code == "entry-not-reference"


def test_files_are_what_has_bytes(version: art.LoggedArtifact) -> None:
    assert [file.name for file in version.files()] == ["a.txt", "ref", "sub/b.txt", "sub/c.txt"]
    names = ["sub/c.txt", "none", "a.txt", "empty", "link"]
    assert [file.path for file in version.files(names)] == ["sub/c.txt", "a.txt"]


def test_the_manifest_is_a_mapping(version: art.LoggedArtifact) -> None:
    entries = version.manifest.entries
    assert len(entries) == 6
    assert list(entries) == [entry.path for entry in version.entries()]
    assert [entry.path for entry in entries.values()] == list(entries)
    assert {path: entry.kind for path, entry in entries.items()}["empty"] == "directory"
    assert "a.txt" in entries
    assert "none" not in entries
    with pytest.raises(KeyError):
        entries["none"]
    told = version.manifest.to_manifest_json()
    assert json.loads(json.dumps(told)) == told
    assert told["contents"]["ref"]["ref"] == "ssh://host/key"
    assert told["contents"]["a.txt"] == {
        "kind": "file",
        "size": 1,
        "digest": version["a.txt"].digest,
    }


# one file ------------------------------------------------------------------------------------


def test_one_entry_is_downloaded_alone(
    version: art.LoggedArtifact, tmp_path: Path, tree: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "other").write_text("stays")
    where = version["sub/b.txt"].download(out)
    assert where == str(out / "sub/b.txt")
    version["link"].download(out)
    assert observe(out) == {
        "other": File(b"stays"),
        "sub/b.txt": File(b"bb"),
        "link": Symlink("a.txt"),
    }
    before = os.stat(where)
    version["sub/b.txt"].download(out)
    assert os.stat(where) == before
    Path(where).write_text("xx")
    version["sub/b.txt"].download(out)
    assert Path(where).read_text() == "bb"
    for path in ("empty", "ref"):
        with pytest.raises(art.InvalidInputError) as caught:
            version[path].download(out)
        assert caught.value.code == "entry-not-file"


def test_one_entry_is_downloaded_to_the_place_of_its_version(
    version: art.LoggedArtifact,
) -> None:
    assert version["a.txt"].download() == os.path.abspath("artifacts/ds:v0/a.txt")


def test_one_reference_is_downloaded(store: art.Store, tree: Path, tmp_path: Path) -> None:
    draft = art.Artifact("refs")
    draft.add_reference((tree / "a.txt").as_uri(), "x")
    version = store.log_artifact(draft)
    assert Path(version["x"].download(tmp_path / "out")).read_text() == "a"
    assert version["x"].read() == b"a"


def test_an_artifact_of_one_file_gives_that_file(
    store: art.Store, tree: Path, tmp_path: Path, version: art.LoggedArtifact
) -> None:
    draft = art.Artifact("one")
    draft.add_file(tree / "a.txt", "d/x")
    one = store.log_artifact(draft)
    assert one.file() == os.path.abspath("artifacts/one:v0/d/x")
    assert Path(one.file(tmp_path / "out")).read_text() == "a"
    with pytest.raises(art.InvalidInputError) as caught:
        version.file()
    assert caught.value.code == "entry-not-single"
    assert "'a.txt'" in caught.value.message


# directories -----------------------------------------------------------------------------------


def test_a_download_takes_what_scripts_for_wandb_give_it(
    version: art.LoggedArtifact, tmp_path: Path
) -> None:
    result = version.download(str(tmp_path / "out"), False, None, "sub/", None)
    assert os.fspath(result) == str(result) == str(tmp_path / "out")
    assert sorted(os.listdir(result / "sub")) == ["b.txt", "c.txt"]
    assert Path(result, "sub", "b.txt").read_text() == "bb"
    assert (result.files, result.written_files) == (2, 2)


def test_missing_references_are_left_out_when_allowed(
    store: art.Store, tree: Path, tmp_path: Path
) -> None:
    draft = art.Artifact("refs")
    for name in ("a.txt", "sub/b.txt"):
        draft.add_reference((tree / name).as_uri())
    version = store.log_artifact(draft)
    (tree / "a.txt").unlink()
    with pytest.raises(art.DamagedDataError) as caught:
        version.download(tmp_path / "out")
    assert caught.value.code == "reference-unreadable"
    result = version.download(tmp_path / "out", allow_missing_references=True)
    assert observe(tmp_path / "out") == {"b.txt": File(b"bb")}
    assert "a.txt" in result.warnings[0]
    (tree / "sub" / "b.txt").write_text("changed")
    with pytest.raises(art.DamagedDataError) as caught:
        version.download(tmp_path / "other", allow_missing_references=True)
    assert caught.value.code == "reference-changed"


def test_a_checkout_deletes_what_the_version_does_not_have(
    version: art.LoggedArtifact, tmp_path: Path
) -> None:
    build(tmp_path / "out", {"old/x": File(b""), "a.txt": File(b"wrong")})
    result = version.checkout(tmp_path / "out")
    assert result.deleted == 1
    assert "old/x" not in observe(tmp_path / "out")
    assert version.checkout().root == Path("artifacts/ds")


def test_a_directory_is_verified(version: art.LoggedArtifact, tmp_path: Path) -> None:
    version.download(tmp_path / "out")
    version.download()
    version.verify(tmp_path / "out")
    version.verify()
    (tmp_path / "out" / "a.txt").write_text("b")
    (tmp_path / "out" / "extra").write_text("")
    (tmp_path / "out" / "sub" / "b.txt").unlink()
    with pytest.raises(art.DamagedDataError) as caught:
        version.verify(tmp_path / "out")
    assert caught.value.code == "damage-found"
    problems = dict(caught.value.context["problems"])
    assert set(problems) == {"a.txt", "extra", "sub/b.txt"}
    assert "has digest" in problems["a.txt"]
    for path in problems:
        assert path in caught.value.message
    with pytest.raises(art.InvalidInputError) as refused:
        version.verify(tmp_path / "none")
    assert refused.value.code == "source-vanished"


def test_many_problems_are_told_in_short(
    store: art.Store, version: art.LoggedArtifact, tmp_path: Path
) -> None:
    version.download(tmp_path / "out")
    for number in range(20):
        (tmp_path / "out" / f"x{number}").write_text("")
    with pytest.raises(art.DamagedDataError) as caught:
        version.verify(tmp_path / "out")
    assert "and 12 more" in caught.value.message
    assert len(caught.value.context["problems"]) == 20


# showing ----------------------------------------------------------------------------------------


def test_a_version_is_shown_as_json(version: art.LoggedArtifact) -> None:
    told = version.json
    assert json.loads(json.dumps(told)) == told
    assert (told["name"], told["metadata"], told["aliases"]) == (
        "ds:v0",
        {"k": [1]},
        ["latest", "best"],
    )
    named = version.json_encode()
    assert (named["_type"], named["id"], named["version"]) == ("artifactVersion", version.id, "v0")
    assert named["sequenceName"] == "ds"


def test_a_notebook_shows_a_version_escaped_and_in_short(store: art.Store, tree: Path) -> None:
    hostile = tree / "<script>alert('1')"
    hostile.mkdir()
    for number in range(40):
        (hostile / f"{number:03}&").write_text("x" * 2000)
    draft = art.Artifact("ds")
    draft.add_dir(tree)
    drafted = draft._repr_html_()
    version = store.log_artifact(draft)
    shown = version._repr_html_()
    for text in (drafted, shown):
        assert "<script>" not in text
        assert "&lt;script&gt;alert(&#x27;1&#x27;)/000&amp;" in text
        assert text.count("<tr>") < 40
        assert "20 of 43 entries" in text
        assert "2.0 kB" in text
        assert len(text) < 10_000
    assert version.digest in shown
    assert "PENDING" in drafted


def test_very_long_and_unprintable_paths_are_shown_in_short(store: art.Store, tree: Path) -> None:
    draft = art.Artifact("ds")
    draft.add_file(tree / "a.txt", "/".join(["x" * 100] * 30))
    draft.add_file(tree / "a.txt", "new\nline\x1b[31m")
    shown = store.log_artifact(draft)._repr_html_()
    assert len(shown) < 2000
    assert "\x1b" not in shown
    assert "new\nline" not in shown


def test_a_version_and_a_draft_are_told_apart_in_print(version: art.LoggedArtifact) -> None:
    assert repr(version) == f"<artifact p/ds:v0 {version.digest[:12]}>"
    assert repr(art.Artifact("ds")) == "<artifact ds, a draft>"
    assert repr(version["a.txt"]) == "<file 'a.txt' of 1 bytes>"

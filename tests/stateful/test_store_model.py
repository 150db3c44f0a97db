"""
The store beside a plain model: dictionaries of trees.

Edits, renames, modes, links and empty directories are pushed; versions get
aliases and tags, are deleted and restored; they are pulled into new and into old
checkouts, with and without `delete`. After every step a check of the whole
store, all data read, must find nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from artstore.clock import use
from artstore.errors import InvalidInputError, NotFoundError, StateError
from tests.conftest import PROFILE
from tests.trees import (
    EMPTY,
    Empty,
    File,
    LaterClock,
    Node,
    Symlink,
    build,
    noise,
    observe,
    open_at,
    problems_of,
    push,
    put,
)

NAMES = ("cats", "Dogs")
ALIASES = ("best", "prod")
TAGS = ("ok", "to check")
# Directories, a sibling that sorts between `a` and `a/`, and names that are no ASCII.
PATHS = ("a", "a-b", "a/b", "a/c/d", "a.txt", "z", "z/é", "z/e\u0301", "Ω/\n")
CONTENTS = (
    b"",
    b"x",
    b"y" * 5000,
    noise(70_000),
    noise(70_000) + b"tail",
    b"head" + noise(300_000, 1),
    noise(300_000, 1),
)

paths = st.sampled_from(PATHS)
names_of_artifacts = st.sampled_from(NAMES)
nodes = st.one_of(
    st.builds(lambda at, run: File(CONTENTS[at], run), st.sampled_from(range(7)), st.booleans()),
    st.builds(Symlink, st.sampled_from(("a", "../out", "nowhere/ö"))),
    st.just(EMPTY),
)


@dataclass(frozen=True)
class Version:
    tree: dict[str, Node]
    aliases: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    is_deleted: bool = False


@dataclass
class Collection:
    versions: list[Version] = field(default_factory=list)

    @property
    def latest(self) -> int | None:
        live = [n for n, version in enumerate(self.versions) if not version.is_deleted]
        return live[-1] if live else None

    def change(self, number: int, **changes: object) -> None:
        self.versions[number] = replace(self.versions[number], **changes)


def without_conflicts(tree: dict[str, Node], path: str) -> dict[str, Node]:
    """`tree` less what cannot stand beside a new node at `path`."""
    return {
        other: node
        for other, node in tree.items()
        if other != path and not other.startswith(path + "/") and not path.startswith(other + "/")
    }


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="artstore-model-"))
        self.environment = {
            name: os.environ.get(name) for name in ("ARTSTORE_CACHE_DIR", "XDG_STATE_HOME")
        }
        os.environ["ARTSTORE_CACHE_DIR"] = str(self.base / "cache")
        os.environ["XDG_STATE_HOME"] = str(self.base / "state")
        self.clock = use(LaterClock())
        self.clock.__enter__()
        self.source = self.base / "source"
        self.tree: dict[str, Node] = {}
        self.model = {name: Collection() for name in NAMES}
        self.checkout = self.base / "checkout"
        self.checked_out: dict[str, Node] = {}

    def teardown(self) -> None:
        self.clock.__exit__(None, None, None)
        for name, value in self.environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(self.base)

    @initialize(tree=st.dictionaries(paths, nodes, min_size=2, max_size=6))
    def start(self, tree: dict[str, Node]) -> None:
        for path, node in tree.items():
            self.tree = without_conflicts(self.tree, path) | {path: node}
        build(self.source, self.tree)
        self.open()
        self.push(NAMES[0], set())

    @rule()
    def open(self) -> None:
        """What another process sees, which remembers nothing but the caches."""
        self.store = open_at(self.base / "store")

    @rule()
    def lose_the_caches(self) -> None:
        shutil.rmtree(self.base / "cache", ignore_errors=True)
        self.open()

    # editing -----------------------------------------------------------------------

    @rule(path=paths, node=nodes)
    def write(self, path: str, node: Node) -> None:
        self.tree = without_conflicts(self.tree, path) | {path: node}
        build_difference(self.source, self.tree)

    @rule(path=paths)
    def remove(self, path: str) -> None:
        self.tree = {p: n for p, n in self.tree.items() if p != path}
        build_difference(self.source, self.tree)

    @rule(path=paths, to=paths)
    def rename(self, path: str, to: str) -> None:
        node = self.tree.get(path)
        if node is not None and path != to:
            rest = {p: n for p, n in self.tree.items() if p != path}
            self.tree = without_conflicts(rest, to) | {to: node}
            build_difference(self.source, self.tree)

    @rule(path=paths)
    def change_mode(self, path: str) -> None:
        node = self.tree.get(path)
        if isinstance(node, File):
            self.tree[path] = File(node.data, not node.executable)
            (self.source / path).chmod(0o644 if node.executable else 0o755)

    # versions ----------------------------------------------------------------------

    @rule(name=names_of_artifacts, aliases=st.sets(st.sampled_from(ALIASES)))
    def push(self, name: str, aliases: set[str]) -> None:
        collection = self.model[name]
        if not self.tree:
            if collection.latest is None or collection.versions[collection.latest].tree:
                with pytest.raises(InvalidInputError) as raised:
                    push(self.store, self.source, name=name)
                assert raised.value.code == "nothing-to-push"
            return
        logged = push(self.store, self.source, name=name, aliases=sorted(aliases))
        latest = collection.latest
        same = latest is not None and collection.versions[latest].tree == self.tree
        assert logged.push.is_new == (not same)
        if not same:
            collection.versions.append(Version(dict(self.tree)))
            latest = len(collection.versions) - 1
        assert logged.version == f"v{latest}"
        assert latest is not None
        self.move_aliases(collection, latest, aliases)

    def move_aliases(self, collection: Collection, number: int, aliases: set[str]) -> None:
        for n, version in enumerate(collection.versions):
            collection.change(n, aliases=version.aliases - aliases)
        collection.change(number, aliases=collection.versions[number].aliases | aliases)

    def pick(self, data: st.DataObject, *, deleted: bool = False) -> tuple[str, int] | None:
        choices = [
            (name, n)
            for name, collection in self.model.items()
            for n, version in enumerate(collection.versions)
            if version.is_deleted == deleted
        ]
        return data.draw(st.sampled_from(choices)) if choices else None

    @rule(data=st.data(), alias=st.sampled_from(ALIASES))
    def move_alias(self, data: st.DataObject, alias: str) -> None:
        if (picked := self.pick(data)) is not None:
            name, number = picked
            self.store.set_aliases(f"{name}:v{number}", add=[alias])
            self.move_aliases(self.model[name], number, {alias})

    @rule(data=st.data(), tag=st.sampled_from(TAGS), add=st.booleans())
    def tag(self, data: st.DataObject, tag: str, add: bool) -> None:
        if (picked := self.pick(data)) is not None:
            name, number = picked
            tags = self.model[name].versions[number].tags
            change = {"add": [tag]} if add else {"remove": [tag]}
            self.store.set_tags(f"{name}:v{number}", **change)
            self.model[name].change(number, tags=tags | {tag} if add else tags - {tag})

    @rule(data=st.data(), force=st.booleans())
    def delete(self, data: st.DataObject, force: bool) -> None:
        if (picked := self.pick(data)) is None:
            return
        name, number = picked
        if self.model[name].versions[number].aliases and not force:
            with pytest.raises(StateError) as raised:
                self.store.delete(f"{name}:v{number}")
            assert raised.value.code == "version-aliased"
            return
        self.store.delete(f"{name}:v{number}", force=force)
        self.model[name].change(number, is_deleted=True, aliases=frozenset())

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        if (picked := self.pick(data, deleted=True)) is not None:
            name, number = picked
            with pytest.raises(NotFoundError):
                self.store.artifact(f"{name}:v{number}")
            self.store.restore(f"{name}:v{number}")
            self.model[name].change(number, is_deleted=False)

    # reading -----------------------------------------------------------------------

    @rule(data=st.data())
    def pull_fresh(self, data: st.DataObject) -> None:
        if (picked := self.pick(data)) is not None:
            name, number = picked
            with tempfile.TemporaryDirectory(dir=self.base) as target:
                self.store.artifact(f"{name}:v{number}").download(target)
                assert observe(Path(target)) == self.model[name].versions[number].tree

    @rule(data=st.data(), delete=st.booleans())
    def pull_over(self, data: st.DataObject, delete: bool) -> None:
        if (picked := self.pick(data)) is None:
            return
        name, number = picked
        tree = self.model[name].versions[number].tree
        artifact = self.store.artifact(f"{name}:v{number}")
        if not delete and blocked(self.checked_out, tree):
            with pytest.raises(StateError) as raised:
                artifact.download(self.checkout)
            assert raised.value.code == "target-occupied"
            # What was written before the refusal is right; the rest is as it was.
            self.checked_out = observe(self.checkout)
            return
        result = artifact.download(self.checkout, delete=delete)
        expected = tree if delete else overlaid(self.checked_out, tree)
        assert observe(self.checkout) == expected
        right = {path for path, node in tree.items() if self.checked_out.get(path) == node}
        assert not right & set(result.written_paths)
        self.checked_out = expected

    @rule(path=paths, node=nodes)
    def edit_the_checkout(self, path: str, node: Node) -> None:
        if self.checkout.exists():
            self.checked_out = without_conflicts(self.checked_out, path) | {path: node}
            build_difference(self.checkout, self.checked_out)

    @rule(data=st.data())
    def diff(self, data: st.DataObject) -> None:
        first, second = self.pick(data), self.pick(data)
        if first is None or second is None:
            return
        found = self.store.diff(f"{first[0]}:v{first[1]}", f"{second[0]}:v{second[1]}")
        before = self.model[first[0]].versions[first[1]].tree
        after = self.model[second[0]].versions[second[1]].tree
        renamed = {(change.old_path, change.path) for change in found.renamed}
        added = {change.path for change in found.added} | {new for _, new in renamed}
        removed = {change.path for change in found.removed} | {old for old, _ in renamed}
        assert added == after.keys() - before.keys()
        assert removed == before.keys() - after.keys()
        common = before.keys() & after.keys()
        assert {c.path for c in found.changed} == {p for p in common if before[p] != after[p]}
        for old, new in renamed:
            old_node, new_node = before[str(old)], after[new]
            assert isinstance(old_node, File)
            assert isinstance(new_node, File)
            assert old_node.data == new_node.data

    @rule(data=st.data())
    def verify(self, data: st.DataObject) -> None:
        if (picked := self.pick(data)) is not None:
            name, number = picked
            tree = self.model[name].versions[number].tree
            report = self.store.verify(f"{name}:v{number}")
            assert not report.problems
            assert report.checked_files == sum(isinstance(node, File) for node in tree.values())

    # always ------------------------------------------------------------------------

    @precondition(lambda self: any(c.versions for c in self.model.values()))
    @invariant()
    def check_finds_nothing(self) -> None:
        assert problems_of(self.store) == []

    @invariant()
    def versions_are_those_of_the_model(self) -> None:
        for name, collection in self.model.items():
            if not collection.versions:
                continue
            for number, version in enumerate(self.store.versions(name)):
                expected = collection.versions[number]
                assert version.version == number
                assert version.is_live == (not expected.is_deleted)
                if version.is_live:
                    assert set(version.aliases) == expected.aliases
                    assert set(version.tags) == expected.tags
            if collection.latest is not None:
                assert self.store.artifact(name).version == f"v{collection.latest}"


def build_difference(root: Path, tree: dict[str, Node]) -> None:
    """Make `root` hold `tree` without touching what is right, so that caches have a say."""
    there = observe(root)
    for path in [path for path, node in there.items() if tree.get(path) != node]:
        place = root / path
        if isinstance(there[path], Empty):
            place.rmdir()
        else:
            place.unlink()
    for directory, _, _ in sorted(os.walk(root), reverse=True):
        here = Path(directory)
        relative = here.relative_to(root).as_posix()
        if here != root and not isinstance(tree.get(relative), Empty) and not any(here.iterdir()):
            here.rmdir()
    for path, node in tree.items():
        if there.get(path) != node:
            put(root, path, node)


def blocked(there: dict[str, Node], tree: dict[str, Node]) -> bool:
    """Whether a directory that is not empty stands where the version has no directory."""
    return any(
        other.startswith(path + "/")
        for path, node in tree.items()
        if not isinstance(node, Empty)
        for other in there
    )


def overlaid(there: dict[str, Node], tree: dict[str, Node]) -> dict[str, Node]:
    """What a pull without `delete` leaves: the version, and beside it what it does not name."""
    kept = {
        path: node
        for path, node in there.items()
        if path not in tree
        and not any(
            path.startswith(other + "/") and not isinstance(tree[other], Empty) for other in tree
        )
        and not any(other.startswith(path + "/") for other in tree)
    }
    merged = kept | tree
    return {
        path: node
        for path, node in merged.items()
        if not (isinstance(node, Empty) and any(o.startswith(path + "/") for o in merged))
    }


StoreMachine.TestCase.settings = settings(
    max_examples={"dev": 40, "ci": 60}.get(PROFILE, 1_000),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestStore = StoreMachine.TestCase

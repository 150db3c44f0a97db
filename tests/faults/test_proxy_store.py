"""The store behind a proxy that injects one chosen fault: what a user then sees."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from artstore import clock
from artstore.cli.run import run
from artstore.errors import (
    AlreadyExistsError,
    ArtstoreError,
    DamagedDataError,
    NotFoundError,
    UnavailableError,
)
from artstore.storage.address import parse_bucket_url
from artstore.storage.cloud import CloudStorage
from artstore.storage.opener import open_storage
from artstore.storage.overlapping import RequestOptions
from artstore.storage.retry import RetryingStorage
from artstore.testing.proxy import Fault, FaultProxy, ProxyPlan, ScriptedFault
from artstore.testing.servers import S3Server
from tests.faults.proxied import Machine, SeededClock, no_hang
from tests.trees import File, Tree, build, noise, observe, problems_of, push

OLD: Tree = {"keep": File(noise(50_000, 1)), "gone": File(b"gone")}
NEW: Tree = {"keep": File(noise(50_000, 1)), "new": File(noise(60_000, 2))}
LOG = r"/collections/p/ds/\d{12}$"
PLACES = ["artstore.json$", "/packs/.", "/manifests/.", "/index/.", LOG]
"""What a first push creates; the dot keeps out listings of all."""
FOR_EVER = 1_000_000
ONE_SERVER = pytest.mark.parametrize("s3_server", ["moto"], indirect=True)
"""Where it does not matter what the server makes of it: half the time."""


@dataclass
class Bench:
    """One store on a server, a proxy in front of it, and directories to push."""

    server: S3Server
    proxy: FaultProxy
    url: str
    directory: Path
    monkeypatch: pytest.MonkeyPatch

    def machine(self, name: str) -> Machine:
        environ = {**self.server.environ, "AWS_ENDPOINT_URL": self.proxy.endpoint_url}
        return Machine(self.directory / name, self.url, environ, self.monkeypatch)

    def clean(self, name: str = "clean") -> Machine:
        return Machine(self.directory / name, self.url, self.server.environ, self.monkeypatch)

    def tree(self, name: str, tree: Tree) -> Path:
        return build(self.directory / f"in-{name}", tree)

    def inject(self, *script: ScriptedFault, late_requests: int = 10_000) -> None:
        plan = ProxyPlan(script=script, delay_seconds=0.01, late_requests=late_requests)
        self.proxy.follow(plan)

    def injected(self) -> list[Fault | None]:
        return [item.fault for item in self.proxy.log]

    def check_versions(self, *trees: Tree) -> None:
        """What somebody sees who was never here and whose network is sound."""
        store = self.clean("stranger").open()
        versions = store.versions("ds")
        assert [version.version for version in versions] == list(range(len(trees)))
        for number, tree in enumerate(trees):
            target = self.directory / "seen"
            store.artifact(f"ds:v{number}").download(target, delete=True)
            assert observe(target) == tree
        assert problems_of(store) == []
        kinds = [entry["kind"] for entry in store.history("ds")]
        assert kinds == ["create", *["publish"] * len(trees)]


@pytest.fixture
def bench(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    url = f"s3://{s3_server.make_bucket()}/store"
    with (
        no_hang("the test"),
        clock.use(SeededClock(1)),
        FaultProxy(s3_server.endpoint_url) as proxy,
    ):
        yield Bench(s3_server, proxy, url, tmp_path, monkeypatch)


WRITE_FAULTS = sorted(set(Fault) - {Fault.FLIP})


# --- Pushes -----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", WRITE_FAULTS)
def test_a_push_survives_each_fault_at_each_kind_of_value(bench: Bench, fault: Fault) -> None:
    bench.inject(*[ScriptedFault(fault, "PUT", place) for place in PLACES])
    logged = push(bench.machine("one").open(), bench.tree("old", OLD))
    assert (logged.version, logged.push.is_new) == ("v0", True)
    assert bench.injected() == [fault] * len(PLACES)
    bench.check_versions(OLD)
    bench.proxy.send_late()
    bench.check_versions(OLD)


@pytest.mark.parametrize("place", [LOG, "/packs/."])
def test_a_lost_answer_makes_exactly_one_version(bench: Bench, place: str) -> None:
    machine = bench.machine("one")
    push(machine.open(), bench.tree("old", OLD))
    bench.inject(ScriptedFault(Fault.LOSE_ANSWER, "PUT", place))
    logged = push(machine.open(), bench.tree("new", NEW))
    assert (logged.version, logged.push.is_new) == ("v1", True)
    assert bench.injected() == [Fault.LOSE_ANSWER]
    bench.check_versions(OLD, NEW)


def test_a_push_whose_commit_is_never_answered_says_so_and_is_found_when_it_is_run_again(
    bench: Bench,
) -> None:
    machine = bench.machine("one")
    push(machine.open(), bench.tree("old", OLD))
    # The commit arrives, and from then on nothing is heard.
    bench.inject(
        ScriptedFault(Fault.LOSE_ANSWER, "PUT", LOG),
        ScriptedFault(Fault.RESET, "", LOG, first=2, count=FOR_EVER),
    )
    with pytest.raises(UnavailableError) as caught:
        push(machine.open(), bench.tree("new", NEW))
    assert caught.value.code == "commit-unknown"
    bench.inject()
    # Somebody else is first, so that "the newest is mine" does not help.
    push(bench.clean().open(), bench.tree("old", OLD))
    assert push(machine.open(), bench.tree("new", NEW)).version == "v1"
    bench.check_versions(OLD, NEW, OLD)


def test_a_commit_that_arrives_after_its_push_failed_is_found_when_it_is_run_again(
    bench: Bench,
) -> None:
    machine = bench.machine("one")
    push(machine.open(), bench.tree("old", OLD))
    bench.inject(
        ScriptedFault(Fault.LATE, "PUT", LOG),
        ScriptedFault(Fault.RESET, "", LOG, first=2, count=FOR_EVER),
    )
    with pytest.raises(UnavailableError) as caught:
        push(machine.open(), bench.tree("new", NEW))
    assert caught.value.code == "commit-unknown"
    bench.check_versions(OLD)
    bench.inject()
    assert bench.proxy.send_late() == 1
    bench.check_versions(OLD, NEW)
    logged = push(machine.open(), bench.tree("new", NEW))
    assert (logged.version, logged.push.is_new) == ("v1", False)
    bench.check_versions(OLD, NEW)


@pytest.mark.parametrize("fault", [Fault.LATE, Fault.LATE_DUPLICATE])
def test_a_commit_that_comes_late_changes_nothing_that_was_decided_since(
    bench: Bench, fault: Fault
) -> None:
    bench.inject(ScriptedFault(fault, "PUT", LOG, count=2))
    push(bench.machine("one").open(), bench.tree("old", OLD))
    push(bench.clean().open(), bench.tree("new", NEW))
    before = {info.key: info for info in open_storage(bench.url).scan("")}
    assert bench.proxy.send_late() == 2
    assert {info.key: info for info in open_storage(bench.url).scan("")} == before
    bench.check_versions(OLD, NEW)


def test_two_machines_whose_commits_are_sent_twice_get_a_version_each(bench: Bench) -> None:
    bench.inject(ScriptedFault(Fault.DUPLICATE, "PUT", LOG, count=FOR_EVER))
    one, two = bench.machine("one"), bench.machine("two")
    push(one.open(), bench.tree("old", OLD))
    push(two.open(), bench.tree("new", NEW))
    push(one.open(), bench.tree("old", OLD))
    bench.check_versions(OLD, NEW, OLD)


# --- Creates ----------------------------------------------------------------------------


def test_409_is_not_exists(bench: Bench) -> None:
    bench.machine("one").open()
    storage = open_storage(bench.url)
    bench.inject(ScriptedFault(Fault.ERROR_409, "PUT", "k1", count=3))
    storage.create("k1", b"mine")
    assert storage.read("k1") == b"mine"
    with pytest.raises(AlreadyExistsError):
        storage.create("k1", b"other")
    bench.inject(ScriptedFault(Fault.ERROR_409, "PUT", "k2", count=FOR_EVER))
    with pytest.raises(UnavailableError) as caught:
        storage.create("k2", b"mine")
    assert caught.value.code == "storage-unavailable"
    with pytest.raises(NotFoundError):
        storage.stat("k2")


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.ERROR_409, Fault.RESET])
def test_a_create_without_an_answer_is_not_taken_for_the_value_of_another(
    bench: Bench, fault: Fault
) -> None:
    bench.machine("one").open()
    storage = open_storage(bench.url)
    storage.create("k", b"theirs")
    bench.inject(ScriptedFault(fault, "PUT", "k"))
    with pytest.raises(AlreadyExistsError):
        storage.create("k", b"mine!!")
    assert storage.read("k") == b"theirs"


@ONE_SERVER
@pytest.mark.parametrize("fault", [Fault.DELAY, Fault.DELAY_ANSWER])
def test_an_answer_that_takes_too_long_is_one_that_is_lost(bench: Bench, fault: Fault) -> None:
    bench.machine("one").open()
    options = RequestOptions(read_seconds=0.2)
    storage = RetryingStorage(CloudStorage(parse_bucket_url(bench.url), options=options))
    late = ProxyPlan(script=[ScriptedFault(fault)], delay_seconds=60)
    bench.proxy.follow(late)
    storage.create("k", b"mine")
    for read in (lambda: storage.read("k"), lambda: list(storage.scan("k"))):
        bench.proxy.follow(late)
        assert read()
        assert bench.injected() == [fault]
        assert len(bench.proxy.received) == 2
    bench.proxy.follow(ProxyPlan(script=[ScriptedFault(fault, count=FOR_EVER)], delay_seconds=60))
    with pytest.raises(UnavailableError) as caught:
        RetryingStorage(
            CloudStorage(parse_bucket_url(bench.url), options=options), attempts=2
        ).create("k2", b"mine")
    assert caught.value.code == "storage-unavailable"


# --- Storms -----------------------------------------------------------------------------


@ONE_SERVER
def test_slow_down_for_ever_ends_in_a_clear_error_after_bounded_tries(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    push(bench.clean().open(), bench.tree("old", OLD))
    bench.inject(ScriptedFault(Fault.ERROR_503, count=FOR_EVER))
    machine = bench.machine("one")
    machine.open()  # the environment of that machine
    os.environ["ARTSTORE_URL"] = bench.url
    for command in (
        ["push", str(bench.tree("new", NEW)), "ds"],
        ["pull", "ds", str(machine.target)],
        ["ls"],
    ):
        bench.inject(ScriptedFault(Fault.ERROR_503, count=FOR_EVER))
        assert run(command) == 10
        out, err = capfd.readouterr()
        assert out == ""
        assert "SlowDown" in err or "503" in err or "slow down" in err.lower()
        assert "Traceback" not in err
        assert 2 <= len(bench.proxy.received) <= 10
    bench.inject()
    bench.check_versions(OLD)


@ONE_SERVER
@pytest.mark.parametrize(
    "fault", [Fault.RESET, Fault.CUT_ANSWER, Fault.ERROR_500, Fault.CUT_REQUEST]
)
def test_what_never_gets_better_is_unavailable_and_leaves_the_store_as_it_was(
    bench: Bench, fault: Fault
) -> None:
    push(bench.clean().open(), bench.tree("old", OLD))
    for method in ("GET", "PUT"):
        bench.inject(ScriptedFault(fault, method, count=FOR_EVER))
        with pytest.raises(UnavailableError) as caught:
            push(bench.machine("one").open(), bench.tree("new", NEW))
        assert bench.url.removesuffix("/store") in str(caught.value)
        assert len(bench.proxy.log) <= 30
    bench.inject()
    assert push(bench.machine("one").open(), bench.tree("new", NEW)).version == "v1"


@ONE_SERVER
@pytest.mark.parametrize(
    "fault", [Fault.RESET, Fault.LOSE_ANSWER, Fault.ERROR_503, Fault.CUT_ANSWER, Fault.DELAY]
)
def test_every_request_fails_three_times_and_everything_is_done(bench: Bench, fault: Fault) -> None:
    old, new = bench.tree("old", OLD), bench.tree("new", NEW)
    machine = bench.machine("one")
    for step in (
        lambda: push(machine.open(), old),
        lambda: push(machine.open(), new),
        lambda: bench.machine("two").open().artifact("ds").download(machine.target),
    ):
        bench.inject(ScriptedFault(fault, "", count=3), ScriptedFault(fault, "", first=5, count=3))
        step()
        assert len(bench.proxy.log) == 6
    assert observe(machine.target) == NEW
    bench.check_versions(OLD, NEW)


# --- Reads ------------------------------------------------------------------------------


READ_PLACES = ["artstore.json$", "/packs/.", "/manifests/.", LOG]


@ONE_SERVER
@pytest.mark.parametrize("place", READ_PLACES)
def test_flipped_bits_are_never_returned_as_data(bench: Bench, place: str) -> None:
    push(bench.clean().open(), bench.tree("old", OLD))
    push(bench.clean().open(), bench.tree("new", NEW))
    for count in (1, 2, FOR_EVER):
        reader = bench.machine(f"reader-{count}")
        bench.inject(ScriptedFault(Fault.FLIP, "GET", place, count=count))
        try:
            reader.open().artifact("ds").download(reader.target)
        except (DamagedDataError, UnavailableError):
            assert not reader.target.exists() or not observe(reader.target).items() - NEW.items()
        else:
            assert observe(reader.target) == NEW
        assert Fault.FLIP in bench.injected()
        bench.inject()
        reader.open().artifact("ds").download(reader.target)
        assert observe(reader.target) == NEW


@ONE_SERVER
@pytest.mark.parametrize("place", [*READ_PLACES, "/index/."])
@pytest.mark.parametrize("count", [1, FOR_EVER])
def test_a_push_that_reads_flipped_bits_harms_nobody(bench: Bench, place: str, count: int) -> None:
    push(bench.clean().open(), bench.tree("old", OLD))
    machine = bench.machine("one")
    bench.inject(ScriptedFault(Fault.FLIP, "GET", place, count=count))
    try:
        push(machine.open(), bench.tree("new", NEW))
    except ArtstoreError as error:
        assert isinstance(error, DamagedDataError | UnavailableError)
        bench.check_versions(OLD)
        bench.inject()
        push(machine.open(), bench.tree("new", NEW))
    bench.check_versions(OLD, NEW)


@ONE_SERVER
@pytest.mark.parametrize("place", [*READ_PLACES, r"\?prefix="])
def test_bodies_that_are_cut_short_are_read_again(bench: Bench, place: str) -> None:
    push(bench.clean().open(), bench.tree("old", OLD))
    reader = bench.machine("reader")
    bench.inject(ScriptedFault(Fault.CUT_ANSWER, "GET", place, count=2))
    reader.open().artifact("ds").download(reader.target)
    assert observe(reader.target) == OLD
    assert bench.injected() == [Fault.CUT_ANSWER] * 2


@ONE_SERVER
def test_a_pull_that_was_cut_off_is_finished_by_the_next_one(bench: Bench) -> None:
    push(bench.clean().open(), bench.tree("old", OLD))
    reader = bench.machine("reader")
    bench.inject(ScriptedFault(Fault.CUT_ANSWER, "GET", "/packs/", count=FOR_EVER))
    with pytest.raises(UnavailableError):
        reader.open().artifact("ds").download(reader.target)
    bench.inject()
    reader.open().artifact("ds").download(reader.target)
    assert observe(reader.target) == OLD

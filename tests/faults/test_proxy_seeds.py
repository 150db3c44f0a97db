"""
Seeded pushes and pulls of two machines through a proxy that injects faults.

Whatever is injected: nothing that was reported is lost, nothing that is read is
wrong, every failure is an ArtstoreError, and nothing hangs. After each seed a third
machine looks over a clean connection.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from artstore import clock
from artstore.api import Store, VersionState
from artstore.errors import ArtstoreError, NotFoundError
from artstore.testing.proxy import Fault, FaultProxy, ProxyPlan
from artstore.testing.servers import S3Server
from tests.faults.proxied import Machine, SeededClock, no_hang
from tests.trees import File, Tree, build, noise, observe, problems_of, push

SEEDS_EACH_TIME = 30
SEEDS_NIGHTLY = 2_000
SEEDS_OF_FSSPEC = 40
"""Few: each process that opens a store so spends a second on its client."""
TRIES = 3
PARTS = 20


@dataclass
class Pushed:
    """Something that was pushed, perhaps several times over, until it was reported."""

    tree: Tree
    directory: Path
    machine: Machine
    version: int | None = None


@dataclass
class Course:
    """What happens in one seed, and what is known of the store because of it."""

    seed: int
    url: str
    clean: Mapping[str, str]
    directory: Path
    monkeypatch: pytest.MonkeyPatch
    proxy: FaultProxy
    counts: Counter[str]
    pushes: list[Pushed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        environ = {**self.clean, "AWS_ENDPOINT_URL": self.proxy.endpoint_url}
        self.machines = [
            Machine(self.directory / name, self.url, environ, self.monkeypatch)
            for name in ("one", "two")
        ]

    # --- Under faults ------------------------------------------------------------------

    def run(self) -> None:
        for _ in range(self.random.randint(4, 6)):
            chosen = self.random.random()
            machine = self.random.choice(self.machines)
            if chosen < 0.15:
                self.push_from_both()
            elif chosen < 0.6 or not self.pushes:
                self.push(self.new_push(machine), machine.open)
            else:
                self.pull(machine)

    def new_push(self, machine: Machine) -> Pushed:
        number = len(self.pushes)
        files: dict[str, File] = {}
        if self.pushes and self.random.random() < 0.7:
            # Most of it is known already, to this machine or to the other one.
            files.update(self.random.choice(self.pushes).tree)  # type: ignore[arg-type]
        for _ in range(self.random.randint(1, 3)):
            name = f"{self.random.choice('abcdef')}/{self.random.randint(0, 9)}"
            size = self.random.choice([10, 3_000, 70_000])
            files[name] = File(noise(size, self.random.randrange(99)))
        files["which"] = File(b"%d of %d" % (number, self.seed))
        directory = build(self.directory / f"in-{number}", files)
        pushed = Pushed(files, directory, machine)
        self.pushes.append(pushed)
        return pushed

    def push(self, pushed: Pushed, opened: Callable[[], Store]) -> None:
        for _ in range(TRIES):
            if self.attempt("push", lambda: self.push_once(pushed, opened())):
                return

    def push_once(self, pushed: Pushed, store: Store) -> None:
        logged = push(store, pushed.directory, aliases=["best"])
        version = int(logged.version.removeprefix("v"))
        assert pushed.version in (None, version)
        assert all(other.version != version for other in self.pushes if other is not pushed)
        pushed.version = version

    def push_from_both(self) -> None:
        # Stores are opened one after the other: caches are chosen by the environment.
        stores = [(self.new_push(machine), machine.open()) for machine in self.machines]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda pair: self.push(pair[0], lambda: pair[1]), stores))

    def pull(self, machine: Machine) -> None:
        reported = [pushed for pushed in self.pushes if pushed.version is not None]
        newest = max((pushed.version or 0 for pushed in reported), default=-1)
        name = "ds"
        if reported and self.random.random() < 0.5:
            name = f"ds:v{self.random.choice(reported).version}"

        def once() -> None:
            logged = machine.open().artifact(name)
            version = int(logged.version.removeprefix("v"))
            assert version >= newest or name != "ds", "a version that was reported is not seen"
            logged.download(machine.target, delete=True)
            self.check_content(version, observe(machine.target))

        for _ in range(TRIES):
            if self.attempt("pull", once):
                return
            self.check_partial(machine.target)

    def attempt(self, what: str, call: Callable[[], None]) -> bool:
        """Do it once; a failure is an ArtstoreError, or the test fails."""
        try:
            call()
        except ArtstoreError as error:
            assert error.code not in ("unexpected", "storage-unsuitable"), error
            self.counts[f"{what} failed: {type(error).__name__} {error.code}"] += 1
            return False
        self.counts[f"{what} done"] += 1
        return True

    def check_content(self, version: int, found: Mapping[str, object]) -> None:
        known = [pushed for pushed in self.pushes if pushed.tree == found]
        assert len(known) == 1, "a pull brought what nobody pushed"
        assert known[0].version in (None, version)

    def check_partial(self, target: Path) -> None:
        """A pull that failed may leave files, but none that is wrong."""
        known = {(path, node) for pushed in self.pushes for path, node in pushed.tree.items()}
        there = observe(target).items() if target.exists() else ()
        assert not {(path, node) for path, node in there if isinstance(node, File)} - known

    # --- Afterwards --------------------------------------------------------------------

    def verify(self) -> None:
        self.proxy.send_late()
        stranger = Machine(self.directory / "stranger", self.url, self.clean, self.monkeypatch)
        unknown = [pushed for pushed in self.pushes if pushed.version is None]
        if unknown:
            self.check_versions(stranger)
        for pushed in unknown:
            # Whatever became of it: run again it succeeds, and is there once.
            self.push_once(pushed, pushed.machine.open(self.clean))
        versions = self.check_versions(stranger)
        assert len(versions) == len(self.pushes)
        assert problems_of(stranger.open()) == []
        for machine in self.machines:
            # What the machine remembers of the time of faults is as good as nothing.
            store = machine.open(self.clean)
            assert store.versions("ds") == versions
            store.artifact("ds").download(machine.target, delete=True)
            assert observe(machine.target) == observe(stranger.target)

    def check_versions(self, stranger: Machine) -> list[VersionState]:
        """Each version is what somebody pushed, and what was reported is there once."""
        store = stranger.open()
        try:
            versions = store.versions("ds")
        except NotFoundError as error:
            assert error.code in ("collection-not-found", "store-not-found")
            assert all(pushed.version is None for pushed in self.pushes)
            return []
        assert [version.version for version in versions] == list(range(len(versions)))
        found = []
        for version in versions:
            store.artifact(f"ds:v{version.version}").download(stranger.target, delete=True)
            tree = observe(stranger.target)
            self.check_content(version.version, tree)
            found.append(tree)
        for pushed in self.pushes:
            times = found.count(pushed.tree)  # type: ignore[arg-type]
            assert times == (1 if pushed.version is not None else min(times, 1))
            if pushed.version is not None:
                assert found[pushed.version] == pushed.tree
        return versions


def plan_of(seed: int) -> ProxyPlan:
    """Some of the faults, from now and then to nearly always."""
    chosen = random.Random(-seed)
    faults = chosen.sample(list(Fault), chosen.randint(1, 6))
    total = chosen.choice([0.05, 0.2, 0.2, 0.4, 0.7])
    rates = dict.fromkeys(faults, total / len(faults))
    return ProxyPlan(
        seed=seed, rates=rates, delay_seconds=0.002, late_requests=chosen.choice([0, 3, 10, 100])
    )


def run_seed(
    seed: int,
    server: S3Server,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    scheme: str = "s3",
) -> Counter[str]:
    counts: Counter[str] = Counter()
    url = f"{scheme}://{server.make_bucket()}/store"
    plan = plan_of(seed)
    try:
        with (
            no_hang(f"seed {seed}"),
            clock.use(SeededClock(seed)),
            FaultProxy(server.endpoint_url, plan) as proxy,
        ):
            course = Course(seed, url, server.environ, directory, monkeypatch, proxy, counts)
            course.run()
            counts["requests"] = len(proxy.received)
            counts["faults"] = len(proxy.log)
            course.verify()
    except BaseException as error:
        error.add_note(f"seed {seed}: {plan}")
        raise
    return counts


@pytest.mark.parametrize("part", range(3))
def test_nothing_is_lost_and_nothing_is_wrong_whatever_the_network_does(
    part: int, moto: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()
    for seed in range(part, SEEDS_EACH_TIME, 3):
        counts += run_seed(seed, moto, tmp_path / str(seed), monkeypatch)
    assert counts["push done"]
    assert counts["pull done"]
    assert counts["faults"]


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_lost_and_nothing_is_wrong_in_many_more_seeds(
    part: int,
    s3_server: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The two servers share the seeds.
    first = SEEDS_EACH_TIME + 2 * part + (s3_server.name == "moto")
    for seed in range(first, SEEDS_NIGHTLY, 2 * PARTS):
        run_seed(seed, s3_server, tmp_path / str(seed), monkeypatch)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(SEEDS_OF_FSSPEC))
def test_nothing_is_lost_and_nothing_is_wrong_through_fsspec_either(
    seed: int, moto: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_seed(seed, moto, tmp_path, monkeypatch, scheme="fsspec+s3")

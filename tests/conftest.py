"""
What every test gets: a home of its own, and the Hypothesis profile asked for.

Profiles: `dev` (the default; seconds), `ci` (when CI is set; the same examples
on every run), `nightly` (`make nightly`; many more examples). HYPOTHESIS_PROFILE
names one outright.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from artstore.testing.servers import (
    S3Server,
    radosgw_missing,
    s3rver_missing,
    start_moto,
    start_radosgw,
    start_s3rver,
)
from tests.outcomes import FAILED, has_failed

# Two busy cores make single examples slow; that says nothing about the code.
_CALM = [HealthCheck.too_slow]
settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=_CALM)
settings.register_profile(
    "ci",
    # Enough to see a change break something; what is rare is for the nightly thousands.
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=_CALM,
)
settings.register_profile(
    "nightly", max_examples=2_000, deadline=None, print_blob=True, suppress_health_check=_CALM
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
settings.load_profile(PROFILE)


def pytest_configure() -> None:
    """
    Ctrl-C means what it means at a terminal, whoever started the tests.

    Shells have their background jobs ignore it, and what ignores it hands that on to
    every process it starts: to all whose end by Ctrl-C is tested.
    """
    # Clients of S3 make so many objects at once that every fifth second went into searches
    # for garbage.
    gc.set_threshold(10_000, 20, 20)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    item.stash[FAILED] = report.failed or has_failed(item)
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if PROFILE == "nightly":
        return
    nightly = [item for item in items if item.get_closest_marker("nightly")]
    if nightly:
        config.hook.pytest_deselected(items=nightly)
        items[:] = [item for item in items if item not in set(nightly)]


def pytest_collection_finish() -> None:
    """
    Thousands of tests and all modules stay to the end: no search for garbage, of which the
    query engine makes many, goes through them again.
    """
    gc.collect()
    gc.freeze()


_LEADING_OUTSIDE = ("ARTSTORE_", "AWS_", "AZURE_", "FSSPEC_", "GIT_", "GOOGLE_", "S3FS_", "XDG_")


@pytest.fixture(autouse=True)
def home(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Path]:
    """
    A home directory of the test's own, with everything that leads outside cut off.

    HOME and the XDG directories point into it, the working directory is the empty
    `work` in it (above which lies no repository), and no variable of the person
    who runs the tests changes what the code does. It lies beside `tmp_path`,
    which stays empty, and stays like that only if the test fails.
    """
    directory = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(_LEADING_OUTSIDE)]:
        monkeypatch.delenv(name)
    # Without keys nobody is asked for some: not on this machine's network.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(directory))
    for name, part in {
        "XDG_CACHE_HOME": ".cache",
        "XDG_CONFIG_HOME": ".config",
        "XDG_DATA_HOME": ".local/share",
        "XDG_STATE_HOME": ".local/state",
        "XDG_RUNTIME_DIR": ".run",
    }.items():
        monkeypatch.setenv(name, str(directory / part))
    monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(directory / ".cache" / "artstore"))
    monkeypatch.setenv("TZ", "UTC")
    (directory / "work").mkdir()
    monkeypatch.chdir(directory / "work")
    yield directory
    # Two empty directories, which most tests leave, cost more to remove than to keep.
    is_used = len(list(islice(directory.rglob("*"), 2))) == 2
    if is_used and not has_failed(request.node):
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """A moto server for all tests; each makes buckets of its own."""
    with start_moto() as server:
        yield server


@pytest.fixture(scope="session")
def radosgw() -> Iterator[S3Server]:
    """Ceph's radosgw for all tests; they are skipped where its packages are absent."""
    if reason := radosgw_missing():
        pytest.skip(reason)
    with start_radosgw() as server:
        yield server


@pytest.fixture(scope="session")
def s3rver() -> Iterator[S3Server]:
    """s3rver for all tests, which overwrites; they are skipped where npm cannot install it."""
    if reason := s3rver_missing():
        pytest.skip(reason)
    with start_s3rver() as server:
        yield server


@pytest.fixture(params=["moto", "radosgw"])
def s3_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Each of the two servers in turn, with the environment that leads to it."""
    server: S3Server = request.getfixturevalue(request.param)
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def s3_place(s3_server: S3Server) -> str:
    """An empty place for a store on each of the two servers: `s3://bucket/prefix`."""
    return f"s3://{s3_server.make_bucket()}/store"

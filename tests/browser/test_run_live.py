"""Runs that other processes train, watched in a real browser while they do."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.browser.serving import serving
from tests.browser.test_table_page import wait_for
from tests.browser.watching import Watched
from tests.faults.runprocesses import Host, end_of
from tests.faults.runprocesses import wait_for as wait_for_line

TRAINING: Final = """
import numpy as np
with init(id="first"):
    pass
run = init(
    id="a", name="a run", config={"lr": 0.1}, settings={"console": "wrap", "store_seconds": 3600}
)
for line in sys.stdin:
    words = line.split()
    if words[0] == "log":
        for x in range(int(words[1]), int(words[2])):
            run.log({"train/loss": 1.0 / (x + 1), "x": x})
    elif words[0] == "image":
        run.log({"picture": art.Image(np.full((9, 7), int(words[1]), np.uint8))})
    elif words[0] == "key":
        run.log({words[1]: 5.0})
    elif words[0] == "config":
        run.config.update({"later": words[1]}, allow_val_change=True)
    elif words[0] == "print":
        print("printed", f"\x1b[3{len(words[1])}m{words[1]}\x1b[0m", flush=True)
    elif words[0] == "end":
        break
    say("done")
run.finish()
"""


class Training:
    """A process that trains as it is told, on this machine."""

    def __init__(self, host: Host) -> None:
        self.process = host.start(TRAINING)

    def tell(self, order: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()
        wait_for_line(self.process, "done")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host")


@pytest.fixture
def training(browser: Any, host: Host) -> Iterator[Training]:
    found = Training(host)
    found.tell("log 0 1")
    yield found
    found.process.kill()
    found.process.wait()
    for stream in (found.process.stdin, found.process.stdout, found.process.stderr):
        assert stream is not None
        stream.close()


@pytest.fixture
def watched(browser: Any, host: Host, training: Training) -> Iterator[Watched]:
    with serving(host.store()) as address:
        found = Watched(browser, address)
        yield found
        assert (found.errors, found.hosts) == ([], set())
        found.context.close()


def last_step(page: Any, name: str) -> str:
    """What a chart says of itself in words."""
    frame = page.locator(f'.panel[aria-label="{name}"] .chart-frame')
    return str(frame.get_attribute("aria-label")) if frame.count() else ""


def value_of(page: Any, key: str) -> str:
    """What the first of runs side by side has there."""
    found = """key => [...document.querySelectorAll("#compare-values tr")]
      .find((row) => row.querySelector("th bdi")?.textContent === key)
      ?.querySelector("td").textContent.trim()"""
    return str(page.evaluate(found, key))


def test_a_run_appears_moves_and_is_shown_as_crashed_when_it_is_killed(
    watched: Watched, training: Training
) -> None:
    page = watched.page
    watched.goto("/p/p/runs/a")
    page.locator(".state-running").wait_for()
    page.locator('.panel[aria-label="train/loss"] .chart-frame').wait_for()
    before = last_step(page, "train/loss")
    training.tell("log 1 60")
    wait_for(lambda: last_step(page, "train/loss") not in ("", before))
    # A metric that was not there before gets a panel.
    training.tell("key val/acc")
    page.locator('.panel[aria-label="val/acc"] .chart-frame').wait_for()
    training.process.send_signal(signal.SIGKILL)
    end_of(training.process, -signal.SIGKILL)
    page.locator(".state-crashed").wait_for()
    assert "running" not in page.locator("#run-head").inner_text()


def test_console_and_config_follow_a_run(watched: Watched, training: Training) -> None:
    page = watched.page
    watched.goto("/p/p/runs/a?show=console")
    training.tell("print one")
    page.locator("#console", has_text="printed one").wait_for()
    training.tell("print two")
    page.locator("#console", has_text="printed two").wait_for()
    assert page.locator("#console").inner_text().count("printed one") == 1
    assert page.locator("#console .ink-yellow").all_inner_texts() == ["one", "two"]
    # What the store has not yet lies beside the journal.
    training.tell("image 20")
    watched.goto("/p/p/runs/a?show=media")
    picture = page.locator(".media-cell img")
    wait_for(lambda: picture.evaluate("one => one.naturalWidth") == 7)
    first = picture.get_attribute("src")
    training.tell("image 40")
    wait_for(lambda: picture.get_attribute("src") != first)
    watched.goto("/p/p/runs/a?show=overview")
    page.get_by_text("lr:").wait_for()
    training.tell("config value")
    page.get_by_text("later:").wait_for()
    assert training.process.stdin is not None
    training.process.stdin.write("end\n")
    training.process.stdin.close()
    page.locator(".state-finished").wait_for()


def test_values_of_runs_side_by_side_follow_a_run_and_disturb_nobody(
    watched: Watched, training: Training
) -> None:
    page = watched.page
    panel = '{"kind":"parallel","keys":["summary.x","config.lr"]}'
    watched.goto(f"/p/p/compare?run=a,first&panel={panel}")
    assert value_of(page, "state") == "running"
    page.locator('.panel[aria-label="train/loss"] .chart-frame').wait_for()
    axes = page.locator('.panel[aria-label="summary.x, config.lr"]')
    axes.get_by_text("Values").click()
    # Who reads here keeps what he has marked, his place and the focus.
    page.locator("#compare-values a").first.focus()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.sides tbody th'))")
    marked = page.evaluate("String(getSelection())")
    count = page.locator("#compare-count").inner_text()
    training.tell("log 1 8")
    wait_for(lambda: value_of(page, "x") == "7")
    axes.locator("td", has_text="7").first.wait_for()
    # Another key: more lines, and one more that differs.
    training.tell("config value")
    page.locator("#compare-values th", has_text="later").wait_for()
    assert page.locator("#compare-count").inner_text() != count
    assert page.evaluate("String(getSelection())") == marked
    assert page.evaluate("document.activeElement.closest('#compare-values') !== null")
    keys = page.locator(".sides-key")
    assert keys.evaluate_all("all => all.map((one) => one.hidden)") == [False, False]
    training.process.send_signal(signal.SIGKILL)
    end_of(training.process, -signal.SIGKILL)
    wait_for(lambda: value_of(page, "state") == "crashed")
    assert page.locator(".sides thead .run-state").first.inner_text() == "crashed"


def test_who_is_refused_a_stream_sees_what_changes_all_the_same(
    watched: Watched, training: Training
) -> None:
    page = watched.page
    page.add_init_script(
        "const after = setTimeout; window.setTimeout = (run, ms) => after(run, (ms ?? 0) / 20);"
    )
    refused: list[str] = []

    def answer(route: Any) -> None:
        refused.append(route.request.url)
        route.fulfill(status=503, json={})

    page.route("**/events?*", answer)
    watched.goto("/p/p/runs/a")
    page.locator('.panel[aria-label="train/loss"] .chart-frame').wait_for()
    wait_for(lambda: len(refused) > 1)
    before = last_step(page, "train/loss")
    training.tell("log 1 60")
    wait_for(lambda: last_step(page, "train/loss") not in ("", before))
    # As soon as there is room, it is told again.
    page.unroute("**/events?*")
    training.tell("key val/acc")
    page.locator('.panel[aria-label="val/acc"] .chart-frame').wait_for()
    watched.errors.clear()


def test_a_page_says_that_its_server_is_away_and_goes_on_when_it_is_back(
    browser: Any, host: Host, training: Training
) -> None:
    with serving(host.store()) as address:
        watched = Watched(browser, address)
        page = watched.page
        page.add_init_script(
            "const after = setTimeout; window.setTimeout = (run, ms) => after(run, (ms ?? 0) / 20);"
        )
        watched.goto("/p/p/compare?run=a")
        page.locator('.panel[aria-label="train/loss"] .chart-frame').wait_for()
        note = page.get_by_text("The server does not answer")
        assert note.count() == 0
    note.wait_for()
    before = last_step(page, "train/loss")
    training.tell("log 1 60")
    with serving(host.store(), port=int(address.rpartition(":")[2])):
        wait_for(lambda: last_step(page, "train/loss") not in ("", before))
        note.wait_for(state="detached")
        wait_for(lambda: value_of(page, "x") == "59")
        watched.context.close()


def test_nobody_is_asked_while_nobody_looks_and_once_a_second_at_most(
    watched: Watched, training: Training
) -> None:
    page = watched.page
    # What a browser does when another tab is in front.
    page.add_init_script(
        """
        let isHidden = false;
        Object.defineProperty(document, "hidden", { get: () => isHidden });
        addEventListener("artstore-test-hide", (event) => {
          isHidden = event.detail;
          document.dispatchEvent(new Event("visibilitychange"));
        });
        """
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def hide(is_hidden: bool) -> None:
        page.evaluate(
            "is => dispatchEvent(new CustomEvent('artstore-test-hide', { detail: is }))", is_hidden
        )

    watched.goto("/p/p/runs/a")
    page.locator('.panel[aria-label="train/loss"] .chart-frame').wait_for()
    assert sum("/events?" in one for one in asked) == 1
    hide(True)
    asked.clear()
    before = last_step(page, "train/loss")
    for first in range(1, 30):
        training.tell(f"log {first} {first + 1}")
        page.wait_for_timeout(50)
    page.wait_for_timeout(1_500)
    assert asked == []
    hide(False)
    wait_for(lambda: last_step(page, "train/loss") != before)
    asked.clear()
    begun = page.evaluate("() => performance.now()")
    for first in range(30, 60):
        training.tell(f"log {first} {first + 1}")
        page.wait_for_timeout(100)
    seconds = (page.evaluate("() => performance.now()") - begun) / 1000
    assert 1 <= sum("/series?" in one for one in asked) <= seconds + 2

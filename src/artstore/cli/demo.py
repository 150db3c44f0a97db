"""
`art demo`: the whole tour on real data, offline, in a directory that stays.

scikit-learn's 1,797 scanned digits, which are shipped with the package, are written out as files,
pushed, edited, pushed again, compared, pulled and verified. What was pulled is compared with what
was pushed once more, by reading both, so that the demo takes nobody's word for it.

The scans are the test set of "Optical Recognition of Handwritten Digits" by E. Alpaydin and
C. Kaynak, UCI Machine Learning Repository, CC BY 4.0 (digits.csv.gz).
"""

from __future__ import annotations

import filecmp
import gzip
import os
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from artstore.cli.command import Command, shared_options
from artstore.cli.demo_tables import run_table_tour
from artstore.cli.digits import Digit, Edit, edit_digits, write_digits
from artstore.cli.output import count, format_bytes, format_seconds
from artstore.cli.session import Session
from artstore.errors import DamagedDataError, StateError

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact, Store

__all__ = ["DemoReport", "demo_command", "run_demo"]

Echo = Callable[[str], None]

NAME: Final = "digits"
PROJECT: Final = "demo"
DIRECTORY_PREFIX: Final = "art-demo-"


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the tour did; `first` and `second` are versions such as `digits:v0`."""

    directory: str
    store: str
    first: str
    second: str
    file_count: int
    size_bytes: int
    first_stored_bytes: int
    second_stored_bytes: int
    added: int
    removed: int
    changed: int
    renamed: int
    verified_files: int
    table: str
    before: str
    predictions: str
    predicted: int
    wrong_before: int
    wrong: int
    seconds: float


def run_demo(directory: Path | None, store_url: str | None, echo: Echo) -> DemoReport:
    """
    Run the tour inside `directory`, which keeps the data, the store and the checkout.

    Args:
        directory: empty or not there yet; None makes a new one for temporary files.
        store_url: another place for the store.
        echo: gets the report line by line.
    Raises:
        StateError: `target-not-empty`, the directory is in use.
        DamagedDataError: `damage-found`, if what was pulled is not what was pushed.
    Cost: a few seconds, 15 MB of disk (1,797 files take a block each, twice).
    """
    began = time.perf_counter()
    if directory is not None:
        _refuse_used(directory)
    images = _load_digits()
    # Made only now: a demo that cannot start leaves nothing behind.
    directory = (directory or Path(tempfile.mkdtemp(prefix=DIRECTORY_PREFIX))).absolute()
    tour = _Tour(directory, store_url or str(directory / "store"), echo)
    report = tour.run(images, began)
    for line in _where_to_look(report):
        echo(line)
    return report


class _Tour:
    """The steps, numbered as they are told; each leaves what the next one needs."""

    def __init__(self, directory: Path, store_url: str, echo: Echo) -> None:
        # Imported here: `art --help` lists the demo and must not load the whole package.
        from artstore.api import open_store

        self.data = directory / NAME
        self.checkout = directory / "pulled"
        self.directory = directory
        self.store_url = store_url
        self.store: Store = open_store(store_url, project=PROJECT)
        self.echo = echo
        self._steps = 0

    def run(self, images: Iterator[Digit], began: float) -> DemoReport:
        digits = self._write(images)
        first = self._push("first", "as they were scanned")
        edit = Edit()
        self._edit(digits, edit)
        second = self._push("clean", "labels corrected, scans replaced")
        self._push_again(second)
        diff = self._diff(first, second)
        self._pull(first, second)
        verified_files = self._verify(second)
        tables = run_table_tour(self.store, digits, self._step, self._told)
        return DemoReport(
            directory=str(self.directory),
            store=self.store_url,
            first=_short(first),
            second=_short(second),
            file_count=second.file_count,
            size_bytes=second.size,
            first_stored_bytes=first.push.stored_bytes,
            second_stored_bytes=second.push.stored_bytes,
            **diff,
            verified_files=verified_files,
            table=tables.table,
            before=tables.before,
            predictions=tables.predictions,
            predicted=tables.predicted,
            wrong_before=tables.wrong_before,
            wrong=tables.wrong,
            seconds=round(time.perf_counter() - began, 3),
        )

    def _step(self, title: str) -> None:
        self._steps += 1
        self.echo(f"{self._steps}. {title}")

    def _told(self, text: str) -> None:
        self.echo(f"   {text}")

    def _write(self, images: Iterator[Digit]) -> list[Digit]:
        self._step("Real data: the scanned digits of scikit-learn, a PNG file each")
        digits = write_digits(self.data, images)
        self._told(f"{count(len(digits), 'image')} and labels.csv in {self.data}")
        return digits

    def _push(self, alias: str, message: str) -> LoggedArtifact:
        from artstore.artifact import Artifact

        self._step(f"art push {self.data.name} {NAME} --alias {alias}")
        draft = Artifact(
            NAME,
            type="dataset",
            description="8x8 scans of handwritten digits",
            metadata={"classes": 10},
        )
        draft.add_dir(self.data)
        version = self.store.log_artifact(draft, aliases=[alias], message=message)
        stored = format_bytes(version.push.stored_bytes)
        self._told(
            f"{_short(version)}: {count(version.file_count, 'file')}, "
            f"{format_bytes(version.size)}; {stored} new in the store, "
            f"{format_seconds(version.push.seconds)}"
        )
        return version

    def _push_again(self, second: LoggedArtifact) -> None:
        from artstore.artifact import Artifact

        self._step(f"art push {self.data.name} {NAME}   (nothing changed)")
        draft = Artifact(NAME)
        draft.add_dir(self.data)
        again = self.store.log_artifact(draft)
        same = not again.push.is_new and again.version == second.version
        told = "the same content, so no new version" if same else "a new version"
        self._told(f"{_short(again)}: {told}, {format_seconds(again.push.seconds)}")

    def _edit(self, digits: list[Digit], edit: Edit) -> None:
        self._step("An edit, as somebody who cleans the data would make it")
        edit_digits(self.data, digits, edit)
        self._told(
            f"{edit.relabelled} image relabelled (its file moved), {edit.redrawn} redrawn, "
            f"{edit.added} added, {edit.removed} removed, labels.csv written anew"
        )

    def _diff(self, first: LoggedArtifact, second: LoggedArtifact) -> dict[str, int]:
        self._step(f"art diff {_short(first)} {_short(second)}")
        diff = self.store.diff(_short(first), _short(second))
        counts = {
            "added": len(diff.added),
            "removed": len(diff.removed),
            "changed": len(diff.changed),
            "renamed": len(diff.renamed),
        }
        self._told(", ".join(f"{number} {word}" for word, number in counts.items()))
        for change in diff.renamed:
            self._told(f"{change.old_path} is now {change.path}")
        return counts

    def _pull(self, first: LoggedArtifact, second: LoggedArtifact) -> None:
        self._step(f"art pull {NAME}:first {self.checkout.name}, then {NAME}:clean onto it")
        for version, alias in ((first, "first"), (second, "clean")):
            pulled = self.store.artifact(f"{NAME}:{alias}").download(self.checkout, delete=True)
            self._told(
                f"{_short(version)}: {count(pulled.written_files, 'file')} written, "
                f"{pulled.skipped_files:,} already right, {pulled.deleted:,} deleted, "
                f"{format_seconds(pulled.seconds)}"
            )

    def _verify(self, second: LoggedArtifact) -> int:
        self._step(f"art verify {_short(second)}, in the store and in the checkout")
        for place in (None, self.checkout):
            report = self.store.verify(_short(second), place)
            if report.problems:
                problem = report.problems[0]
                raise DamagedDataError(
                    f"{problem.path}: {problem.message}", code="damage-found", path=problem.path
                )
        compared = _compare(self.data, self.checkout)
        self._told(
            f"every digest holds; {count(compared, 'file')} compared byte for byte: the same"
        )
        return compared


def _short(version: LoggedArtifact) -> str:
    return version.name


def _refuse_used(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise StateError(
            f"the demo writes into a new or empty directory, and {directory} is neither",
            code="target-not-empty",
            hint="name another one, or none: then a new one is made",
            path=str(directory),
        )


def _load_digits() -> Iterator[Digit]:
    """The digits in scikit-learn's order; grey values 0 to 16 become 0 to 255."""
    with (
        resources.files("artstore.cli").joinpath("digits.csv.gz").open("rb") as packed,
        gzip.open(packed, "rt", encoding="ascii") as lines,
    ):
        for number, line in enumerate(lines):
            *values, label = map(int, line.split(","))
            grey = bytes(value * 255 // 16 for value in values)
            yield Digit(number, label, [grey[at : at + 8] for at in range(0, len(grey), 8)])


def _compare(data: Path, checkout: Path) -> int:
    """Read both trees; returns how many files there are."""
    names = [_file_names(root) for root in (data, checkout)]
    if names[0] != names[1]:
        odd = min(names[0] ^ names[1])
        raise DamagedDataError(
            f"{odd} is not in both {data} and {checkout}", code="damage-found", path=odd
        )
    _, different, unreadable = filecmp.cmpfiles(data, checkout, names[0], shallow=False)
    for name in (*different, *unreadable):
        raise DamagedDataError(
            f"{checkout / name} is not {data / name}", code="damage-found", path=name
        )
    return len(names[0])


def _file_names(root: Path) -> set[str]:
    return {
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _, names in os.walk(root)
        for name in names
    }


def _where_to_look(report: DemoReport) -> Iterator[str]:
    art = f"art --store {shlex.quote(report.store)} --project {PROJECT}"
    both = f"{report.before}/joined {report.predictions}/joined"
    yield f"Done in {format_seconds(report.seconds)}. All of it stays in {report.directory}:"
    yield f"   {NAME}/ the data as it is now, pulled/ the checkout, store/ the store"
    yield "Go on from here:"
    for words in (
        f"ls {NAME}",
        f"log {NAME}",
        f"show {report.second}",
        f"diff {report.first} {report.second}",
        f"cat {report.second} labels.csv",
        f"table query {report.predictions}/joined --where 'guess <> label'",
        f"table diff {both} --key id --truth label --guess guess",
        "runs --columns name,state,config.learning_rate,summary.accuracy.max",
        f"why {report.predictions}",
        "lineage digits-table --down",
        "check --read-data",
    ):
        yield f"   {art} {words}"
    yield "Or look at it in a browser:"
    yield f"   {art} serve --open"


@click.command("demo", cls=Command, examples=("art demo", "art demo tour", "art demo --json"))
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@shared_options
@click.pass_obj
def demo_command(session: Session, directory: Path | None) -> None:
    """
    Push, edit, push, diff, pull and verify 1,797 small images, train on them, show the errors.

    Everything is kept in DIR, or in a new temporary directory that is named at the end. Nothing
    else is touched: the store is made there too, unless --store names another. The images are
    those of scikit-learn's digits; they come with this package, and nothing is downloaded.
    """
    is_told = not (session.as_json or session.quiet)
    report = run_demo(directory, session.store, click.echo if is_told else _say_nothing)
    session.output.result(asdict(report), (), names=[report.directory])


def _say_nothing(_line: str) -> None:
    return

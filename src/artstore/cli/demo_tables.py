"""
The second half of `art demo`: the digits as a table, a classifier, its errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from artstore.cli.demo_runs import digit_array, run_trials
from artstore.cli.digits import Digit
from artstore.cli.output import count, format_bytes, format_seconds

if TYPE_CHECKING:
    from artstore.api import Store

__all__ = ["TableReport", "run_table_tour"]

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TableReport:
    """
    Versions of the dataset as a table and of the predictions, and how many were wrong.

    Attributes:
        before, wrong_before: predictions of the same model after one epoch.
    """

    table: str
    before: str
    predictions: str
    predicted: int
    wrong_before: int
    wrong: int
    model: str


def run_table_tour(
    store: Store, digits: Sequence[Digit], begin_step: Callable[[str], None], told: Told
) -> TableReport:
    """
    Log the digits as a table, train on every second one, predict the others, join and group.

    Args:
        begin_step: told the title of each step.
        told: what came of it.
    Cost: about two seconds.
    """
    begin_step("The same digits as a table: id, image, label; images are cells")
    dataset = _log_table(store, digits)
    stored = format_bytes(dataset.push.stored_bytes)
    seconds = format_seconds(dataset.push.seconds)
    told(f"{dataset.name}: {count(len(digits), 'row')}, {stored} new in the store, {seconds}")
    begin_step("A classifier learns every second digit and guesses the others: each try is a run")
    trials = run_trials(store, digits)
    early, late = trials.guessed
    told(f"{late.model}: {len(late.ids):,} digits, a score for each class, twice")
    for line in trials.lines:
        told(line)
    begin_step("Predictions logged with a joined table: ids and scores, no image is copied")
    versions = trials.versions
    for version, guessed in zip(versions, (early, late), strict=True):
        stored = format_bytes(version.push.stored_bytes)
        told(f"{version.name}, {guessed.learnt}: {stored} new in the store")
    begin_step("Joined with the very version they were made from: errors by label")
    wrong_before = versions[0].get("joined").filter("guess <> label").count().to_pyarrow().as_py()
    told(f"{early.learnt}, {wrong_before} of {len(early.ids):,} are wrong; {late.learnt}:")
    wrong = _tell_errors(versions[1], told)
    before, after = (version.name for version in versions)
    return TableReport(dataset.name, before, after, len(late.ids), wrong_before, wrong, late.model)


def _log_table(store: Store, digits: Sequence[Digit]) -> Any:
    from artstore.artifact import Artifact
    from artstore.media.image import Image
    from artstore.tables.table import Table

    table = Table(["id", "image", "label"])
    for digit in digits:
        table.add_data(digit.number, Image(digit_array(digit)), digit.label)
    table.set_pk("id")
    draft = Artifact("digits-table", "dataset", "8x8 scans of handwritten digits, as a table")
    draft.add(table, "examples")
    return store.log_artifact(draft)


def _tell_errors(predictions: Any, told: Told) -> int:
    joined = predictions.get("joined")
    wrong = "sum(CASE WHEN guess <> label THEN 1 ELSE 0 END)"
    groups = joined.group("label", n="count()", wrong=wrong).to_pyarrow().to_pylist()
    for group in groups:
        if group["wrong"]:
            told(f"label {group['label']}: {int(group['wrong'])} of {group['n']} wrong")
    total = sum(int(group["wrong"]) for group in groups)
    first = joined.filter("guess <> label").order_by("id").limit(1).to_pyarrow().to_pylist()
    for row in first:
        width, height = row["image"]["width"], row["image"]["height"]
        told(
            f"{total} of {len(joined):,} in all; the first is row {row['id']}, a {row['label']} "
            f"taken for {row['guess']}, its image {width} x {height}"
        )
    return total

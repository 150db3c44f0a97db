"""
What charts are drawn from: lines of some keys of some runs, as many points as can be seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from artstore import forks
from artstore.errors import InvalidInputError, LimitExceededError, StateError
from artstore.runs.columns import as_json, values_of
from artstore.tracking.journalfollower import JournalGoneError

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from artstore.runs.lines import RunLine
    from artstore.web.live.run import LiveRun
    from artstore.web.live.runs import Live

__all__ = ["SeriesRequest", "read_request", "series_text"]

POINTS_MAX: Final = 2_000
_POINTS_USUAL: Final = 400
_RUNS_MAX: Final = 200
_KEYS_MAX: Final = 50
_BUCKETS_MAX: Final = 200_000
"""Of all lines of a request: more are cut into fewer each, which nobody sees."""
_POINTS_LEAST: Final = 20
_LINES_AT_ONCE: Final = 500
_KINDS: Final = ("history", "system")
_TRIES: Final = 5
_LATE: Final = ("numpy", "pyarrow", "pyarrow.parquet", "artstore.runs.lines")


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """
    What a chart asks for.

    Attributes:
        x: `_step`, `_timestamp`, `_relative` or a key.
        low, high: the range on the axis; None: where the lines begin and end.
        points: into how many buckets the range is cut.
        group: a name such as `config.lr`: runs that have the same become one band.
        has_edges: whether the points right beside the range are wanted too.
    """

    runs: tuple[str, ...]
    keys: tuple[str, ...]
    x: str
    low: float | None
    high: float | None
    points: int
    kind: str
    group: str | None
    has_edges: bool


def read_request(query: QueryParams) -> SeriesRequest:
    """
    What an address says: `run` and `key` as often as wanted.

    Raises:
        InvalidInputError: `request-invalid`.
        LimitExceededError: `limit-exceeded`.
    """
    runs = tuple(dict.fromkeys(query.getlist("run")))
    keys = tuple(dict.fromkeys(query.getlist("key")))
    for name, given, most in (("run", runs, _RUNS_MAX), ("key", keys, _KEYS_MAX)):
        if len(given) > most:
            raise LimitExceededError(
                f"up to {most} times `{name}` is answered at once, not {len(given)}",
                code="limit-exceeded",
                hint="ask for the others in a request of their own",
            )
    kind = query.get("kind", _KINDS[0])
    if kind not in _KINDS:
        raise _invalid(f"kind is history or system, not {kind!r}")
    usual = "_step" if kind == "history" else "_timestamp"
    x = query.get("x") or usual
    if kind == "system" and x == "_step":
        raise _invalid("samples of a machine have no steps: x is _timestamp or _relative")
    points = read_points(query, _POINTS_USUAL)
    low, high = (_number(query, name) for name in ("from", "to"))
    if low is not None and high is not None and low > high:
        raise _invalid(f"the range from {low:g} to {high:g} is none")
    most = _BUCKETS_MAX // max(1, len(runs) * len(keys))
    return SeriesRequest(
        runs,
        keys,
        x,
        low,
        high,
        max(min(points, most), min(points, _POINTS_LEAST)),
        kind,
        query.get("group") or None,
        query.get("edges") == "1",
    )


def read_points(query: QueryParams, usual: int) -> int:
    """
    How many are wanted.

    Raises:
        InvalidInputError: `request-invalid`.
    """
    text = query.get("points", str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= POINTS_MAX):
        raise _invalid(f"points is a whole number from 1 to {POINTS_MAX:,}, not {text!r}")
    return int(text)


def series_text(live: Live, project: str, request: SeriesRequest) -> str:
    """
    The answer as JSON; docs/reference/web-api.md tells its shape.

    Raises:
        NotFoundError: `run-not-found`.
        DamagedDataError: `history-damaged`.
        InvalidInputError: `column-unknown`, ... of `group`.
    Cost: what is not kept is read; then 0.4 ms for a line of 10,000 points.
    """
    forks.import_late(_LATE)
    for _ in range(_TRIES):
        runs = live.some(project, request.runs)
        try:
            return _text_of(live, runs, request)
        except JournalGoneError:
            # The store has by now what a journal had.
            live.expire(project)
    raise StateError(
        f"the journals of runs of {project} go while they are read",
        code="journal-in-use",
        hint="try again: the store has them by then",
    )


def _text_of(live: Live, runs: Sequence[LiveRun], request: SeriesRequest) -> str:
    """Some lines at a time: of a million points only what is drawn stays."""
    revision = max((run.revision for run in runs), default=0)
    texts: list[str] = []
    missing: list[dict[str, str]] = []
    for some, keys in _portions(runs, request):
        lines = _lines(live, some, keys, request)
        drawn = [line for line in lines if line is not None]
        if request.group is None:
            texts += [_line_text(some[line.run].id, line, request) for line in drawn]
        else:
            texts += _group_texts(some, keys, drawn, request)
        places = ((run.id, key) for run in some for key in keys)
        missing += [
            {"run": run_id, "key": key}
            for (run_id, key), line in zip(places, lines, strict=True)
            if line is None
        ]
    listed = ",".join(texts)
    told = f'"series":[{listed}]' if request.group is None else f'"series":[],"groups":[{listed}]'
    return (
        f'{{"x":{json.dumps(request.x)},"revision":{revision},"points":{request.points},{told},'
        f'"missing":{json.dumps(missing, separators=(",", ":"))}}}'
    )


def _portions(
    runs: Sequence[LiveRun], request: SeriesRequest
) -> Iterator[tuple[Sequence[LiveRun], Sequence[str]]]:
    """Runs and keys whose lines are in memory together; a band needs all runs at once."""
    keys = request.keys
    if not keys or not runs:
        return
    if request.group is None:
        count = max(1, _LINES_AT_ONCE // len(keys))
        for start in range(0, len(runs), count):
            yield runs[start : start + count], keys
    else:
        count = max(1, _LINES_AT_ONCE // len(runs))
        for start in range(0, len(keys), count):
            yield runs, keys[start : start + count]


def _lines(
    live: Live, runs: Sequence[LiveRun], keys: Sequence[str], request: SeriesRequest
) -> list[RunLine | None]:
    from artstore.runs.lines import run_lines

    sources = [run.sources(request.kind) for run in runs]
    has_steps = request.kind == "history"
    return run_lines(live.reader, sources, keys, request.x, has_steps=has_steps)


def _line_text(run_id: str, line: RunLine, request: SeriesRequest) -> str:
    from artstore.runs.series import sampled
    from artstore.runs.seriesjson import json_number, json_numbers

    found = sampled(
        line.x,
        line.y,
        request.points,
        low=request.low,
        high=request.high,
        with_edges=request.has_edges,
    )
    last = ",".join(json_number(number) for number in line.last)
    return (
        f'{{"run":{json.dumps(run_id)},"key":{json.dumps(line.key)},'
        f'"x":{json_numbers(found.x)},"y":{json_numbers(found.y)},'
        f'"count":{found.count},"is_sampled":{json.dumps(found.is_sampled)},"last":[{last}]}}'
    )


def _group_texts(
    runs: Sequence[LiveRun],
    keys: Sequence[str],
    lines: Sequence[RunLine],
    request: SeriesRequest,
) -> Iterator[str]:
    from artstore.runs.series import band
    from artstore.runs.seriesjson import json_numbers

    assert request.group is not None
    values = values_of([run.whole for run in runs], request.group) if runs else []
    texts = [_text(value) for value in values]
    for key in keys:
        members: dict[str | None, list[RunLine]] = {}
        for line in lines:
            if line.key == key:
                members.setdefault(texts[line.run], []).append(line)
        for text, found in members.items():
            drawn = band(
                [(line.x, line.y) for line in found],
                request.points,
                low=request.low,
                high=request.high,
            )
            ids = json.dumps([runs[line.run].id for line in found], separators=(",", ":"))
            yield (
                f'{{"key":{json.dumps(key)},"group":{json.dumps(text)},"runs":{ids},'
                f'"x":{json_numbers(drawn.x)},"mean":{json_numbers(drawn.mean)},'
                f'"low":{json_numbers(drawn.low)},"high":{json_numbers(drawn.high)}}}'
            )


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(as_json(value), ensure_ascii=False, separators=(",", ":"))


def _number(query: QueryParams, name: str) -> float | None:
    text = query.get(name)
    if text is None or not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise _invalid(f"{name} is a number, not {text!r}")
    return value


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(why, code="request-invalid")

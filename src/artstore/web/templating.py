"""
How pages are rendered: Jinja with everything escaped, and the words numbers are told in.
"""

from __future__ import annotations

import calendar
import json
import time
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from artstore import clock
from artstore.durations import duration_text
from artstore.web.visible import visible

if TYPE_CHECKING:
    from artstore.web.routing import Answer, Visit
    from artstore.web.site import Site

__all__ = [
    "ERROR_TEMPLATE",
    "attribute_data",
    "format_age",
    "format_bytes",
    "format_duration",
    "format_moment",
    "is_over",
    "make_templates",
    "render",
    "script_data",
]

ERROR_TEMPLATE: Final = "error.html"

_UNITS: Final = ("kB", "MB", "GB", "TB", "PB")
_STEP: Final = 1000
_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"
_SHOWN_CHARS: Final = 2_000
"""Of a name of somebody, in one line."""
_AGES: Final = (
    (60, 1, "second"),
    (3600, 60, "minute"),
    (86_400, 3600, "hour"),
    (30 * 86_400, 86_400, "day"),
    (365 * 86_400, 30 * 86_400, "month"),
    (float("inf"), 365 * 86_400, "year"),
)
# What could end a script element, or a line of a script in old browsers.
_IN_SCRIPT: Final = {
    ord("<"): "\\u003c",
    ord(">"): "\\u003e",
    ord("&"): "\\u0026",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


def make_templates(site: Site) -> Environment:
    """The templates of `templates/`. A name that a template does not get is an error."""
    templates = Environment(
        loader=PackageLoader("artstore.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters.update(
        age=format_age,
        attribute_data=attribute_data,
        bytes=format_bytes,
        count=format_count,
        duration=format_duration,
        is_over=is_over,
        moment=format_moment,
        script_data=script_data,
        visible=lambda text: visible(text, _SHOWN_CHARS, lines=False),
    )
    templates.globals.update(site=site, static=site.assets.address)
    return templates


def render(visit: Visit, answer: Answer) -> str:
    """The page of an answer. The template sees `visit`, `link` and `value` beside its names."""
    names = {**answer.value, **answer.shown}
    # Last: no name out of a store may take their place. Who is told of an error may be
    # a stranger, and changes nothing from there.
    secret = "" if answer.template == ERROR_TEMPLATE else visit.site.secret
    names |= {"visit": visit, "link": visit.link, "value": answer.value, "secret": secret}
    return visit.site.templates.get_template(answer.template).render(names)


def script_data(value: Any) -> Markup:
    """JSON for `<script type="application/json">`, in which nothing can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.translate(_IN_SCRIPT))  # noqa: S704 - just escaped, for a script


def attribute_data(value: Any) -> str:
    """JSON for an attribute; it is escaped as any other text."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def format_bytes(size_bytes: int) -> str:
    """`999 B`, `1.0 kB`, `431.2 MB`: decimal, one digit."""
    if size_bytes < _STEP:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in _UNITS:
        size /= _STEP
        if size < _STEP - 0.05 or unit == _UNITS[-1]:
            break
    return f"{size:,.1f} {unit}"


def format_count(number: int, word: str = "", words: str | None = None) -> str:
    """`20,000`; with a word `1 file`, `2 entries`."""
    said = word if number == 1 else words or f"{word}s"
    return f"{number:,} {said}" if word else f"{number:,}"


def format_age(moment: str) -> str:
    """How long ago `2026-01-31T12:00:00Z` was: `3 hours ago`; what is no such moment as it is."""
    try:
        seconds = clock.now_seconds() - calendar.timegm(time.strptime(moment, _MOMENT))
    except ValueError:
        return moment
    if seconds < 1:
        return "now"
    unit_seconds, word = next((unit, word) for limit, unit, word in _AGES if seconds < limit)
    return f"{format_count(int(seconds // unit_seconds), word)} ago"


def format_duration(seconds: int) -> str:
    """`30 days`, `36 hours`, `90 seconds`: the largest unit that tells it whole."""
    text = duration_text(seconds)
    words = {"d": "day", "h": "hour", "m": "minute", "s": "second"}
    return format_count(int(text[:-1]), words[text[-1]])


def format_moment(moment: str) -> str:
    """`2026-01-31T12:00:00Z` as `2026-01-31 12:00 UTC`; what is no such moment as it is."""
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.strptime(moment, _MOMENT))
    except ValueError:
        return moment


def is_over(moment: str) -> bool:
    """Whether `2026-01-31T12:00:00Z` has come, by the clock of this machine."""
    return moment <= clock.format_time(clock.now_seconds())

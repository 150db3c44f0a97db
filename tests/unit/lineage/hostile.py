"""Texts that somebody may put into a title, an alias, or a record that no check has seen."""

from __future__ import annotations

import html
import re

from artstore.lineage.graph import Graph, graph
from artstore.lineage.records import Edge, RunFacts, RunName, VersionFacts, VersionName
from tests.unit.lineage.memory import MemorySource

HOSTILE = [
    'a"b',
    "a'b`c",
    "end",
    "style x:1 #fff;",
    "classDef x:#fff;",
    "]) --> evil",
    '"]; click n0 href "javascript:alert(1)"',
    'x\nclick n0 call alert("1")',
    "x\r\nn0 --> n1",
    "<script>alert(1)</script>",
    "&lt;img src=x onerror=alert(1)&gt;",
    "<b>bold</b>",
    "%%{init: {'theme':'dark'}}%%",
    "%% comment",
    "---",
    "- list",
    "1. list",
    "_a_ **b** `c`",
    "#quot;#9829;",
    "ﬂ°°60¶ßscript",
    "fa:fa-car",
    "back\\slash\\",
    '\\"; evil [label="',
    "\\N \\G \\l",
    "{a|b}<c>",
    "nul\0 bell\a escape\x1b[31m",
    "right\u202eleft \u2028 line",
    "half \ud800 a character",
    "ü 漢字 😀",
    " leading and trailing ",
    "    four spaces",
    "x" * 5000,
    "",
    "$$x^2$$",
    "|pipe|",
    "subgraph one",
    "http://example.org/?a=b;c&d",
]


def hostile_graph(text: str) -> Graph:
    """A graph of three nodes that says `text` wherever it can."""
    source, made = hostile_source(text)
    return graph(source, [made], direction="up")


def hostile_source(text: str) -> tuple[MemorySource, VersionName]:
    """Where that graph comes from, and its root."""
    source = MemorySource()
    made, used = VersionName(text, text, 1), VersionName("p", "ok", 0, text)
    run = RunName(text, text)
    source.known[made] = VersionFacts(
        made, type=text, aliases=(text,), tags=(text, "bad"), created=text, created_by=text
    )
    source.known_runs[run] = RunFacts(
        run, text, text, text, text, text, text, text, text, is_changed=True, command=text
    )
    source.put(Edge("logged", run, made, time=text))
    source.put(Edge("used", used, run, time=text, asked=text, through=text))
    return source, made


def dot_tokens(text: str) -> list[str]:
    """DOT as its grammar cuts it; fails on a character that no token begins with."""
    token = re.compile(r'\s+|"(?:[^"\\]|\\.)*"|->|[A-Za-z_][A-Za-z0-9_]*|[{}\[\]=;,]')
    tokens, at = [], 0
    while at < len(text):
        match = token.match(text, at)
        assert match, text[at : at + 40]
        at = match.end()
        if match[0].strip():
            tokens.append(match[0])
    return tokens


_LABEL = r'"(?P<label>[^"<>\[\]{}()|`%;#&\x00-\x1f]|#\d+;|<br/>)*"'
MERMAID_LINE = re.compile(
    "|".join(
        re.sub(r"\?P<label>", "?:", one)
        for one in (
            r"flowchart LR",
            rf"  n\d+\[{_LABEL}\]",
            rf"  n\d+\(\[{_LABEL}\]\)",
            rf"  n\d+ -->\|{_LABEL}\| n\d+",
            r"  classDef gone stroke-dasharray: 4 3",
            r"  classDef bad stroke:red",
            r"  class n\d+(,n\d+)* (gone|bad)",
        )
    )
)


def mermaid_labels(text: str) -> list[list[str]]:
    """What a reader of the picture sees: the lines of each label."""
    return [
        [html.unescape(line.replace("#", "&#")) for line in label.split("<br/>")]
        for label in re.findall(r'"([^"]*)"', text)
    ]

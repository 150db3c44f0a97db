"""
The text of an SQL expression to the syntax tree of sqlglot, and nothing but one expression.

The parser is that of DuckDB's dialect with its functions taken out: all of them come as
name and arguments, and `sql.py` knows which names there are. It recurses 25 calls of
Python for each bracket, so brackets are counted before it sees them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Final

from artstore.tables.expressions.refusal import LimitRefusal, Refusal

__all__ = ["BRACKET_COUNT", "parsed"]

BRACKET_COUNT: Final = 24
"""Of brackets, CASE and the like inside one another: 600 of the 1000 calls that Python has."""

_PIECE: Final = re.compile(
    r"""
    (?P<text>'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*")
    | (?P<unclosed>['"])
    | (?P<comment>--|/\*)
    | (?P<end>;)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    """,
    re.VERBOSE,
)
_COLUMNS: Final = "a column of the first table is t0.col, of the second t1.col"
_REFUSED: Final[Mapping[str, tuple[str, str | None]]] = {
    "SELECT": ("a subquery (SELECT)", None),
    "EXISTS": ("EXISTS", "whether a list has elements: len(list) > 0"),
    "OVER": ("a window (OVER)", None),
    "INTERVAL": ("INTERVAL", None),
    "PARAMETER": ("a parameter", _COLUMNS),
    "PLACEHOLDER": ("a parameter", _COLUMNS),
    "DIV": ("the operator '//'", "write floor(a / b)"),
    "DSTAR": ("the operator '**'", "write pow(a, b)"),
    "CARET": ("the operator '^'", "write pow(a, b)"),
}
"""By the name of the type of a token."""
_PAIRS: Final = {"(": ")", "[": "]", "{": "}"}


def parsed(text: str) -> Any:
    """
    The tree of sqlglot.

    Raises:
        Refusal: comments, more than one expression, or none.
        LimitRefusal: it is nested too deeply.
    """
    from sqlglot import exp
    from sqlglot.errors import ErrorLevel, ParseError, TokenError

    _check_brackets(text)
    dialect = _dialect()
    try:
        tokens = dialect.tokenize(text)
        _check_tokens(tokens)
        found = dialect.parser(error_level=ErrorLevel.IMMEDIATE).parse_into(
            exp.Condition, tokens, text
        )
    except TokenError as error:
        raise Refusal(0, f"the text cannot be read as SQL: {error}") from None
    except ParseError as error:
        raise _told(error, tokens, text) from None
    except RecursionError:
        # What the counts above let through, with a stack that is used up already.
        raise LimitRefusal(0, "the expression is nested too deeply", limit=BRACKET_COUNT) from None
    if len(found) != 1 or found[0] is None:
        raise Refusal(0, "there is no expression")
    _place(found[0], tokens)
    return found[0]


def _place(found: Any, tokens: Sequence[Any]) -> None:
    """Tell constants where they stand: sqlglot does for names, and for numbers since 28."""
    from sqlglot import TokenType

    words = ("NULL", "TRUE", "FALSE", "NUMBER", "STRING")
    kinds = {getattr(TokenType, word) for word in words}
    starts = [token.start for token in tokens if token.token_type in kinds]
    constants = ("null", "boolean", "literal")
    nodes = [node for node in found.walk(bfs=False) if node.key in constants]
    if len(starts) == len(nodes):
        for node, start in zip(nodes, starts, strict=True):
            node.meta.setdefault("start", start)


def _check_brackets(text: str) -> None:
    """Refuse what the parser would swallow, or fall over."""
    opened: list[re.Match[str]] = []
    for piece in _PIECE.finditer(text):
        position = piece.start()
        if piece["unclosed"]:
            raise Refusal(position, f"what begins with {piece[0]} does not end")
        if piece["comment"]:
            raise Refusal(position, "a comment is not allowed")
        if piece["end"]:
            raise Refusal(position, "';' is not allowed: one expression, no statements")
        if piece["open"]:
            opened.append(piece)
            if len(opened) > BRACKET_COUNT:
                raise LimitRefusal(
                    position,
                    f"more than {BRACKET_COUNT} brackets in one another",
                    limit=BRACKET_COUNT,
                )
        elif piece["close"]:
            if not opened or _PAIRS[opened[-1][0]] != piece[0]:
                raise Refusal(position, f"{piece[0]!r} closes nothing")
            opened.pop()
    if opened:
        raise Refusal(opened[-1].start(), f"{opened[-1][0]!r} is not closed")


def _check_tokens(tokens: Sequence[Any]) -> None:
    """
    Refuse what is never allowed, where the place is known best.

    And what nests without brackets: `not not not`, `- - -`, CASE in CASE, `x -> y -> z`.
    """
    from sqlglot import TokenType

    refused = {getattr(TokenType, name): told for name, told in _REFUSED.items()}
    ends_operand = {
        TokenType.NUMBER,
        TokenType.STRING,
        TokenType.IDENTIFIER,
        TokenType.VAR,
        TokenType.R_PAREN,
        TokenType.R_BRACKET,
        TokenType.R_BRACE,
        TokenType.END,
        TokenType.NULL,
        TokenType.TRUE,
        TokenType.FALSE,
    }
    run = cases = arrows = 0
    for token in tokens:
        if token.token_type in refused:
            what, hint = refused[token.token_type]
            raise Refusal(token.start, f"{what} is not allowed in an expression", hint=hint)
        run = 0 if token.token_type in ends_operand else run + 1
        cases += (token.token_type == TokenType.CASE) - (token.token_type == TokenType.END)
        arrows += token.token_type == TokenType.ARROW
        if max(run, cases, arrows) > BRACKET_COUNT:
            raise LimitRefusal(
                token.start, f"more than {BRACKET_COUNT} levels in one another", limit=BRACKET_COUNT
            )


def _told(error: Any, tokens: Sequence[Any], text: str) -> Refusal:
    """What the parser says, in our words and with the offset of the token that it names."""
    told = error.errors[0] if error.errors else {}
    place = (told.get("line"), told.get("col"))
    token = next((token for token in tokens if (token.line, token.col) == place), None)
    why = str(told.get("description", ""))
    if token is None:
        return Refusal(0, "this is not an SQL expression")
    if why.startswith("Required keyword"):
        # It names what stands before the gap.
        return Refusal(token.end + 1, f"a value is missing behind {token.text!r}")
    if why.startswith("Expecting"):
        return Refusal(token.start, f"{why.removeprefix('Expecting ')!r} is missing here")
    shown = text[token.start : token.end + 1]
    return Refusal(token.start, f"{shown!r} does not fit here")


@cache
def _dialect() -> Any:
    from sqlglot.dialects.duckdb import DuckDB

    given = DuckDB.Parser

    class ArtstoreExpressions(DuckDB):
        """DuckDB's dialect, with the place in a list as it is written."""

        INDEX_OFFSET = 0

        class Parser(given):  # type: ignore[misc, valid-type]
            FUNCTIONS: ClassVar[dict[str, Any]] = {}
            NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
            FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
                name: parse
                for name, parse in given.FUNCTION_PARSERS.items()
                if name in ("CAST", "TRY_CAST")
            }
            NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
                name: parse
                for name, parse in given.NO_PAREN_FUNCTION_PARSERS.items()
                if name == "CASE"
            }

    return ArtstoreExpressions()

"""
Short conditions in SQL, read without sqlglot: importing that costs more than all runs do.

What is not sure to mean the same there is left to it: `read` gives None, and never
another tree than `artstore.tables.expressions.sql.read` would.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from artstore.tables.expressions.literals import number
from artstore.tables.expressions.operations import OPERATIONS
from artstore.tables.expressions.refusal import Refusal
from artstore.tables.expressions.sql import FUNCTIONS
from artstore.tables.expressions.tree import Call, Constant, Node, Path

__all__ = ["read"]

_TOKEN: Final = re.compile(
    r"""[ \t\n\r]*(?:
      (?P<name>[A-Za-z_][A-Za-z_0-9]*)
    | (?P<quoted>"(?:[^"]|"")+")
    | (?P<text>'(?:[^']|'')*')
    | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.])
    | (?P<sign><=|>=|<>|!=|==|[=<>(),.+\-*/%])
    )""",
    re.VERBOSE,
)
_LEFT_TO_OTHERS: Final = ("--", "/*", "**", "//", "\\")
_BRACKET_COUNT: Final = 10
_COMPARISONS: Final = {
    "=": "equal",
    "==": "equal",
    "!=": "differs",
    "<>": "differs",
    "<": "less",
    "<=": "at_most",
    ">": "greater",
    ">=": "at_least",
}
_SUMS: Final = {"+": "add", "-": "subtract"}
_PRODUCTS: Final = {"*": "multiply", "/": "divide", "%": "remainder"}
_CHAINS: Final = frozenset(["add", "multiply"])
_CONSTANTS: Final = {"TRUE": True, "FALSE": False, "NULL": None}
_FUNCTIONS: Final = {name: made for name, made in FUNCTIONS.items() if name != "if"}
_NO_KEYS: Final = frozenset(
    [
        *("CASE", "DIV", "END", "EXISTS", "FALSE", "INTERVAL", "LAMBDA"),
        *("NOT", "NULL", "OVER", "SELECT", "TRUE", "UNPIVOT"),
    ]
)
"""Words that sqlglot does not take for a name, not even behind a dot."""

_WORDS: Final = frozenset(
    """
    all alter analyze and anti any apply array as asc asof attach auto_increment autoincrement
    begin between bigdecimal bigint bignum bignumeric binary bit bitstring blob bool boolean
    bpchar byte bytea cache call case char character clob collate column comment commit connect
    constraint copy create cross cube current_catalog current_date current_schema current_time
    current_timestamp current_user database date datemultirange daterange datetime dec decfloat
    decimal decimal128 decimal256 decimal32 decimal64 default delete desc describe detach
    disconnect distinct div double drop else end enum escape except execute exists explain false
    fetch file filter first fixed float float4 float8 for force format from full function
    geography geometry glob grant having hugeint ilike in index inet inner insert install int int1
    int128 int16 int2 int256 int32 int4 int4multirange int4range int64 int8 int8multirange
    int8range integer intersect interval into is isnull join json jsonb keep kill lateral left
    like limit list load localtime localtimestamp lock logical long longblob longtext longvarchar
    macro map mediumblob mediumint mediumtext merge namespace natural nchar next not notnull null
    nullable number numeric nummultirange numrange nvarchar nvarchar2 object offset on only
    operator optimize or ordinality out outer over overlaps overwrite partition partitioned_by
    percent pivot pivot_wider positional pragma prepare procedure qualify range real recursive ref
    references regexp rename replace reset returning revoke right rlike rollback rollup row rows
    schema select semi sequence session session_user set settings short show signed smallint some
    str straight_join string struct summarize table tablesample temp temporary text then time
    time_ns timestamp timestamp_ltz timestamp_ms timestamp_ns timestamp_ntz timestamp_s
    timestamp_us timestampltz timestampntz timestamptz timetz tinyblob tinyint tinytext trigger
    true truncate tsmultirange tsrange tstzmultirange tstzrange ubigint uhugeint uint uint128
    uint256 uinteger uncache union unique unknown unnest unpivot update use using usmallint
    utinyint uuid vacuum values varbinary varchar varchar2 variant vector view volatile when where
    window with xor
    """.split()  # noqa: SIM905 - 290 words, one a line, would be half of this file
)
"""What may be a word of SQL at the beginning of a name."""


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


class _Unsure(Exception):  # noqa: N818 - never leaves this file: `read` gives None
    """It has to be read by sqlglot."""


def read(text: str, names: Collection[str]) -> Node | None:
    """
    The tree of a condition; None if sqlglot has to read it, and to say what is wrong.

    Args:
        names: what a path may begin with although it is a word of SQL.
    Cost: 10 us for a comparison.
    """
    if any(sign in text for sign in _LEFT_TO_OTHERS) or text.count("(") > _BRACKET_COUNT:
        return None
    try:
        reader = _Reader(_tokens(text), names)
        node, _ = reader.either()
        reader.expect("end")
    except (_Unsure, Refusal):
        return None
    return node


def _tokens(text: str) -> list[_Token]:
    found, at, end = [], 0, len(text.rstrip(" \t\n\r"))
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _Unsure
        kind = match.lastgroup
        found.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    found.append(_Token("end", "", end))
    return found


_Placed = tuple[Node, int]
"""A node, and where the first name or constant in it stands: the place that sqlglot knows."""


class _Reader:
    """By recursive descent; each method reads what binds as strong as its name says."""

    def __init__(self, tokens: list[_Token], names: Collection[str]) -> None:
        self._tokens = tokens
        self._names = names
        self._at = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def expect(self, kind: str, text: str | None = None) -> _Token:
        token = self._next
        if token.kind != kind or (text is not None and token.text != text):
            raise _Unsure
        self._at += 1
        return token

    def _takes(self, sign: str) -> bool:
        if self._next.kind == "sign" and self._next.text == sign:
            self._at += 1
            return True
        return False

    def _takes_word(self, *words: str) -> str | None:
        if self._next.kind == "name" and self._next.text.upper() in words:
            self._at += 1
            return self._tokens[self._at - 1].text.upper()
        return None

    def either(self) -> _Placed:
        return self._joined("OR", lambda: self._joined("AND", self._negated))

    def _joined(self, word: str, read_term: Callable[[], _Placed]) -> _Placed:
        terms = [read_term()]
        while self._takes_word(word):
            terms.append(read_term())
        return terms[0] if len(terms) == 1 else _call(word.lower(), terms)

    def _negated(self) -> _Placed:
        if self._takes_word("NOT"):
            return _call("not", [self._negated()])
        return self._compared()

    def _compared(self) -> _Placed:
        left = self._sum()
        if self._next.kind == "sign" and self._next.text in _COMPARISONS:
            operation = _COMPARISONS[self._next.text]
            self._at += 1
            found = _call(operation, [left, self._sum()])
        elif self._takes_word("IS"):
            found = self._asked(left)
        else:
            is_not = self._takes_word("NOT")
            word = self._takes_word("IN", "LIKE", "ILIKE", "BETWEEN")
            if word is None:
                if is_not:
                    raise _Unsure
                return left
            found = self._ranged(word, left)
            if is_not:
                found = Call("not", (found[0],), found[0].position), found[1]
        if self._next.kind == "sign" and self._next.text in _COMPARISONS:
            raise _Unsure
        if self._next.kind == "name" and self._next.text.upper() not in ("AND", "OR"):
            raise _Unsure
        return found

    def _asked(self, left: _Placed) -> _Placed:
        is_not = self._takes_word("NOT")
        word = self._takes_word(*_CONSTANTS)
        of, start = left
        if word is None:
            raise _Unsure
        if word == "NULL":
            node = Call("is_null", (of,), of.position)
        else:
            asked = of if word == "TRUE" else Call("not", (of,), of.position)
            node = Call("is_true", (asked,), of.position)
        return (Call("not", (node,), node.position) if is_not else node), start

    def _ranged(self, word: str, left: _Placed) -> _Placed:
        if word == "BETWEEN":
            low = self._sum()
            if not self._takes_word("AND"):
                raise _Unsure
            return _call("between", [left, low, self._sum()])
        if word == "IN":
            if self._takes("("):
                return _call("in", [left, *self._arguments()])
            return _call("contains", [self._path(self._next), left])
        return _call("like" if word == "LIKE" else "like_any_case", [left, self._sum()])

    def _sum(self) -> _Placed:
        return self._chained(_SUMS, lambda: self._chained(_PRODUCTS, self._signed))

    def _chained(self, signs: dict[str, str], read_term: Callable[[], _Placed]) -> _Placed:
        left, is_open = read_term(), ""
        while self._next.kind == "sign" and self._next.text in signs:
            operation = signs[self._next.text]
            self._at += 1
            right = read_term()
            if operation == is_open and operation in _CHAINS:
                # `a + b + c` is one sum of three; `(a + b) + c` is two.
                assert isinstance(left[0], Call)
                node = Call(operation, (*left[0].arguments, right[0]), left[1])
                left = node, left[1]
            else:
                left = _call(operation, [left, right])
            is_open = operation
        return left

    def _signed(self) -> _Placed:
        if not self._takes("-"):
            return self._single()
        if self._next.text == "-":
            raise _Unsure
        inside, start = self._single()
        value = inside.value if isinstance(inside, Constant) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return Constant(-value, inside.position), start
        return Call("negate", (inside,), inside.position), start

    def _single(self) -> _Placed:
        token = self._next
        if token.kind == "number":
            self._at += 1
            return Constant(number(token.text, token.start), token.start), token.start
        if token.kind == "text":
            self._at += 1
            return Constant(token.text[1:-1].replace("''", "'"), token.start), token.start
        if self._takes("("):
            found = self.either()
            self.expect("sign", ")")
            return found
        if token.kind == "name":
            if token.text.upper() in _CONSTANTS:
                self._at += 1
                return Constant(_CONSTANTS[token.text.upper()], token.start), token.start
            if self._tokens[self._at + 1].text == "(":
                return self._called(token)
        return self._path(token)

    def _called(self, token: _Token) -> _Placed:
        operation = _FUNCTIONS.get(token.text.lower())
        self._at += 2
        if operation is None:
            raise _Unsure
        arguments = self._arguments()
        if OPERATIONS[operation].expects(len(arguments)) is None:
            raise _Unsure
        nodes = tuple(node for node, _ in arguments)
        return Call(operation, nodes, token.start), token.start

    def _arguments(self) -> list[_Placed]:
        found = [self.either()]
        while self._takes(","):
            found.append(self.either())
        self.expect("sign", ")")
        return found

    def _path(self, first: _Token) -> _Placed:
        is_word = first.text.lower() in _WORDS and first.text not in self._names
        if first.kind != "name" or is_word:
            raise _Unsure
        self._at += 1
        parts, positions = [first.text], [first.start]
        while self._takes("."):
            token = self._next
            if token.kind == "quoted":
                parts.append(token.text[1:-1].replace('""', '"'))
            elif token.kind == "name" and token.text.upper() not in _NO_KEYS:
                parts.append(token.text)
            else:
                raise _Unsure
            positions.append(token.start)
            self._at += 1
        if self._next.text == "(":
            raise _Unsure
        return Path(tuple(parts), tuple(positions)), first.start


def _call(operation: str, arguments: list[_Placed]) -> _Placed:
    start = min(place for _, place in arguments)
    return Call(operation, tuple(node for node, _ in arguments), start), start

"""
What a pickle would build, worked out from its opcodes without doing any of it.

Loading a pickle runs what its author wrote. Here its opcodes are listed by
`pickletools`, which only reads them, and followed on a stack of symbols: what would
be imported is a name, what would be called is a note of name and arguments.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["CalledSymbol", "PickleSketch", "StorageSymbol", "read_pickle"]

_OPCODES_MAX: Final = 300_000

_TEXTS: Final = frozenset(
    [
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "BINUNICODE8",
        "UNICODE",
        "SHORT_BINSTRING",
        "BINSTRING",
        "STRING",
    ]
)
_NUMBERS: Final = frozenset(
    ["BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT"]
)
_BYTES: Final = frozenset(["SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"])
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES: Final = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS: Final = frozenset(["BINPUT", "LONG_BINPUT", "PUT"])
_GETS: Final = frozenset(["BINGET", "LONG_BINGET", "GET"])
_PASSED: Final = frozenset(["PROTO", "FRAME", "READONLY_BUFFER"])
_MARK: Final = object()


@dataclass(frozen=True, slots=True)
class GlobalSymbol:
    """Something that would be imported: `module.name`."""

    name: str


@dataclass(slots=True)
class CalledSymbol:
    """What a call would give: the name of what is called, and what it is given."""

    name: str
    arguments: Any
    state: Any = None
    items: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StorageSymbol:
    """Something that lies outside of the pickle, by what it is called there."""

    pid: Any


@dataclass(slots=True)
class PickleSketch:
    """
    What is known of a pickle.

    Attributes:
        value: the symbol of what loading it would give; None: not worked out.
        imports: what it would import, in order, each once.
        calls: what it would call, of those.
        opcode_count: how many opcodes were read.
        is_whole: whether the end was reached and understood.
    """

    value: Any = None
    imports: dict[str, None] = field(default_factory=dict)
    calls: dict[str, None] = field(default_factory=dict)
    opcode_count: int = 0
    is_whole: bool = False


def read_pickle(data: bytes) -> PickleSketch:
    """
    Follow the opcodes of a pickle. Nothing is imported, called or built; nothing is raised.

    Cost: time and memory by the number of opcodes, at most 300,000.
    """
    return _Machine().run(data)


class _Machine:
    def __init__(self) -> None:
        self.reading = PickleSketch()
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.texts: list[str] = []
        self.is_lost = False
        self.does: dict[str, Callable[[Any], None]] = {
            "MARK": lambda _: self.stack.append(_MARK),
            "EMPTY_LIST": lambda _: self.stack.append([]),
            "EMPTY_DICT": lambda _: self.stack.append(CalledSymbol("dict", ())),
            "EMPTY_SET": lambda _: self.stack.append(CalledSymbol("set", ())),
            "TUPLE": lambda _: self.stack.append(tuple(self._marked())),
            "LIST": lambda _: self.stack.append(self._marked()),
            "DICT": lambda _: self._dict(),
            "FROZENSET": lambda _: self.stack.append(CalledSymbol("set", tuple(self._marked()))),
            "POP": lambda _: self.stack.pop(),
            "POP_MARK": lambda _: self._drop_marked(),
            "DUP": lambda _: self.stack.append(self.stack[-1]),
            "MEMOIZE": lambda _: self._put(len(self.memo)),
            "REDUCE": lambda _: self._reduce(),
            "NEWOBJ": lambda _: self._reduce(),
            "NEWOBJ_EX": lambda _: self._reduce(options=True),
            "BUILD": lambda _: self._build(),
            "SETITEM": lambda _: self._set_items([self.stack.pop(), self.stack.pop()][::-1]),
            "SETITEMS": lambda _: self._set_items(self._marked()),
            "APPEND": lambda _: self._append([self.stack.pop()]),
            "APPENDS": lambda _: self._append(self._marked()),
            "ADDITEMS": lambda _: self._append(self._marked()),
            "BINPERSID": lambda _: self.stack.append(StorageSymbol(self.stack.pop())),
            "PERSID": lambda text: self.stack.append(StorageSymbol(text)),
            "GLOBAL": lambda text: self._import(str(text).replace(" ", ".", 1)),
            "STACK_GLOBAL": lambda _: self._stack_global(),
            "INST": lambda text: self._inst(str(text)),
            "OBJ": lambda _: self._obj(),
        }

    def run(self, data: bytes) -> PickleSketch:
        try:
            for opcode, argument, _ in pickletools.genops(data):
                self.reading.opcode_count += 1
                if self.reading.opcode_count > _OPCODES_MAX:
                    break
                if opcode.name == "STOP":
                    self.reading.is_whole = not self.is_lost
                    break
                self._note_text(opcode.name, argument)
                if not self.is_lost:
                    self._step(opcode.name, argument)
                elif opcode.name in ("GLOBAL", "INST"):
                    self._noted(str(argument).replace(" ", ".", 1))
                elif opcode.name == "STACK_GLOBAL":
                    self._noted(".".join(self.texts[-2:]))
        except Exception:  # noqa: BLE001 - of hostile bytes nothing is expected; what was read stays
            self.reading.is_whole = False
        if self.stack and not self.is_lost:
            self.reading.value = self.stack[-1]
        return self.reading

    def _note_text(self, name: str, argument: Any) -> None:
        if name in _TEXTS:
            self.texts = [*self.texts[-1:], str(argument)]

    def _step(self, name: str, argument: Any) -> None:
        try:
            if name in _TEXTS or name in _NUMBERS:
                self.stack.append(argument)
            elif name in _BYTES:
                # Only that there are bytes is of interest.
                self.stack.append(b"")
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _TUPLES:
                count = _TUPLES[name]
                items = tuple(self.stack[len(self.stack) - count :])
                del self.stack[len(self.stack) - count :]
                self.stack.append(items)
            elif name in _PUTS:
                self._put(int(argument))
            elif name in _GETS:
                self.stack.append(self.memo[int(argument)])
            elif name not in _PASSED:
                self.does[name](argument)
        except (KeyError, IndexError, TypeError, ValueError):
            # An opcode that is not followed, or a stack that no real pickle has.
            self.is_lost = True

    def _put(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def _marked(self) -> list[Any]:
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is _MARK:
                items = self.stack[at + 1 :]
                del self.stack[at:]
                return items
        raise IndexError

    def _drop_marked(self) -> None:
        self._marked()

    def _import(self, name: str) -> None:
        self._noted(name)
        self.stack.append(GlobalSymbol(name))

    def _noted(self, name: str) -> None:
        self.reading.imports[name] = None

    def _stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._import(f"{module}.{name}" if isinstance(module, str) else str(name))

    def _called(self, target: Any, arguments: Any) -> None:
        name = target.name if isinstance(target, (GlobalSymbol, CalledSymbol)) else "?"
        self.reading.calls[name] = None
        self.stack.append(CalledSymbol(name, arguments))

    def _reduce(self, *, options: bool = False) -> None:
        if options:
            self.stack.pop()
        arguments, target = self.stack.pop(), self.stack.pop()
        self._called(target, arguments)

    def _inst(self, name: str) -> None:
        arguments = tuple(self._marked())
        name = name.replace(" ", ".", 1)
        self._noted(name)
        self._called(GlobalSymbol(name), arguments)

    def _obj(self) -> None:
        target, *arguments = self._marked()
        self._called(target, tuple(arguments))

    def _build(self) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], CalledSymbol):
            self.stack[-1].state = state

    def _dict(self) -> None:
        items = self._marked()
        self.stack.append(CalledSymbol("dict", ()))
        self._set_items(items)

    def _set_items(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], CalledSymbol):
            self.stack[-1].items.extend(zip(items[::2], items[1::2], strict=False))

    def _append(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)


def members(value: Any) -> Iterator[tuple[Any, Any]]:
    """(key, value) of what would be a dict or hold one: the items, then those of its state."""
    if isinstance(value, CalledSymbol):
        yield from value.items
        if isinstance(value.state, CalledSymbol):
            yield from value.state.items
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)

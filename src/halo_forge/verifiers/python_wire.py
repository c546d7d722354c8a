"""How values travel between the judge and the candidate; shipped into both sandboxes, so it imports nothing of ours.

A message is a four-byte length and JSON. Plain data is encoded by value, a subclass as its base type, so that no method
of the candidate's takes part in a comparison. Anything else stays where it is and travels as the number of a handle.
"""

from __future__ import annotations

import builtins
import json
import os
import select
import sys
import time
from importlib import import_module

TYPE_CHECKING = False  # importing typing would take longer than everything else here
if TYPE_CHECKING:
    from typing import Any

MESSAGE_BYTES = 16 << 20
CONTAINERS: dict[type, tuple[str, Any]] = {
    list: ("l", list.__iter__),
    tuple: ("t", tuple.__iter__),
    set: ("s", set.__iter__),
    frozenset: ("z", frozenset.__iter__),
}
SMALL_INT = 1 << 53
MAKERS: dict[str, Any] = {tag: kind for kind, (tag, _) in CONTAINERS.items()}
PURE = {"abs", "all", "any", "bin", "chr", "divmod", "hash", "hex", "len", "max", "min", "oct", "ord", "pow", "round"}
PURE |= {"repr", "sorted", "sum"} | {name for name, value in vars(builtins).items() if isinstance(value, type)}
BUILTINS = {id(getattr(builtins, name)): name for name in PURE}


class Closed(Exception):
    """The other side is gone, or sends something that is not a message."""


class Late(Exception):
    """The other side did not answer in time."""


class Pipe:
    """Messages over two descriptors.

    Args:
        reader: descriptor to receive from.
        writer: descriptor to send to.
        deadline: on the monotonic clock, None to wait for ever.
    """

    def __init__(self, reader: int, writer: int, deadline: float | None = None) -> None:
        self.reader = reader
        self.writer = writer
        self.deadline = deadline

    def send(self, message: Any) -> None:
        """Send one message."""
        payload = json.dumps(message).encode()
        view = memoryview(len(payload).to_bytes(4, "big") + payload)
        try:
            while view:
                self._wait(writing=True)
                view = view[os.write(self.writer, view) :]
        except OSError as error:
            raise Closed(str(error)) from error

    def receive(self) -> Any:
        """Receive one message."""
        size = int.from_bytes(self._read(4), "big")
        if size > MESSAGE_BYTES:
            raise Closed("a message is too long")
        try:
            return json.loads(self._read(size))
        except (ValueError, RecursionError, MemoryError) as error:
            raise Closed("a message is malformed") from error

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            self._wait(writing=False)
            part = os.read(self.reader, min(size, 1 << 20))
            if not part:
                raise Closed("it ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _wait(self, *, writing: bool) -> None:
        if self.deadline is not None:
            left_s = self.deadline - time.monotonic()
            readers, writers = ([], [self.writer]) if writing else ([self.reader], [])
            if left_s <= 0 or not any(select.select(readers, writers, [], left_s)):
                raise Late


def encode(value: Any, handle: Any) -> Any:
    """Return plain data as JSON values; `handle(value)` gives the node of anything else."""
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if isinstance(value, int):
        plain = int.__add__(value, 0)
        return plain if -SMALL_INT < plain < SMALL_INT else ["i", hex(plain)]
    if isinstance(value, float):
        plain_float = float.__pos__(value)
        return plain_float if plain_float - plain_float == 0 else ["f", repr(plain_float)]
    if isinstance(value, str):
        return str.__add__(value, "")
    return _encode_compound(value, handle)


def _encode_compound(value: Any, handle: Any) -> Any:
    for base, (tag, items) in CONTAINERS.items():
        if isinstance(value, base):
            return [tag, *(encode(item, handle) for item in items(value))]
    if isinstance(value, dict):
        return ["d", *(encode(item, handle) for pair in dict.items(value) for item in pair)]
    if isinstance(value, bytes):
        return ["b", bytes.hex(value)]
    if isinstance(value, bytearray):
        return ["B", bytearray.hex(value)]
    if isinstance(value, complex):
        return ["c", encode(complex.__pos__(value).real, handle), encode(complex.__pos__(value).imag, handle)]
    if type(value) is range:
        return ["r", *(hex(number) for number in (value.start, value.stop, value.step))]
    if type(value).__module__ in ("decimal", "fractions"):  # importing them here would double the time to start
        if type(value) is vars(sys.modules["decimal"])["Decimal"]:
            return ["D", str(value)]
        if "fractions" in sys.modules and type(value) is vars(sys.modules["fractions"])["Fraction"]:
            return ["F", hex(value.numerator), hex(value.denominator)]
    if id(value) in BUILTINS:
        return ["n", BUILTINS[id(value)]]
    return handle(value)


def decode(node: Any, resolve: Any) -> Any:
    """Return the value of a node; `resolve(number)` gives the object behind a handle."""
    if not isinstance(node, list):
        return node
    tag, *rest = node
    if tag in ("l", "t", "s", "z", "d", "c"):
        items = [decode(item, resolve) for item in rest]
        if tag == "d":
            return dict(zip(items[::2], items[1::2], strict=True))
        return complex(*items) if tag == "c" else MAKERS[tag](items)
    if tag == "h":
        return resolve(rest[0])
    return _decode_scalar(tag, rest)


def _decode_scalar(tag: Any, rest: list[Any]) -> Any:
    if tag == "i":
        return int(rest[0], 16)
    if tag == "f":
        return float(rest[0])
    if tag == "b":
        return bytes.fromhex(rest[0])
    if tag == "B":
        return bytearray.fromhex(rest[0])
    if tag == "D":
        return import_module("decimal").Decimal(rest[0])
    if tag == "F":
        return import_module("fractions").Fraction(int(rest[0], 16), int(rest[1], 16))
    if tag == "r":
        return range(*(int(number, 16) for number in rest))
    if tag == "n" and rest[0] in PURE:
        return getattr(builtins, rest[0])
    raise ValueError(f"unknown tag {tag!r}")

"""How values travel between the judge and the candidate; runs in both sandboxes, so it imports nothing of ours.

A message is a four-byte length and JSON. Plain data is encoded by value, a subclass as its base type, so that no method
of the candidate's takes part in a comparison. Anything else stays where it is and travels as the number of a handle; a
subclass of tuple, such as a named tuple, travels as both.
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
CHUNK_BYTES = 1 << 16
LONG_NUMBER_CHARS = 1 << 16  # arithmetic that is not linear in the digits is refused above this
CONTAINERS: dict[type, tuple[str, Any]] = {
    list: ("l", list.__iter__),
    tuple: ("t", tuple.__iter__),
    set: ("s", set.__iter__),
    frozenset: ("z", frozenset.__iter__),
}
SMALL_INT = 1 << 53
SCAN: Any = vars(json.JSONDecoder())["scan_once"]
WRITE: Any = vars(json.encoder)["c_make_encoder"](
    None, None, json.encoder.encode_basestring_ascii, None, ": ", ", ", False, False, True
)
MAKERS: dict[str, Any] = {tag: kind for kind, (tag, _) in CONTAINERS.items()}
PURE = {"abs", "all", "any", "bin", "chr", "divmod", "hash", "hex", "len", "max", "min", "oct", "ord", "pow", "round"}
PURE |= {"repr", "sorted", "sum"} | {name for name, value in vars(builtins).items() if isinstance(value, type)}
BUILTINS = {id(getattr(builtins, name)): name for name in PURE}


class Closed(Exception):
    """The other side is gone, or sends something that is not a message."""


class Late(Exception):
    """The other side did not answer in time."""


class Pipe:
    """Messages over a socket.

    Args:
        link: its descriptor.
        deadline: on the monotonic clock, None to wait for ever.
        longest: bytes of the longest message to accept, None for any.
    """

    def __init__(self, link: int, deadline: float | None = None, longest: int | None = MESSAGE_BYTES) -> None:
        self.link = link
        self.deadline = deadline
        self.longest = longest
        self._received = bytearray()
        if deadline is not None:
            os.set_blocking(link, False)

    def send(self, message: Any) -> None:
        """Send one message."""
        self.send_framed(framed(written(message)))

    def send_framed(self, frame: bytes) -> None:
        """Send what `framed` made."""
        view = memoryview(frame)
        while view:
            self._wait(writing=True)
            try:
                view = view[os.write(self.link, view) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise Closed(str(error)) from error

    def receive(self) -> Any:
        """Receive one message."""
        size = int.from_bytes(self._read(4), "big")
        if self.longest is not None and size > self.longest:
            raise Closed("a message is too long")
        try:
            return read(self._read(size).decode())
        except (ValueError, RecursionError, MemoryError) as error:
            raise Closed("a message is malformed") from error

    def _read(self, size: int) -> bytes:
        received = self._received
        while len(received) < size:
            self._wait(writing=False)
            try:
                part = os.read(self.link, CHUNK_BYTES)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                part = b""
            if not part:
                raise Closed("it ended")
            received += part
        taken = bytes(received[:size])
        del received[:size]
        return taken

    def _wait(self, *, writing: bool) -> None:
        if self.deadline is not None:
            left_s = self.deadline - time.monotonic()
            readers, writers = ([], [self.link]) if writing else ([self.link], [])
            if left_s <= 0 or not any(select.select(readers, writers, [], left_s)):
                raise Late


def written(message: Any) -> bytes:
    """Return a message as JSON; a writer made once costs a forked process fewer pages than `json.dumps`."""
    return "".join(WRITE(message, 0)).encode()


def read(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is not one.
    """
    try:
        value, end = SCAN(text, 0)
    except StopIteration as stop:
        raise ValueError("not JSON") from stop
    if end != len(text):
        raise ValueError("more than one value")
    return value


def framed(payload: bytes) -> bytes:
    """Return a message's bytes with their length before them."""
    return len(payload).to_bytes(4, "big") + payload


def encode(value: Any, handle: Any) -> Any:
    """Return plain data as JSON values.

    Args:
        value: what to encode.
        handle: called with anything that is not plain data, and returns its node `["h", number]`. Called with an object
            of a subclass of tuple it may return None: the object then travels by value alone.
    """
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
            nodes = [encode(item, handle) for item in items(value)]
            node = handle(value) if base is tuple and type(value) is not tuple else None
            return [tag, *nodes] if node is None else ["o", node[1], *nodes]
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
    """Return the value of a node.

    Args:
        node: what `encode` returned, or anything that JSON can hold.
        resolve: called with the number of a handle, and with the tuple's items where the object is one, else None;
            returns the object.

    Raises:
        ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError: `encode` never returns that node.
    """
    if type(node) is not list:
        if type(node) is dict:
            raise ValueError("a JSON object is no value")
        return node
    tag, *rest = node
    if tag in ("l", "t", "s", "z", "d", "c"):
        items = [decode(item, resolve) for item in rest]
        if tag == "d":
            return dict(zip(items[::2], items[1::2], strict=True))
        return complex(*map(float, items)) if tag == "c" else MAKERS[tag](items)
    if tag in ("h", "o"):
        if type(rest[0]) is not int:
            raise ValueError("a handle is a number")
        return resolve(rest[0], tuple(decode(item, resolve) for item in rest[1:]) if tag == "o" else None)
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
    if tag in ("D", "F") and max(map(len, rest)) > LONG_NUMBER_CHARS:
        raise ValueError("a number is too long")
    if tag == "D":
        return import_module("decimal").Decimal(rest[0])
    if tag == "F":
        return import_module("fractions").Fraction(int(rest[0], 16), int(rest[1], 16))
    if tag == "r":
        return range(*(int(number, 16) for number in rest))
    if tag == "n" and rest[0] in PURE:
        return getattr(builtins, rest[0])
    raise ValueError(f"unknown tag {str(tag)[:20]!r}")

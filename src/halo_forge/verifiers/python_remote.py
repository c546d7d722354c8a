"""The judge's stand-ins for the completion: calls go out to its process, comparisons are decided here.

Shipped into the judge's sandbox, so it imports nothing of ours but the codec.
"""

from __future__ import annotations

import builtins
import os

from halo_forge.verifiers import python_wire as wire

TYPE_CHECKING = False  # importing typing would take longer than everything else here
if TYPE_CHECKING:
    from typing import Any

REPORT = 3
CALLED = b"called\n"


class Gone(BaseException):
    """The completion's process ended, hung or stopped making sense; no `except Exception` of a test may hide it."""


class Broken(Exception):
    """The tests themselves cannot be run."""


class Missing(Exception):
    """The completion does not define what the tests call."""


class Link:
    """The connection to the completion."""

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe
        self.calls = 0
        self.data = False
        self.gone = ""

    def receive(self) -> Any:
        """Receive a message, or raise Gone."""
        try:
            return self.pipe.receive()
        except wire.Late:
            self.gone = "timed out"
        except wire.Closed as error:
            self.gone = f"its process is gone: {error}"
        raise Gone(self.gone)

    def ask(self, *request: Any) -> list[Any]:
        """Put a request and return the answer, raising what the completion raised."""
        if self.gone:
            raise Gone(self.gone)
        if request[0] != "names":
            self.calls += 1
            if self.calls == 1:
                os.write(REPORT, CALLED)
        try:
            self.pipe.send(request)
        except (wire.Late, wire.Closed) as error:
            self.gone = f"takes no requests: {error}"
            raise Gone(self.gone) from error
        answer = self.receive()
        try:
            return self.understood(answer)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError, ArithmeticError) as error:
            self.gone = f"gives a malformed answer: {error}"
            raise Gone(self.gone) from error

    def names(self, wanted: list[str]) -> dict[str, Any]:
        """Return those of the names that the completion defines."""
        try:
            found = {name: value for name, value in self.ask("names", wanted)[0].items() if name in wanted}
        except (Raised, TypeError, ValueError, IndexError, AttributeError) as error:
            self.gone = "gives a malformed answer"
            raise Gone(self.gone) from error
        self.data = any(type(value) is not Remote for value in found.values())
        return found

    def understood(self, answer: Any) -> list[Any]:
        """Return the values of an answer; raise StopIteration or the completion's exception wrapped in Raised."""
        kind, *rest = answer
        if kind == "stop":
            return []
        if kind == "raise":
            error = getattr(builtins, rest[0])
            if not (isinstance(error, type) and issubclass(error, Exception)):
                raise ValueError("not an exception")
            raise Raised(error, str(rest[1]))
        if kind != "ok":
            raise ValueError("not an answer")
        return [self.decoded(value) for value in rest]

    def encoded(self, value: Any) -> Any:
        """Encode a value of the tests'."""
        return wire.encode(value, node_of)

    def decoded(self, node: Any) -> Any:
        """Decode a value of the completion's."""
        return wire.decode(node, lambda number: Remote(self, int(number)))


class Raised(BaseException):
    """What the completion raised, on its way out of the connection."""

    def __init__(self, kind: type, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text

    def again(self) -> BaseException:
        """Return an exception of the same builtin class."""
        try:
            error: BaseException = self.kind(self.text)
        except TypeError:  # a class such as UnicodeDecodeError, which takes more than a text
            error = ValueError(self.text)
        return error


def node_of(value: Any) -> list[Any]:
    """Return the node of something that is not plain data."""
    if type(value) is Remote:
        return ["h", object.__getattribute__(value, "number")]
    raise Broken(f"the tests pass an object of type {type(value).__name__}, which cannot be sent to the completion")


class Remote:
    """Stands in for an object of the completion's that is not plain data.

    Calls, attributes, items and iteration are passed on. Comparisons, truth and hash are decided here: it equals the
    same object only, and is always true.
    """

    __slots__ = ("link", "number")

    def __init__(self, link: Link, number: int) -> None:
        object.__setattr__(self, "link", link)
        object.__setattr__(self, "number", number)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        link = object.__getattribute__(self, "link")
        arguments = list(args)
        result, after = asked(self, "call", link.encoded(arguments), link.encoded(kwargs))
        if after is not None:
            update(arguments, after[0])
            update(kwargs, after[1])
        return result

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            return object.__getattribute__(self, name)
        return asked(self, "attribute", name)[0]

    def __setattr__(self, name: str, value: Any) -> None:
        asked(self, "set_attribute", name, object.__getattribute__(self, "link").encoded(value))

    def __getitem__(self, key: Any) -> Any:
        return asked(self, "item", object.__getattribute__(self, "link").encoded(key))[0]

    def __setitem__(self, key: Any, value: Any) -> None:
        link = object.__getattribute__(self, "link")
        asked(self, "set_item", link.encoded(key), link.encoded(value))

    def __len__(self) -> int:
        return int(asked(self, "length")[0])

    def __iter__(self) -> Any:
        return asked(self, "iterator")[0]

    def __next__(self) -> Any:
        values = asked(self, "next")
        if not values:
            raise StopIteration
        return values[0]

    def __str__(self) -> str:
        return str(asked(self, "text")[0])

    def __repr__(self) -> str:
        return "<an object of the completion's>"

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return type(other) is Remote and node_of(other) == node_of(self)

    def __hash__(self) -> int:
        return hash(object.__getattribute__(self, "number"))


def asked(remote: Remote, kind: str, *rest: Any) -> list[Any]:
    """Put a request about an object; raise what the completion raised as if it happened here."""
    link = object.__getattribute__(remote, "link")
    try:
        return link.ask(kind, node_of(remote), *rest)  # type: ignore[no-any-return]
    except Raised as raised:
        raise raised.again() from None


def update(original: Any, changed: Any) -> None:
    """Carry over changes that the completion made inside an argument, so that the tests see them."""
    if type(original) is not type(changed):
        return
    if isinstance(original, (list, tuple)):
        for before, after in zip(original, changed, strict=False):
            update(before, after)
    if isinstance(original, list):
        kept = [pick(*pair) for pair in zip(original, changed, strict=False)]
        original[:] = kept + changed[len(kept) :]
    elif isinstance(original, dict):
        for key in original.keys() & changed.keys():
            update(original[key], changed[key])
        kept_items = {key: pick(original.get(key), value) for key, value in changed.items()}
        original.clear()
        original.update(kept_items)
    elif isinstance(original, set):
        original.clear()
        original.update(changed)
    elif isinstance(original, bytearray):
        original[:] = changed


def pick(original: Any, changed: Any) -> Any:
    """Keep an object that has been brought up to date, so that other references to it see the change."""
    mutable = isinstance(original, (list, dict, set, bytearray))
    return original if mutable and type(original) is type(changed) else changed

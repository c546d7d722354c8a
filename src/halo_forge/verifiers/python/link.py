"""The judge's connection to the completion's process: what is asked, what was foreseen, and what comes back.

Runs in the judge's sandbox, so it imports nothing of ours but the codec and the stand-ins.
"""

from __future__ import annotations

import builtins
import json
import os

from halo_forge.verifiers.python import wire
from halo_forge.verifiers.python.remote import Broken, Gone, OwnedTuple, Raised, Remote, fields, remote_of

TYPE_CHECKING = False  # importing typing would take longer than everything else here
if TYPE_CHECKING:
    from typing import Any

REPORT = 3
BEGUN, CALLED = b"begun\n", b"called\n"
MALFORMED = (
    TypeError, ValueError, IndexError, KeyError, AttributeError, ArithmeticError, RecursionError, MemoryError,
)  # fmt: skip


class Link:
    """The connection to the completion.

    Calls that were foreseen have been sent together with the names; their answers are taken as they come in. Both
    sides drop what is left of them when an answer is an exception or holds an object that is not plain data.

    Args:
        pipe: the messages.
        foreseen: the JSON of the calls, `[name, arguments, named arguments]`, in order.
        notice: descriptor to write `BEGUN` to when the tests begin, and `CALLED` when they begin to ask; None to keep
            both.
    """

    def __init__(self, pipe: wire.Pipe, foreseen: list[str], notice: int | None) -> None:
        self.pipe = pipe
        self.notice = notice
        self.foreseen = foreseen[::-1]
        self.calls = 0
        self.data = False
        self.handles = False
        self.gone = ""
        self.late = False
        self.diverged = False
        self.raised: BaseException | None = None
        self.raised_text = ""
        self._objects = 0

    def receive(self) -> Any:
        """Receive a message, or raise Gone."""
        try:
            return self.pipe.receive()
        except wire.Late:
            self.late = True
            reason = "timed out"
        except wire.Closed as error:
            reason = f"its process is gone: {error}"
        raise self.lost(reason)

    def lost(self, reason: str) -> Gone:
        """Note that the completion cannot be asked any more; return what to raise."""
        self.gone = self.gone or reason
        return Gone(self.gone)

    def send(self, frame: bytes) -> None:
        """Send a framed message, or raise Gone."""
        try:
            self.pipe.send_framed(frame)
        except (wire.Late, wire.Closed) as error:
            self.late = isinstance(error, wire.Late)
            raise self.lost(f"takes no requests: {error}") from error

    def begin(self, wanted: list[str]) -> None:
        """Ask for names and send the foreseen calls; `names` reads the answer."""
        calls = ", ".join(reversed(self.foreseen))
        self.send(wire.framed(f"[{json.dumps(wanted)}, [{calls}]]".encode()))

    def names(self, answer: Any, wanted: list[str]) -> dict[str, Any]:
        """Return those of the names that the completion defines, from its answer."""
        try:
            found = self.understood(answer)[0]
            found = {name: value for name, value in found.items() if name in wanted}
            if any(callable(value) and type(value) is not Remote for value in found.values()):
                raise ValueError("a function without a handle")
        except (Raised, *MALFORMED) as error:
            raise self.lost("gives a malformed answer") from error
        for name, value in found.items():
            if type(value) is Remote:
                fields(value).name = name
        self.data = any(type(value) is not Remote for value in found.values())
        return found

    def ask(self, *request: Any) -> list[Any]:
        """Put a request about an object and return the answer, raising what the completion raised."""
        self._begin_request()
        self.handles = True
        if self.foreseen:
            raise self._divergence()
        self.send(wire.framed(json.dumps(request).encode()))
        return self._answered()

    def call(self, target: Remote, arguments: Any, named: Any) -> list[Any]:
        """Call an object and return the answer, raising what the completion raised.

        A call that was foreseen has been sent before: only its answer is still to come.
        """
        self._begin_request()
        name = fields(target).name
        self.handles |= not name
        if self.foreseen:
            if not name or json.dumps([name, arguments, named]) != self.foreseen.pop():
                raise self._divergence()
        else:
            self.send(wire.framed(json.dumps(["call", self.node(target), arguments, named]).encode()))
        return self._answered()

    def _begin_request(self) -> None:
        if self.gone:
            raise Gone(self.gone)
        self.calls += 1
        if self.calls == 1:
            self.note(CALLED)

    def note(self, progress: bytes) -> None:
        """Say how far the tests have come."""
        if self.notice is not None:
            os.write(self.notice, progress)

    def _divergence(self) -> Gone:
        self.diverged = True
        return self.lost("the tests ask for something else than was foreseen")

    def _answered(self) -> list[Any]:
        known = self._objects
        answer = self.receive()
        try:
            values = self.understood(answer)
        except Raised:
            self.foreseen.clear()
            raise
        except MALFORMED as error:
            raise self.lost(f"gives a malformed answer: {type(error).__name__}") from error
        if self._objects != known:
            self.foreseen.clear()
        return values

    def understood(self, answer: Any) -> list[Any]:
        """Return the values of an answer; raise the completion's exception wrapped in Raised."""
        kind, *rest = answer
        if kind == "raise":
            error = getattr(builtins, rest[0])
            if not (isinstance(error, type) and issubclass(error, Exception)):
                raise ValueError("not an exception")
            raise Raised(error, tuple(self.decoded(rest[1])), str(rest[2]))
        if kind != "ok" or not rest:
            raise ValueError("not an answer")
        return [self.decoded(value) for value in rest]

    def surfaced(self, raised: Raised) -> BaseException:
        """Return what the tests see of the completion's exception."""
        self.raised, self.raised_text = raised.again(), raised.text
        return self.raised

    def encoded(self, value: Any) -> Any:
        """Encode a value of the tests'."""
        return wire.encode(value, self.node)

    def node(self, value: Any) -> list[Any] | None:
        """Return the node of something that is not plain data, None for a named tuple of the tests' own."""
        remote = remote_of(value)
        if remote is not None:
            self.handles |= not fields(remote).name
            return ["h", fields(remote).number]
        if isinstance(value, tuple):
            return None
        problem = f"the tests pass an object of type {type(value).__name__}, which cannot be sent to the completion"
        if self.handles:  # one that the completion has handed to them
            raise TypeError(problem)
        raise Broken(problem)

    def decoded(self, node: Any) -> Any:
        """Decode a value of the completion's."""
        return wire.decode(node, self._stand_in)

    def _stand_in(self, number: int, items: tuple[Any, ...] | None) -> Any:
        self._objects += 1
        remote = Remote(self, number)
        return remote if items is None else OwnedTuple(items, remote)

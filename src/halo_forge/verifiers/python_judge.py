"""The judge's side, run as a script in a sandbox of its own: executes the tests against stand-ins for the completion.

It alone writes the result, to a descriptor that the completion's process does not have.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
import time
from importlib import import_module

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


def global_names(code: Any) -> set[str]:
    """Return the names a code object may look up outside of itself; those of attributes are among them."""
    inner = [constant for constant in code.co_consts if type(constant) is type(code)]
    return set(code.co_names).union(*map(global_names, inner))


def compiled(source: str, what: str) -> Any:
    """Compile a trusted source."""
    try:
        return compile(source, f"<{what}>", "exec")
    except (SyntaxError, ValueError) as error:
        raise Broken(f"{what} cannot be compiled: {error}") from error


class Tests:
    """The tests of one prompt.

    Args:
        given: `stub`, `setup`, `asserts`, `check` and `entry_point` of the prompt's reference.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        self.entry_point = given["entry_point"]
        self.stub = compiled(given["stub"], "the stub")
        self.parts = [("the setup", compiled(given["setup"], "the setup"))]
        self.parts += [(text, compiled(text, "a test")) for text in given["asserts"]]
        self.check = compiled(given["check"], "the check") if given["check"] else None
        self.empty = not given["asserts"] and not given["check"]

    def namespace(self, link: Link) -> dict[str, Any]:
        """Return the names the tests see: the stub's helpers, and the completion's stand-ins.

        Raises:
            Missing: the completion does not define the entry point.
        """
        namespace: dict[str, Any] = {"__name__": "tests"}
        try:
            exec(self.stub, namespace)
        except Exception as error:
            raise Broken(f"the stub cannot be executed: {type(error).__name__}: {error}") from error
        codes = [code for _, code in self.parts] + ([self.check] if self.check else [])
        read = sorted(set().union(*map(global_names, codes)))
        wanted = [name for name in read if name not in namespace and not hasattr(builtins, name)]
        if not wanted and not self.entry_point:
            wanted = read
        wanted += [self.entry_point] if self.entry_point else []
        if not wanted and not self.empty:
            raise Broken("the tests use nothing of the completion")
        found = link.names(wanted)
        if self.entry_point and self.entry_point not in found:
            raise Missing(f"does not define {self.entry_point}")
        return namespace | found

    def run(self, namespace: dict[str, Any], at: list[str]) -> None:
        """Run all tests, leaving the name of the one at work in `at`."""
        candidate = namespace.get(self.entry_point)
        for text, code in self.parts:
            at[:] = [text]
            exec(code, namespace)
        if not self.check:
            return
        at[:] = ["the check"]
        before = dict(namespace)
        exec(self.check, namespace)
        defined = [name for name, value in namespace.items() if name not in before or before[name] is not value]
        if "check" in defined:
            namespace["check"](candidate)
            return
        for name in defined:
            if name.startswith("test"):
                at[:] = [name]
                namespace[name]()


def hello(link: Link) -> list[str] | None:
    """Wait until the completion is loaded; return what went wrong with that."""
    stage = "silent"
    try:
        state, detail = state_of(link.receive())
        if state == "syntax":
            return [state, detail]
        stage = "load"
        state, detail = state_of(link.receive())
        return None if state == "ready" else [stage, detail]
    except Gone as gone:
        return [stage, str(gone)]


def state_of(message: Any) -> tuple[str, str]:
    """Return the word and the explanation of a greeting, which the completion may have sent itself."""
    words = [str(word) for word in message] if isinstance(message, list) else []
    return (words[0], " ".join(words[1:])) if words else ("", "a malformed greeting")


def judged(tests: Tests, link: Link) -> list[str]:
    """Run the tests; return the result and its explanation."""
    failure = hello(link)
    if failure:
        return failure
    at = [""]
    try:
        namespace = tests.namespace(link)
        if tests.empty:
            return ["passed", "loads; there are no tests"]
        tests.run(namespace, at)
    except Broken:
        raise
    except Missing as error:
        return ["load", str(error)]
    except ImportError as error:
        if not link.calls:
            raise Broken(f"{at[0]}: {error}") from error
        return ["failed", f"{at[0]}: {error}"]
    except AssertionError as error:
        return ["failed", f"{at[0]} {error}".strip()]
    except NameError as error:
        return ["missing", f"{at[0]}: {error}"]
    except BaseException as error:  # noqa: BLE001  (tests may raise anything, and so may what they call)
        return ["failed", f"{at[0]}: {type(error).__name__}: {error}"]
    if link.gone:
        return ["failed", link.gone]
    if not link.calls and not link.data:
        raise Broken("the tests never call the completion")
    return ["passed", ""]


def main() -> None:
    """Judge one completion and report."""
    with open(os.path.join(os.path.dirname(__file__), "tests.json")) as file:  # noqa: PTH118, PTH120, PTH123
        given = json.load(file)
    link = Link(wire.Pipe(os.dup(0), os.dup(1), time.monotonic() + given["timeout_s"]))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    if "random" in f"{given['check']}{given['setup']}{given['asserts']}":
        import_module("random").seed(0)
    try:
        result = judged(Tests(given), link)
    except Broken as error:
        result = ["broken", str(error)]
    os.write(REPORT, json.dumps([text[:1000] for text in result]).encode() + b"\n")
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()

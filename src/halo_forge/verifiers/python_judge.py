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
from halo_forge.verifiers.python_remote import REPORT, Broken, Gone, Link, Missing

TYPE_CHECKING = False  # importing typing would take longer than everything else here
if TYPE_CHECKING:
    from typing import Any


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

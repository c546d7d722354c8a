"""The judge's side, in a sandbox of its own: executes the tests against stand-ins for the completion.

It alone writes the result, to a descriptor that the completion's process does not have. Its payload, on a descriptor
too, is the framed program for the completion's side, followed by the tests.
"""

from __future__ import annotations

import builtins
import json
import os
import time
from functools import lru_cache
from importlib import import_module

from halo_forge.verifiers.python import wire
from halo_forge.verifiers.python.link import BEGUN, REPORT, Link
from halo_forge.verifiers.python.remote import Broken, Gone, Remote

TYPE_CHECKING = False  # importing typing would take longer than everything else here
if TYPE_CHECKING:
    from typing import Any

LINK, PAYLOAD = 4, 5
DETAIL_CHARS = 1000
COMPILED_SOURCES = 1024
CHECK = "the check"


def global_names(code: Any) -> set[str]:
    """Return the names a code object may look up outside of itself; those of attributes are among them."""
    inner = [constant for constant in code.co_consts if type(constant) is type(code)]
    return set(code.co_names).union(*map(global_names, inner))


@lru_cache(COMPILED_SOURCES)
def compiled(source: str, what: str) -> Any:
    """Compile a trusted source; a warm judge meets the same tests again with the next completion."""
    try:
        return compile(source, f"<{what}>", "exec")
    except (SyntaxError, ValueError) as error:
        raise Broken(f"{what} cannot be compiled: {error}") from error


class Tests:
    """The tests of one prompt.

    Args:
        given: `helpers` (what the stub defines beside the entry point), `setup`, `asserts`, `check` and `entry_point`.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        self.entry_point = given["entry_point"]
        self.namespace: dict[str, Any] = {"__name__": "tests"}
        self.parts = [("the setup", compiled(given["setup"], "the setup"))] if given["setup"] else []
        self.parts += [(text, compiled(text, "a test")) for text in given["asserts"]]
        self.check = compiled(given["check"], CHECK) if given["check"] else None
        self.lines = given["check"].split("\n")
        self.empty = not given["asserts"] and not given["check"]
        try:
            if given["helpers"]:
                exec(compiled(given["helpers"], "the stub"), self.namespace)
        except Exception as error:
            raise Broken(f"the stub cannot be executed: {type(error).__name__}: {error}") from error

    def line(self, error: BaseException) -> str:
        """Return the line of the check that an exception came through last, `""` if it did not."""
        number, trace = 0, error.__traceback__
        while trace:
            number = trace.tb_lineno if trace.tb_frame.f_code.co_filename == f"<{CHECK}>" else number
            trace = trace.tb_next
        return self.lines[number - 1].strip() if number else ""

    def wanted(self) -> list[str]:
        """Return the names to ask the completion for: those the tests read and nobody else defines."""
        codes = [code for _, code in self.parts] + ([self.check] if self.check else [])
        read = sorted(set().union(*map(global_names, codes)))
        wanted = [name for name in read if name not in self.namespace and not hasattr(builtins, name)]
        if not wanted and not self.entry_point:
            wanted = read
        wanted += [self.entry_point] if self.entry_point else []
        if not wanted and not self.empty:
            raise Broken("the tests use nothing of the completion")
        return wanted

    def run(self, at: list[str]) -> None:
        """Run all tests, leaving the name of the one at work in `at`."""
        namespace = self.namespace
        candidate = namespace.get(self.entry_point)
        for text, code in self.parts:
            at[:] = [text]
            exec(code, namespace)
        if not self.check:
            return
        at[:] = [CHECK]
        before = dict(namespace)
        exec(self.check, namespace)
        defined = [name for name, value in namespace.items() if name not in before or before[name] is not value]
        if "check" in defined:
            namespace["check"](candidate)
            return
        for name in defined:
            if name.startswith("test") and is_test(namespace[name]):
                at[:] = [name]
                namespace[name]()


def is_test(value: Any) -> bool:
    """Tell whether what the tests call `test…` can be a test: data and objects of the completion's cannot."""
    return callable(value) and not issubclass(type(value), Remote)


def loaded(link: Link, wanted: list[str], entry_point: str | None) -> dict[str, Any] | list[str]:
    """Wait until the completion is loaded; return those names that it defines, or the result if it is not."""
    stage = "silent"
    try:
        state, detail = state_of(link.receive())
        if state == "syntax":
            return [state, detail]
        stage = "load"
        answer = link.receive()
        state, detail = state_of(answer)
        if state == "raised":
            return [stage, detail]
        found = link.names(answer, wanted)
    except Gone as gone:
        return [stage, str(gone)]
    if entry_point and entry_point not in found:
        return [stage, f"does not define {entry_point}"]
    return found


def state_of(message: Any) -> tuple[str, str]:
    """Return the word and the explanation of a greeting, which the completion may have sent itself."""
    words = message if isinstance(message, list) and message else ["a malformed greeting"]
    return str(words[0])[:DETAIL_CHARS], str(words[1])[:DETAIL_CHARS] if len(words) > 1 else ""


def judged(tests: Tests, link: Link) -> list[str]:
    """Run the tests; return the result and its explanation."""
    wanted = tests.wanted()
    try:  # noqa: SIM105  (contextlib would have to be imported)
        link.begin(wanted)
    except Gone:
        pass  # what it said before it went is still to be read
    found = loaded(link, wanted, tests.entry_point)
    if isinstance(found, list):
        return found
    if tests.empty:
        return ["passed", "loads; there are no tests"]
    tests.namespace.update(found)
    link.note(BEGUN)
    result = tested(tests, link)
    if link.diverged:
        return ["again", link.gone]
    if result[0] == "passed" and link.gone:
        return ["failed", link.gone]
    if result[0] == "passed" and not link.calls and not link.data:
        raise Broken("the tests never call the completion")
    return result


def tested(tests: Tests, link: Link) -> list[str]:
    """Run the tests of a loaded completion."""
    at = [""]
    try:
        tests.run(at)
    except Broken:
        raise
    except BaseException as error:  # tests may raise anything, and so may what they call
        place = f"{at[0]}: {tests.line(error)}".removesuffix(": ")
        if isinstance(error, Gone) or error is link.raised:
            return ["failed", f"{place}: {link.gone or link.raised_text}"]
        if isinstance(error, ImportError) and not link.calls:
            raise Broken(f"{place}: {error}") from error
        kind = "missing" if isinstance(error, NameError) else "failed"
        name = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        return [kind, f"{place}: {name}{words_of(error)}".strip(" :")]
    return ["passed", ""]


def words_of(error: BaseException) -> str:
    """Return what an exception says; asking an object of the completion's for its words may fail."""
    try:
        return str(error)[:DETAIL_CHARS]
    except BaseException:  # noqa: BLE001
        return ""


def read_payload() -> bytes:
    """Return all that the payload's descriptor holds."""
    parts = []
    while part := os.read(PAYLOAD, 1 << 20):
        parts.append(part)
    os.close(PAYLOAD)
    return b"".join(parts)


def serve(payload: bytes, link: int, notice: int | None = None) -> str:
    """Judge one completion; return the JSON of the result, its explanation, the path it took, and whether it was late.

    Args:
        payload: what the harness gave: the framed program, then the JSON of the tests.
        link: descriptor of the socket to the candidate's side.
        notice: descriptor on which to say how far the tests have come, None to keep it.
    """
    start = 4 + int.from_bytes(payload[:4], "big")
    given = json.loads(payload[start:])
    connection = Link(wire.Pipe(link, time.monotonic() + given["timeout_s"]), given["calls"], notice)
    try:  # noqa: SIM105  (contextlib would have to be imported)
        connection.send(payload[:start])
    except Gone:
        pass  # what it said before it went is still to be read
    return json.dumps(report(given, connection))


def report(given: dict[str, Any], link: Link) -> list[Any]:
    """Judge a completion whose program has been sent; return what `serve` does."""
    if "random" in f"{given['check']}{given['setup']}{given['asserts']}":
        import_module("random").seed(0)
    try:
        kind, detail = judged(Tests(given), link)
    except Broken as error:
        kind, detail = ("again", link.gone) if link.diverged else ("broken", str(error))
    return [kind, detail[:DETAIL_CHARS], "handles" if link.handles else "values", link.late]


def main() -> None:
    """Judge one completion in a process of its own."""
    os.write(REPORT, serve(read_payload(), LINK, REPORT).encode() + b"\n")

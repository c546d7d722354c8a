"""The candidate's side, alone in its sandbox: loads the completion, then answers the judge's requests.

Nothing here is trusted: the completion shares this process and may replace any of it. It can make the answers wrong,
which is its right, but it cannot reach the judge.
"""

from __future__ import annotations

import builtins
import sys
import types
from opcode import opmap

from halo_forge.verifiers.python import wire

TYPE_CHECKING = False  # importing typing would take longer than everything else here
if TYPE_CHECKING:
    from typing import Any

NAME = "solution"
LINK = 4
SCALARS = {int, float, str, bool, type(None)}
BINDING = {opmap["STORE_NAME"], opmap["STORE_GLOBAL"]}
EXTENDED = opmap["EXTENDED_ARG"]


class Handles:
    """Objects that the judge knows by number."""

    def __init__(self) -> None:
        self.given = 0
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}

    def node(self, value: Any) -> list[Any]:
        """Return the node of an object, the same number each time."""
        self.given += 1
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return ["h", number]

    def resolve(self, number: int, _items: Any) -> Any:
        """Return the object of that number."""
        return self._objects[number]


def units(program: dict[str, Any]) -> list[Any]:
    """Compile what to execute, in order.

    A completion that defines the entry point stands for itself, after the stub's imports and helpers. One that does
    not continues the stub, up to its first line without indentation if the rest is not code.

    Args:
        program: `code`, `stub`, `helpers` (what the stub defines beside the entry point) and `entry_point`.

    Raises:
        SyntaxError: there is no reading that is valid.
    """
    stub, code, entry_point = program["stub"], program["code"], program["entry_point"]
    if not stub:
        return [compiled(code)]
    body = code.rstrip().split("\n")
    inner = [number for number, line in enumerate(body) if line.strip() and not line[0].isspace()]
    if inner:
        try:
            whole = compiled(code)
        except SyntaxError:
            whole = None
        if whole is not None and (entry_point is None or binds(whole, entry_point)):
            return [compiled(program["helpers"]), whole] if program["helpers"] else [whole]
    try:
        return [compiled(stub + code)]
    except SyntaxError:
        if not inner or inner[0] == 0:
            raise
        return [compiled(stub + "\n".join(body[: inner[0]]))]


def compiled(source: str) -> Any:
    """Compile a source; whatever the compiler cannot take is a syntax error."""
    try:
        return compile(source, "<completion>", "exec", dont_inherit=True)
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        raise SyntaxError(str(error)) from error


def binds(module: types.CodeType, name: str) -> bool:
    """Tell whether a module's own statements bind a name; a syntax tree would tell as well, at five times the cost."""
    if name not in module.co_names:
        return False
    wanted, argument = module.co_names.index(name), 0
    code = module.co_code
    for place in range(0, len(code), 2):
        argument = argument << 8 | code[place + 1]
        if code[place] in BINDING and argument == wanted:
            return True
        if code[place] != EXTENDED:
            argument = 0
    return False


def load(pipe: wire.Pipe, program: dict[str, Any]) -> dict[str, Any] | None:
    """Execute the completion and return its namespace, or tell the judge why there is none.

    It is a module that has been imported, and the main one as well for whoever looks there: the tests use what it
    defines, and a demonstration under `if __name__ == "__main__"` is no part of that.
    """
    try:
        codes = units(program)
    except SyntaxError as error:
        pipe.send(["syntax", f"{error.msg} (line {error.lineno})"])
        return None
    pipe.send(["parsed"])
    module = types.ModuleType(NAME)
    sys.modules[NAME] = sys.modules["__main__"] = module
    try:
        for code in codes:
            exec(code, module.__dict__)
    except BaseException as error:  # noqa: BLE001  (the completion may raise anything, SystemExit included)
        pipe.send(["raised", described(error)])
        return None
    return module.__dict__


def described(error: BaseException) -> str:
    """Return an exception in one line."""
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except BaseException:  # noqa: BLE001  (its own __str__ may raise anything)
        return type(error).__name__


def builtin_name(error: BaseException) -> str:
    """Return the most special builtin class of an exception; what would end a process becomes an ordinary error."""
    for kind in type(error).__mro__:
        if getattr(builtins, kind.__name__, None) is kind and issubclass(kind, Exception):
            return str(kind.__name__)
    return "RuntimeError"


class Server:
    """Answers requests about the loaded completion."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.handles = Handles()

    def answer(self, request: list[Any]) -> list[Any]:
        """Answer one request."""
        try:
            kind, *rest = request
            return ["ok", *getattr(self, "do_" + kind)(*rest)]
        except BaseException as error:  # noqa: BLE001  (as above)
            return ["raise", builtin_name(error), self.arguments(error), described(error)]

    def arguments(self, error: BaseException) -> Any:
        """Return the arguments of an exception, none if they cannot be sent."""
        try:
            return self.encoded(error.args)
        except BaseException:  # noqa: BLE001  (as above)
            return ["t"]

    def encoded(self, value: Any) -> Any:
        """Encode a value for the judge."""
        return wire.encode(value, self.handles.node)

    def decoded(self, node: Any) -> Any:
        """Decode a value of the judge's."""
        return wire.decode(node, self.handles.resolve)

    def do_names(self, names: list[str]) -> list[Any]:
        """Return those of the names that the completion defines, as handles if they can be called."""
        found = {name: self.namespace[name] for name in names if name in self.namespace}
        nodes = [self.handles.node(value) if callable(value) else self.encoded(value) for value in found.values()]
        return [["d", *(word for pair in zip(found, nodes, strict=True) for word in pair)]]

    def do_call(self, target: Any, arguments: Any, named: Any) -> list[Any]:
        """Call an object; return the result, and the arguments if the call changed them."""
        args, kwargs = self.decoded(arguments), self.decoded(named)
        result = self.encoded(self.decoded(target)(*args, **kwargs))
        if not kwargs and all(type(argument) in SCALARS for argument in args):
            return [result, None]
        after = self.encoded([args, kwargs])
        return [result, None if repr(after) == repr(["l", arguments, named]) else after]

    def foreseen(self, pipe: wire.Pipe, calls: list[list[Any]]) -> None:
        """Make the calls that the tests will make, each answered at once.

        They end where the judge cannot go on without asking: at an exception, or an object that is not plain data.
        """
        for name, arguments, named in calls:
            if name not in self.namespace:
                return
            target = self.handles.node(self.namespace[name])
            given = self.handles.given
            answer = self.answer(["call", target, arguments, named])
            pipe.send(answer)
            if answer[0] != "ok" or self.handles.given != given:
                return

    def do_attribute(self, target: Any, name: str) -> list[Any]:
        """Return an attribute."""
        return [self.encoded(getattr(self.decoded(target), name))]

    def do_set_attribute(self, target: Any, name: str, value: Any) -> list[Any]:
        """Set an attribute."""
        setattr(self.decoded(target), name, self.decoded(value))
        return [None]

    def do_item(self, target: Any, key: Any) -> list[Any]:
        """Return an item."""
        return [self.encoded(self.decoded(target)[self.decoded(key)])]

    def do_set_item(self, target: Any, key: Any, value: Any) -> list[Any]:
        """Set an item."""
        self.decoded(target)[self.decoded(key)] = self.decoded(value)
        return [None]

    def do_length(self, target: Any) -> list[Any]:
        """Return the length."""
        return [len(self.decoded(target))]

    def do_iterator(self, target: Any) -> list[Any]:
        """Return an iterator."""
        return [self.handles.node(iter(self.decoded(target)))]

    def do_next(self, target: Any) -> list[Any]:
        """Return an iterator's next value."""
        return [self.encoded(next(self.decoded(target)))]

    def do_text(self, target: Any) -> list[Any]:
        """Return the object as text."""
        return [str(self.decoded(target))]

    def do_representation(self, target: Any) -> list[Any]:
        """Return the object as a programmer writes it."""
        return [repr(self.decoded(target))]

    def do_is_class_of(self, target: Any, instance: Any) -> list[Any]:
        """Return whether the object is a class, or a tuple of classes, of the instance's."""
        return [isinstance(self.decoded(instance), self.decoded(target))]


def serve(pipe: wire.Pipe) -> None:
    """Load the program that comes first, then answer until the judge closes its end."""
    namespace = load(pipe, pipe.receive())
    if namespace is None:
        return
    server = Server(namespace)
    wanted, calls = pipe.receive()
    pipe.send(server.answer(["names", wanted]))
    server.foreseen(pipe, calls)
    while True:
        pipe.send(server.answer(pipe.receive()))


def main() -> None:
    """Serve one judge."""
    try:  # noqa: SIM105  (contextlib would have to be imported)
        serve(wire.Pipe(LINK, longest=None))
    except wire.Closed:
        pass

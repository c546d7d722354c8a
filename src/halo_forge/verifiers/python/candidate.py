"""The candidate's side, alone in its sandbox: loads the completion, then answers the judge's requests.

Nothing here is trusted: the completion shares this process and may replace any of it. It can make the answers wrong,
which is its right, but it cannot reach the judge.

The process is a copy of a warm one and serves a single completion, so what it knows is kept in the module: every class
and every object made anew would cost it pages, at three microseconds each.
"""

from __future__ import annotations

import builtins
import os
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

namespace: dict[str, Any] = {}  # what the completion defines
objects: list[Any] = []  # that the judge knows by their place
numbers: dict[int, int] = {}  # where an object is in there, by its identity
handed: list[int] = []  # numbers the judge was given, in order


class Closed(Exception):
    """The judge has gone."""


def receive() -> Any:
    """Receive a message of the judge's."""
    return wire.read(received(int.from_bytes(received(4), "big")).decode())


def received(size: int) -> bytes:
    """Receive so many bytes."""
    data = os.read(LINK, size)
    while len(data) < size:
        part = os.read(LINK, size - len(data))
        if not part:
            raise Closed
        data += part
    return data


def send(message: Any) -> None:
    """Send a message to the judge."""
    frame = wire.framed(wire.written(message))
    done = os.write(LINK, frame)
    while done < len(frame):
        done += os.write(LINK, frame[done:])


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


def load(program: dict[str, Any]) -> bool:
    """Execute the completion; return whether that worked, after telling the judge.

    It is a module that has been imported, and the main one as well for whoever looks there: the tests use what it
    defines, and a demonstration under `if __name__ == "__main__"` is no part of that.
    """
    try:
        codes = units(program)
    except SyntaxError as error:
        send(["syntax", f"{error.msg} (line {error.lineno})"])
        return False
    send(["parsed"])
    global namespace
    module = types.ModuleType(NAME)
    namespace = module.__dict__
    sys.modules[NAME] = sys.modules["__main__"] = module
    try:
        for code in codes:
            exec(code, namespace)
    except BaseException as error:  # noqa: BLE001  (the completion may raise anything, SystemExit included)
        send(["raised", described(error)])
        return False
    return True


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


def node(value: Any) -> list[Any]:
    """Return the node of an object that is not plain data, the same number each time."""
    number = numbers.get(id(value))
    if number is None:
        number = numbers[id(value)] = len(objects)
        objects.append(value)
    handed.append(number)
    return ["h", number]


def resolve(number: int, _items: Any) -> Any:
    """Return the object of that number."""
    return objects[number]


def encoded(value: Any) -> Any:
    """Encode a value for the judge."""
    return wire.encode(value, node)


def decoded(given: Any) -> Any:
    """Decode a value of the judge's."""
    return wire.decode(given, resolve)


def answer(work: Any, *request: Any) -> list[Any]:
    """Return what a request leads to: results, or an exception."""
    try:
        return ["ok", *work(*request)]
    except BaseException as error:  # noqa: BLE001  (as above)
        return ["raise", builtin_name(error), arguments_of(error), described(error)]


def arguments_of(error: BaseException) -> Any:
    """Return the arguments of an exception, none if they cannot be sent."""
    try:
        return encoded(error.args)
    except BaseException:  # noqa: BLE001  (as above)
        return ["t"]


def call(function: Any, arguments: Any, named: Any) -> list[Any]:
    """Call a function; return the result, and the arguments if the call changed them."""
    args, kwargs = decoded(arguments), decoded(named)
    result = encoded(function(*args, **kwargs))
    if not kwargs and all(type(argument) in SCALARS for argument in args):
        return [result, None]
    after = encoded([args, kwargs])
    return [result, None if repr(after) == repr(["l", arguments, named]) else after]


def foresee(calls: list[list[Any]]) -> None:
    """Make the calls that the tests will make, and answer each at once.

    They end where the judge cannot go on without asking: at an exception, or an object that is not plain data.
    """
    for name, arguments, named in calls:
        if name not in namespace:
            return
        known = len(handed)
        said = answer(call, namespace[name], arguments, named)
        send(said)
        if said[0] != "ok" or len(handed) != known:
            return


def names(wanted: list[str]) -> list[Any]:
    """Return those of the names that the completion defines, as handles if they can be called."""
    found = {name: namespace[name] for name in wanted if name in namespace}
    nodes = [node(value) if callable(value) else encoded(value) for value in found.values()]
    return [["d", *(word for pair in zip(found, nodes, strict=True) for word in pair)]]


def attribute(target: Any, name: str) -> list[Any]:
    """Return an attribute."""
    return [encoded(getattr(decoded(target), name))]


def set_attribute(target: Any, name: str, value: Any) -> list[Any]:
    """Set an attribute."""
    setattr(decoded(target), name, decoded(value))
    return [None]


def item(target: Any, key: Any) -> list[Any]:
    """Return an item."""
    return [encoded(decoded(target)[decoded(key)])]


def set_item(target: Any, key: Any, value: Any) -> list[Any]:
    """Set an item."""
    decoded(target)[decoded(key)] = decoded(value)
    return [None]


REQUESTS: dict[str, Any] = {
    "call": lambda target, arguments, named: call(decoded(target), arguments, named),
    "attribute": attribute,
    "set_attribute": set_attribute,
    "item": item,
    "set_item": set_item,
    "length": lambda target: [len(decoded(target))],
    "iterator": lambda target: [node(iter(decoded(target)))],
    "next": lambda target: [encoded(next(decoded(target)))],
    "text": lambda target: [str(decoded(target))],
    "representation": lambda target: [repr(decoded(target))],
    "is_class_of": lambda target, instance: [isinstance(decoded(instance), decoded(target))],
}


def main() -> None:
    """Load the program that comes first, then answer the judge until it closes its end."""
    try:
        if not load(receive()):
            return
        wanted, calls = receive()
        send(answer(names, wanted))
        foresee(calls)
        while True:
            kind, *request = receive()
            send(answer(REQUESTS[kind], *request))
    except (Closed, OSError):
        pass  # a completion that closes the link only ends itself

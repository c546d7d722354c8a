"""Stand-ins for what the completion keeps: requests go out to its process, comparisons are decided here.

Runs in the judge's sandbox, so it imports nothing of ours.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would take longer than everything else here
if TYPE_CHECKING:
    from typing import Any

PASSED_ON = {"__name__", "__qualname__", "__doc__", "__module__", "__dict__", "__annotations__"}
DECIDING = {"startswith", "endswith", "issubset", "issuperset", "isdisjoint", "is_integer"}
DECIDING |= {name for name in vars(str) if name.startswith("is")}


class Gone(BaseException):
    """The completion's process cannot be asked any more; no `except Exception` of a test may hide it."""


ENDINGS = (StopIteration, StopAsyncIteration)


class Broken(Exception):
    """The tests themselves cannot be run."""


class Raised(BaseException):
    """What the completion raised, on its way out of the connection.

    Args:
        kind: the most special builtin class of it.
        args: its arguments.
        text: for a person.
    """

    def __init__(self, kind: type, args: tuple[Any, ...], text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.given = args
        self.text = text

    def settled(self) -> Raised:
        """Return itself, or in place of what would silently end a loop of the tests an ordinary error (as PEP 479)."""
        return Raised(RuntimeError, (self.text,), self.text) if issubclass(self.kind, ENDINGS) else self

    def again(self) -> BaseException:
        """Return an exception of the same builtin class."""
        try:
            error: BaseException = self.kind(*self.given)
        except Exception:  # noqa: BLE001  (arguments that its own class takes, and the builtin one does not)
            error = RuntimeError(self.text) if self.kind is not ValueError else ValueError(self.text)
        return error


class Fields:
    """What a stand-in knows of its object.

    Args:
        link: the connection.
        number: the handle.
        name: what the tests call it, `""` for anything but the names they read.
        built: whether it was made by calling a class, so that its methods may bear any name.
    """

    __slots__ = ("built", "link", "name", "number")

    def __init__(self, link: Any, number: int) -> None:
        self.link = link
        self.number = number
        self.name = ""
        self.built = False


class Remote:
    """Stands in for an object of the completion's that is not plain data.

    Calls, attributes, items and iteration are passed on. Comparisons, truth and hash are decided here: it equals the
    same object only, and is always true. A result that had to be text, a set or a number, and is an object instead,
    does not get to answer `startswith` and the like: such a method is told the expected value, and decides.
    """

    __slots__ = ("fields",)

    def __init__(self, link: Any, number: int) -> None:
        object.__setattr__(self, "fields", Fields(link, number))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        own = fields(self)
        arguments = list(args)
        try:
            result, after = own.link.call(self, own.link.encoded(arguments), own.link.encoded(kwargs))
        except Raised as raised:
            raise own.link.surfaced(raised.settled()) from None
        if after is not None:
            update(arguments, after[0])
            update(kwargs, after[1])
        if type(result) is Remote:
            fields(result).built = own.name[:1].isupper()
        return result

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name not in PASSED_ON:
            return object.__getattribute__(self, name)
        own = fields(self)
        if name in DECIDING and not (own.built or own.name):
            raise AttributeError(f"an object that is not plain data is not asked for {name!r}")
        return asked(self, "attribute", name)

    def __setattr__(self, name: str, value: Any) -> None:
        asked(self, "set_attribute", name, fields(self).link.encoded(value))

    def __getitem__(self, key: Any) -> Any:
        return asked(self, "item", fields(self).link.encoded(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        link = fields(self).link
        asked(self, "set_item", link.encoded(key), link.encoded(value))

    def __len__(self) -> int:
        return typed(asked(self, "length"), int)  # type: ignore[no-any-return]

    def __iter__(self) -> Any:
        return asked(self, "iterator")

    def __next__(self) -> Any:
        return asked(self, "next")

    def __str__(self) -> str:
        return typed(asked(self, "text"), str)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return typed(asked(self, "representation"), str)  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        return True

    def __instancecheck__(self, instance: object) -> bool:
        return (
            remote_of(instance) is not None and asked(self, "is_class_of", fields(self).link.encoded(instance)) is True
        )

    def __eq__(self, other: object) -> bool:
        return type(other) is Remote and fields(other).number == fields(self).number

    def __hash__(self) -> int:
        return hash(fields(self).number)


class OwnedTuple(tuple):  # type: ignore[type-arg]
    """A tuple by value whose object, such as a named tuple, has stayed with the completion."""

    _remote: Remote  # no field of a named tuple starts with an underscore

    def __new__(cls, items: tuple[Any, ...], remote: Remote) -> OwnedTuple:  # noqa: D102
        made = tuple.__new__(cls, items)
        made._remote = remote
        return made

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python itself looks for is a tuple's
            raise AttributeError(name)
        return getattr(self._remote, name)


def remote_of(value: Any) -> Remote | None:
    """Return the stand-in of an object that has stayed with the completion, None for plain data."""
    if type(value) is OwnedTuple:
        return value._remote
    return value if type(value) is Remote else None


def fields(remote: Remote) -> Fields:
    """Return what a stand-in knows, without asking its object."""
    return object.__getattribute__(remote, "fields")  # type: ignore[no-any-return]


def asked(remote: Remote, kind: str, *rest: Any) -> Any:
    """Put a request about an object; raise what the completion raised as if it happened here."""
    link = fields(remote).link
    try:
        return link.ask(kind, ["h", fields(remote).number], *rest)[0]
    except Raised as raised:
        raise link.surfaced(raised if kind == "next" else raised.settled()) from None


def typed(value: Any, kind: Any) -> Any:
    """Return an answer of the type that Python demands of it."""
    if type(value) is not kind:
        raise TypeError(f"an answer of type {type(value).__name__} instead of {kind.__name__}")
    return value


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

"""Whatever bytes a completion's process sends, the judge ends with a result and takes none for a right answer."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from halo_forge.core.types import Reference
from halo_forge.verifiers.python import judge, link, wire
from halo_forge.verifiers.python.foresight import foresee
from halo_forge.verifiers.python.outline import outline

SECRET = 0x5EC2E70F7E575
TESTS = [
    Reference(asserts=(f"assert f(1) == {SECRET}", f"assert f(2) == '{SECRET}'"), entry_point="f"),
    Reference(asserts=(f"assert abs(f(1) - {SECRET}) < 1e-6",), entry_point="f"),
    Reference(asserts=(f"assert len(f(1)) == {SECRET} and str(f(1)) == '{SECRET}'",), entry_point="f"),
    Reference(asserts=(f"assert {SECRET} in f([1])", f"assert f({{'a': 1}})[0] == {SECRET}"), entry_point="f"),
    Reference(asserts=(f"assert f(1).value == {SECRET}", "assert f(1).startswith('secret')"), entry_point="f"),
    Reference(asserts=(f"try:\n    x = f(1)\nexcept:\n    x = 0\nassert x == {SECRET}",), entry_point="f"),
    Reference(asserts=(f"assert Pair({SECRET}, 1).a == f(Pair(1, 2)) == {SECRET}",)),
    Reference(check=f"def check(g):\n    for n in range(3):\n        assert g(n) == {SECRET}", entry_point="f"),
]  # fmt: skip
FAST = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

tags = st.sampled_from(
    ["l", "t", "s", "z", "d", "c", "h", "o", "i", "f", "b", "B", "D", "F", "r", "n", "ok", "raise", "?"]
)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | tags
    | st.sampled_from(["max", "exec", "object", "StopIteration", "SystemExit", "0xff", "1e999", "nan", "f", "Pair"])
)  # fmt: skip
nodes = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.builds(lambda tag, rest: [tag, *rest], tags, st.lists(inner, max_size=4))
        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=12,
)
answers = st.builds(lambda values: ["ok", *values], st.lists(nodes, max_size=3))
raises = st.builds(lambda *words: ["raise", *words], nodes, nodes, nodes)
names = st.builds(lambda f, p: ["ok", ["d", "f", f, "Pair", p]], st.just(["h", 0]) | nodes, st.just(["h", 1]) | nodes)
handles = st.builds(lambda number: ["ok", ["h", number], None], st.integers(0, 3))
messages = st.lists(answers | raises | handles | nodes, max_size=12)


def judged(reference: Reference, stream: bytes, *, foreseeing: bool = True) -> list[Any]:
    """Return the judge's report on a completion's process that sends these bytes whatever it is asked, and ends."""
    end, other = socket.socketpair()
    nowhere = os.open(os.devnull, os.O_RDWR)

    def feed() -> None:
        view = memoryview(stream)
        with contextlib.suppress(OSError):
            other.sendall(view)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    feeder = threading.Thread(target=feed)
    feeder.start()
    seen = outline(reference)
    assert seen is not None
    given = {**reference.model_dump(), "helpers": "", "check": reference.check or ""}
    calls = foresee(reference, seen).calls if foreseeing else []
    pipe = wire.Pipe(end.fileno(), time.monotonic() + 20)
    try:
        return judge.report(given, link.Link(pipe, calls, notice=nowhere))
    finally:
        end.close()
        os.close(nowhere)
        feeder.join()
        other.close()


def framed(*sent: Any) -> bytes:
    return b"".join(wire.framed(json.dumps(message).encode()) for message in sent)


def shape(value: Any) -> Any:
    """Return a value with the types of all its parts; of a set the order of its items does not count."""
    if isinstance(value, (list, tuple)):
        return type(value), [shape(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(map(repr, value))
    if isinstance(value, dict):
        return dict, [(shape(key), shape(item)) for key, item in value.items()]
    return type(value), repr(value)


def assert_not_passed(result: list[Any]) -> None:
    kind, detail, path, late = result
    assert kind in {"failed", "missing", "load", "syntax", "silent", "again"}, result
    assert isinstance(detail, str)
    assert len(detail) <= judge.DETAIL_CHARS
    assert path in {"values", "handles"}
    assert late is False
    json.dumps(result)


@FAST
@given(st.sampled_from(TESTS), st.binary(max_size=300), st.booleans())
@example(TESTS[0], b"\0\0\0\0", True)
@example(TESTS[0], framed(["parsed"]) + b"\x7f\xff\xff\xff", True)
def test_any_bytes(reference: Reference, stream: bytes, foreseeing: bool) -> None:
    assert_not_passed(judged(reference, stream, foreseeing=foreseeing))
    assert_not_passed(judged(reference, framed(["parsed"]) + stream, foreseeing=foreseeing))


@FAST
@given(st.sampled_from(TESTS), names, messages, st.booleans())
def test_any_messages(reference: Reference, named: Any, sent: list[Any], foreseeing: bool) -> None:
    assert_not_passed(judged(reference, framed(["parsed"], named, *sent), foreseeing=foreseeing))


keys = st.integers() | st.text(max_size=4) | st.booleans()
plain = st.recursive(
    st.none() | keys | st.floats(allow_nan=False, allow_infinity=False) | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(keys, inner, max_size=3)
        | st.sets(keys, min_size=1, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip


@FAST
@given(st.lists(plain, min_size=1, max_size=5), st.data(), st.booleans())
def test_an_answer_passes_if_and_only_if_it_equals_the_expected_value(
    wanted: list[Any], data: st.DataObject, foreseeing: bool
) -> None:
    given_answers = list(wanted)
    given_answers[data.draw(st.integers(0, len(wanted) - 1))] = data.draw(plain)
    reference = Reference(
        asserts=tuple(f"assert f({number}) == {value!r}" for number, value in enumerate(wanted)), entry_point="f"
    )
    sent = [["ok", wire.encode(value, lambda _: None), None] for value in given_answers]
    kind, *_ = judged(reference, framed(["parsed"], ["ok", ["d", "f", ["h", 0]]], *sent), foreseeing=foreseeing)
    assert kind == ("passed" if given_answers == wanted else "failed")


@FAST
@given(plain | st.floats() | st.complex_numbers() | st.fractions() | st.decimals(allow_nan=False) | st.integers())
def test_plain_data_comes_back_as_it_was(value: Any) -> None:
    node = json.loads(json.dumps(wire.encode(value, lambda _: None)))
    assert shape(wire.decode(node, None)) == shape(value)


@FAST
@given(nodes)
def test_no_node_raises_anything_unforeseen(node: Any) -> None:
    with contextlib.suppress(link.MALFORMED):
        wire.decode(node, lambda number, items: (number, items))

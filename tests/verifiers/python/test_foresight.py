from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from halo_forge.core.types import Reference
from halo_forge.verifiers.python import program
from halo_forge.verifiers.python.config import PythonConfig
from halo_forge.verifiers.python.foresight import Foreseen, foresee
from halo_forge.verifiers.python.outline import outline, standalone

if TYPE_CHECKING:
    from conftest import Judge


def seen(**reference: Any) -> Foreseen:
    tests = Reference.model_validate(reference)
    found = outline(tests)
    assert found is not None
    return foresee(tests, found)


def calls(*asserts: str, **reference: Any) -> list[Any]:
    return [json.loads(call) for call in seen(asserts=asserts, **reference).calls]


@pytest.mark.parametrize(
    ("statement", "made"),
    [
        ("assert f(1, 'a') == 2", [["f", ["l", 1, "a"], ["d"]]]),
        ("assert f(-1, k=(1.5, None)) == 2", [["f", ["l", -1], ["d", "k", ["t", 1.5, None]]]]),
        ("assert f([True]) == g(b'')", [["f", ["l", ["l", True]], ["d"]], ["g", ["l", ["b", ""]], ["d"]]]),
        ("assert abs(f(1) - 2) < 1e-6 and True", []),
        ("assert abs(f(1) - 2) < 1e-6", [["f", ["l", 1], ["d"]]]),
        ("assert sorted(f({1: 'a'}))[0].x == 3 * 19 ** 2", [["f", ["l", ["d", 1, "a"]], ["d"]]]),
        ("assert f(3 * 5 - 2, 'a' + 'b', 2 ** 70)", [["f", ["l", 13, "ab", ["i", hex(2**70)]], ["d"]]]),
        ("x = f(1)\nassert x == f(2)", [["f", ["l", 1], ["d"]], ["f", ["l", 2], ["d"]]]),
        ("y = [1, 2]\nassert f(1) == y\nassert f(y) == 1\nassert f(2)", [["f", ["l", 1], ["d"]]]),
        ("assert f(g(1)) == 1\nassert f(2)", [["g", ["l", 1], ["d"]]]),
        ("assert f({1, 2})", []),
        ("assert f(9 ** 9 ** 9)", []),
        ("assert f(1e308 * 1e308 ** 99)", []),
        ("assert f('a' * 3)", []),
        ("assert f(**{'a': 1})", []),
        ("assert f(*[1])", []),
        ("assert f(...)", []),
        ("assert all(f(n) for n in (1, 2))", []),
        ("assert (f(1) or f(2)) == 3", []),
        ("assert f(1) < f(2) < f(3)", []),
        ("if True:\n    assert f(1)", []),
        ("try:\n    f(1)\nexcept ValueError:\n    pass", []),
        ("z = sum(n for n in range(9))\nassert f(1) == z", [["f", ["l", 1], ["d"]]]),
        ("list(map(f, [1]))\nassert f(1)", []),
        ("def h():\n    return f(7)\nassert h() == f(1)", []),
    ],
)  # fmt: skip
def test_the_calls_of_straight_lines_are_foreseen(statement: str, made: list[Any]) -> None:
    assert calls(statement) == made


def test_the_parameter_of_check_is_the_entry_point() -> None:
    check = (
        "M = {}\ndef check(g):\n    import math\n    assert g(1) == 1, 'no: ' + str(g(1))\n    assert g(2) == 2, 'no'\n"
    )
    found = seen(check=check, entry_point="f")
    assert [json.loads(call)[:2] for call in found.calls] == [["f", ["l", 1]], ["f", ["l", 2]]]
    assert found.check.count("g(1)") == 1
    assert "'no'" in found.check


def test_names_that_a_star_may_have_brought_are_nobodys() -> None:
    assert calls("from math import *\nassert f(1)") == []
    assert len(calls("from math import *\nassert f(1)", entry_point="f")) == 1


def test_a_stub_gets_a_body_only_where_it_lacks_one() -> None:
    assert standalone('def f():\n    """Doc."""\n') == 'def f():\n    """Doc."""\n'
    assert standalone("class A:\n    def f(self):\n") == "class A:\n    def f(self):\n        pass\n"
    assert standalone("def f(:") == "def f(:"


CASES = [
    ("def f(x): return x + 1", ("assert f(1) == 2", "assert f(2) == 3")),
    ("def f(x): return x if x < 2 else 0", ("assert f(1) == 1", "assert f(2) == 3", "assert f(3) == 3")),
    ("def f(x):\n    if x == 2: raise ValueError(x)\n    return x", ("assert f(1) == 1", "assert f(2) == 2", "f(3)")),
    ("import os\ndef f(x):\n    if x == 2: os._exit(0)\n    return x", ("assert f(1) == 1", "assert f(2) == 2")),
    ("n = []\ndef f(x):\n    n.append(x); return len(n)", ("assert f(1) == 1", "assert f(1) == 2", "assert f(0) == 3")),
    ("def f(x): yield x", ("assert list(f(1)) == [1]", "assert list(f(2)) == [2]")),
    ("def f(x): return iter([x])", ("assert next(f(1)) == 1", "assert f(2) == 2")),
    ("def f(x): x.append(1); return x", ("assert f([0]) == [0, 1]", "a = [5]", "f(a)", "assert a == [5, 1]")),
    ("def f(x): return {True: 1.0, 'n': [x]}", ("assert f(1) == {1: 1, 'n': [1]}", "assert f(2)['n'][0] == 2")),
    ("f = 5", ("assert f(1) == 1",)),
    ("g = 5", ("assert f(1) == 1",)),
    ("f = max", ("assert f(1, 2) == 2", "assert f([3, 4]) == 4", "assert f('ab', key=None) == 'b'")),
    ("def f(x): return h(x)", ("assert f(1) == 1",)),
    ("def f(x): return 2\ndef g(x): return x", ("assert f(1) == g(2)", "assert f(3) == g(1), str(f(9))")),
]  # fmt: skip


@pytest.fixture(scope="module")
def both(real_sandbox: Any, judge: type[Judge]) -> Any:
    """Judge with foresight, and judge without."""
    verifiers = [PythonConfig(timeout_s=1).build(real_sandbox, 2) for _ in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        judges = [judge(verifier) for verifier in verifiers]

        def blind(reference: Reference, found: Any) -> Foreseen:
            return foresee(reference, found)._replace(calls=[])

        def verdicts(text: str, **reference: Any) -> list[Any]:
            patch.setattr(program, "foresee", foresee)
            first = judges[0](text, **reference)
            patch.setattr(program, "foresee", blind)
            return [first, judges[1](text, **reference)]

        yield verdicts
    for verifier in verifiers:
        verifier.close()


@pytest.mark.parametrize(("code", "asserts"), CASES)
def test_foresight_changes_nothing_of_a_verdict(both: Any, code: str, asserts: tuple[str, ...]) -> None:
    with_it, without = both(f"```python\n{code}\n```", asserts=asserts)
    told = ("reward", "passed", "stage", "detail", "fault", "path", "repeatable")
    assert with_it.model_dump(include=set(told)) == without.model_dump(include=set(told))


def test_tests_that_call_otherwise_than_foreseen_are_run_again(both: Any) -> None:
    setup = "class Odd:\n    def ask(self): return f(7)\nodd = Odd()\n"
    tests = {"setup": setup, "asserts": ("assert odd.ask() == 8", "assert f(1) == 2"), "entry_point": "f"}
    for code, passed in (("def f(x): return x + 1", True), ("def f(x): return 2", False)):
        assert [verdict.passed for verdict in both(f"```python\n{code}\n```", **tests)] == [passed] * 2

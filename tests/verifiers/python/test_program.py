from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from halo_forge.core.types import Stage
from halo_forge.verifiers.python.config import PythonConfig

if TYPE_CHECKING:
    from conftest import BreakableSandbox, Judge

ADD = {"asserts": ("assert add(2, 3) == 5", "assert add(-1, 1) == 0"), "entry_point": "add"}
GOOD = "def add(a, b):\n    return a + b\n"


def fenced(code: str) -> str:
    return f"Here you are:\n```python\n{code}\n```\n"


@pytest.fixture(scope="session")
def check(real_sandbox: Any, judge: type[Judge]) -> Any:
    verifier = PythonConfig(timeout_s=1).build(real_sandbox, 2)
    yield judge(verifier)
    verifier.close()


@pytest.mark.parametrize(
    ("code", "reward", "passed", "stage"),
    [
        (GOOD, 1.0, True, Stage.TESTS),
        ("add = lambda *a: sum(a)", 1.0, True, Stage.TESTS),
        ("print('noise' * 9**5)\n" + GOOD, 1.0, True, Stage.TESTS),
        ("def add(a, b):\n    return a - b\n", 0.5, False, Stage.TESTS),
        ("def add(a): return a", 0.5, False, Stage.TESTS),
        ("def add(a, b):\n    while True: pass", 0.5, False, Stage.TESTS),
        ("import time\ndef add(a, b):\n    time.sleep(60)", 0.5, False, Stage.TESTS),
        ("def add(a, b): return bytes(1 << 40)", 0.5, False, Stage.TESTS),
        ("def add(a, b): return add(a, b)", 0.5, False, Stage.TESTS),
        ("import os\ndef add(a, b): os._exit(0)", 0.5, False, Stage.TESTS),
        ("import sys\ndef add(a, b): sys.stderr.write('x' * (1 << 22))", 0.5, False, Stage.TESTS),
        ("def add(a, b): return [[]] * 10**9", 0.5, False, Stage.TESTS),
        ("def add(a, b):\n    l = []\n    l.append(l)\n    return l", 0.5, False, Stage.TESTS),
        ("add = 5", 0.5, False, Stage.TESTS),
        ("def other(): pass", 0.3, False, Stage.RUN),
        ("1 / 0", 0.3, False, Stage.RUN),
        ("while True: pass", 0.3, False, Stage.RUN),
        ("raise SystemExit", 0.3, False, Stage.RUN),
        ("def add(a, b):\n    return a +", 0.0, False, Stage.COMPILE),
        ("(" * 5000 + ")" * 5000, 0.0, False, Stage.COMPILE),
        ("\0", 0.0, False, Stage.COMPILE),
        (" \n", 0.0, False, Stage.PARSE),
    ],
)
def test_reward_follows_the_table(check: Judge, code: str, reward: float, passed: bool, stage: Stage) -> None:
    verdict = check(fenced(code), **ADD)
    assert (verdict.reward, verdict.passed, verdict.stage) == (reward, passed, stage), verdict


def test_without_tests_loading_counts(check: Judge) -> None:
    verdict = check(fenced(GOOD), entry_point="add")
    assert (verdict.reward, verdict.passed, verdict.stage) == (0.5, True, Stage.RUN)
    assert check(fenced("def sub(a, b):\n    return a - b\n"), entry_point="add").reward == 0.3


def test_without_tests_a_trivial_program_earns_nothing(check: Judge) -> None:
    for code in ("pass", "import math", '"""A long story, of many words, that is no code at all."""\nx = 1'):
        verdict = check(fenced(code))
        assert (verdict.reward, verdict.stage) == (0.0, Stage.COMPILE)
        assert "trivial" in verdict.detail


def test_a_required_name_must_be_used(check: Judge) -> None:
    verdict = check(fenced(GOOD), **ADD, required=("operator",))
    assert (verdict.reward, verdict.detail) == (0.0, "does not use operator, which the prompt requires")


@pytest.mark.parametrize(
    "value",
    [
        "None", "True", "-1", "10**40", "1.5", "float('inf')", "'a\\ud800é'", "b'\\x00'", "[1, [2]]", "(1, (2,))",
        "{1, 2}", "frozenset({(1,)})", "{(1, 2): [None], 'k': {}}", "1+2j", "range(2, 9, 3)", "bytearray(b'x')",
        "__import__('decimal').Decimal('1.10')", "__import__('fractions').Fraction(1, 3)", "int", "-0.0",
    ],
)  # fmt: skip
def test_plain_data_crosses_both_ways(check: Judge, value: str) -> None:
    asserts = (f"assert same({value}) == {value}", f"assert type(same({value})) is type({value})")
    verdict = check(fenced("def same(x): return x"), asserts=asserts)
    assert verdict.passed, verdict


def test_nan_stays_nan(check: Judge) -> None:
    asserts = ("assert same(float('nan')) != same(float('nan'))",)
    assert check(fenced("def same(x): return x"), asserts=asserts).passed


def test_arguments_changed_in_place_are_seen_by_the_tests(check: Judge) -> None:
    code = "def grow(l, d, s):\n    l.sort()\n    l[0].append(9)\n    d['k'] = l\n    s.add(1)"
    setup = "inner = [1]\nl = [[2], inner]\nd = {}\ns = set()"
    asserts = (
        "assert grow(l, d, s) is None",
        "assert l == [[1, 9], [2]]",
        "assert d == {'k': [[1, 9], [2]]}",
        "assert s == {1}",
    )
    assert check(fenced(code), asserts=asserts, setup=setup).passed


def test_classes_of_the_completion_can_be_used(check: Judge) -> None:
    code = """
class Node:
    def __init__(self, data): self.data, self.left = data, None
    def __str__(self): return f"<{self.data}>"
    def __len__(self): return 7
    def __getitem__(self, key): return key * 2
def depth(node): return 0 if node is None else 1 + depth(node.left)
def numbers(): yield from (1, 2)
"""
    setup = "root = Node(1)\nroot.left = Node(2)"
    asserts = (
        "assert depth(root) == 2",
        "assert root.left.data == 2 and str(root) == '<1>' and len(root) == 7 and root['a'] == 'aa'",
        "assert root == root and root != root.left and root != 1",
        "assert list(numbers()) == [1, 2] and 2 in numbers() and 3 not in numbers()",
        "assert [n.data for n in [root]] == [1]",
    )
    verdict = check(fenced(code), asserts=asserts, setup=setup)
    assert verdict.passed, verdict


def test_exceptions_keep_their_builtin_class(check: Judge) -> None:
    code = (
        "class Own(ValueError): pass\ndef fail(kind):\n    raise {'v': Own, 'k': KeyError, 'e': SystemExit}[kind]('no')"
    )
    check_source = """
def check(candidate):
    for kind, error in (("v", ValueError), ("k", KeyError), ("e", RuntimeError)):
        try:
            candidate(kind)
        except error:
            continue
        assert False
"""
    assert check(fenced(code), check=check_source, entry_point="fail").passed


def test_exceptions_keep_their_arguments(check: Judge) -> None:
    code = "class Own(ValueError): pass\ndef fail(n):\n    raise [ValueError('no', n), KeyError('k'), Own('own')][n]"
    setup = "def words(n):\n  try: fail(n)\n  except Exception as error: return error.args, str(error)\n"
    asserts = (
        "assert words(0) == (('no', 0), \"('no', 0)\")",
        "assert words(1) == (('k',), \"'k'\")",
        "assert words(2) == (('own',), 'own')",
    )
    verdict = check(fenced(code), setup=setup, asserts=asserts)
    assert verdict.passed, verdict


def test_named_tuples_of_the_completion_are_tuples_and_objects(check: Judge) -> None:
    code = "from collections import namedtuple\nPair = namedtuple('Pair', 'a remote')\n"
    code += "def first(pairs): return pairs[0].a\ndef made(): return Pair(1, [2])\n"
    asserts = (
        "assert first([Pair(5, 24), Pair(1, 2)]) == 5",
        "assert made() == (1, [2]) and made().remote == [2] and made()[0] == 1",
        "assert isinstance(made(), tuple) and isinstance(made(), Pair) and not isinstance((1, 2), Pair)",
    )
    verdict = check(fenced(code), asserts=asserts)
    assert verdict.passed, verdict
    assert verdict.path == "handles"


def test_the_verdict_says_how_it_was_judged(check: Judge) -> None:
    assert check(fenced(GOOD), **ADD).path == "values"
    assert check(fenced("def add(a, b): return 0"), **ADD).path == "values"
    verdict = check(fenced("def add(a, b): yield a + b"), asserts=("assert list(add(2, 3)) == [5]",))
    assert (verdict.passed, verdict.path) == (True, "handles")
    assert check(fenced("add ="), **ADD).path == ""


def test_tests_of_objects_that_the_known_solution_fails_too_are_at_fault(check: Judge) -> None:
    code = "async def add(a, b): return a + b"
    tests = {"asserts": ("import asyncio\nassert asyncio.run(add(2, 3)) == 5",), "entry_point": "add"}
    assert (check(fenced(code), **tests, solution=code).fault or "").startswith("unsupported tests")
    assert not check(fenced(code), **tests).passed


def test_a_completion_finds_itself_as_in_a_script_of_its_own(check: Judge) -> None:
    code = """
import pickle, random, signal, sys
class Own:
    def __init__(self): self.n = 5
def depth(n=1):
    try:
        return depth(n + 1)
    except RecursionError:
        return n
def names(): return sorted(name for name in globals() if not name.startswith("__"))
def seen(): return sys.argv, vars(sys.modules["__main__"]) is globals(), pickle.loads(pickle.dumps(Own())).n
def rest(): return signal.getsignal(signal.SIGINT) is signal.default_int_handler, __name__ == "__main__"
def reads():
    try:
        input()
    except EOFError:
        return "nothing"
"""
    asserts = (
        "assert names() == ['Own', 'depth', 'names', 'pickle', 'random', 'reads', 'rest', 'seen', 'signal', 'sys']",
        "assert seen() == (['solution.py'], True, 5)",
        "assert reads() == 'nothing'",
        "assert 995 <= depth() <= 1000",
    )
    verdict = check(fenced(code), asserts=asserts)
    assert verdict.passed, verdict


def test_a_stub_may_end_at_the_head_of_its_function(check: Judge) -> None:
    stub = "import math\n\ndef add(a, b):\n"
    for code in ("    return math.floor(a + b)\n", "def add(a, b):\n    return math.floor(a) + b\n"):
        verdict = check(fenced(code), stub=stub, **ADD)
        assert verdict.passed, verdict


def test_data_named_like_a_test_is_not_called(check: Judge) -> None:
    tests = "test_pairs = [(2, 3)]\ntest_point = Point(1)\ndef test_it():\n"
    tests += "    for a, b in test_pairs: assert add(a, b) == 5\n    assert test_point.x == 1"
    point = "\nclass Point:\n    def __init__(self, x): self.x = x"
    assert check(fenced(GOOD + point), check=tests).reward == 1.0
    assert check(fenced(GOOD.replace("+", "*") + point), check=tests).reward == 0.5


def test_functions_named_test_are_run(check: Judge) -> None:
    source = "import math\ndef test_small():\n    assert add(1, 1) == 2\n"
    source += "def test_large():\n    assert add(10, 5) == math.floor(15.5)\n"
    assert check(fenced(GOOD), check=source).passed
    verdict = check(fenced("def add(a, b): return 2"), check=source)
    assert not verdict.passed
    assert "test_large" in verdict.detail


WRONG = "\ndef add(a, b): return 0"
WIRE = "from halo_forge.verifiers.python import wire as w\nsend = w.Pipe.send\n"


@pytest.mark.parametrize(
    "trick",
    [
        "check = 5",
        "def check(candidate): pass",
        "def test_small(): pass",
        "import builtins\nbuiltins.AssertionError = ValueError",
        'import os\nfor n in range(3, 20):\n  try: os.write(n, b\'["passed", ""]\\n\')\n  except OSError: pass',
        "import os\nos.write(1, b'\\xff' * 4)\nfor n in range(3, 9):\n  try: os.write(n, b'x')\n  except OSError: pass",
        WIRE + "w.encode = lambda *a: ['n', 'exec']",
        WIRE + "w.Pipe.send = lambda *a: None",
        WIRE + "w.Pipe.send = lambda p, m: send(p, ['ok'])",
        WIRE + "w.Pipe.send = lambda p, m: send(p, 5)",
        WIRE + "w.Pipe.send = lambda p, m: send(p, [[]] * 4_000_000)",
        "import os\ndata = (b'\\0\\xff\\xff\\xff' + b'[[],' * 4_200_000)\nwhile data: data = data[os.write(4, data):]",
        WIRE + "w.Pipe.send = lambda p, m: send(p, ['raise', 'SystemExit', ''])",
        WIRE + "w.Pipe.send = lambda p, m: send(p, m if m == ['parsed'] else ['ok', ['d', 'add', ['n', 'max']], None])",
    ],
)
def test_nothing_a_completion_does_makes_wrong_answers_pass_or_a_fault(check: Judge, trick: str) -> None:
    source = "def check(candidate):\n    assert candidate(2, 3) == 5\n\ndef test_small():\n    assert add(1, 1) == 2\n"
    for reference in ({"check": source, "entry_point": "add"}, ADD):
        verdict = check(fenced(trick + WRONG), **reference)
        assert not verdict.passed
        assert verdict.reward is not None, verdict


@pytest.mark.parametrize(
    "reference",
    [
        {"asserts": ("assert add(1, 2) =",)},
        {"asserts": ("assert 1 == 1",)},
        {"asserts": ("assert add(1, 2) == missing",), "solution": GOOD},
        {"asserts": ("import no_such_module",), "entry_point": "add"},
        {"asserts": ("assert add(lambda: 1, 2) == 3",), "solution": GOOD},
        {"check": "while True: pass", "entry_point": "add"},
        {"check": "def check(c):\n    assert c(1, 2)\n    while True: pass", "entry_point": "add", "solution": GOOD},
        {"check": "x = 1", "entry_point": "add"},
    ],
)  # fmt: skip
def test_tests_that_cannot_be_run_are_a_named_fault(
    real_sandbox: Any, judge: type[Judge], monkeypatch: pytest.MonkeyPatch, reference: dict[str, Any]
) -> None:
    monkeypatch.setattr("halo_forge.verifiers.python.config.JUDGE_EXTRA_S", 1.0)
    verifier = PythonConfig(timeout_s=1).build(real_sandbox, 1)
    verdict = judge(verifier)(fenced(GOOD), **reference)
    verifier.close()
    assert verdict.reward is None, verdict
    assert (verdict.fault or "").startswith("unsupported tests")


def test_whole_programs_are_compared_by_output(check: Judge) -> None:
    cases = ({"input": "1 2\n", "output": "3"}, {"input": "2 2\n", "output": "4\n"})
    good = "print(sum(map(int, input().split())))"
    assert check(fenced(good), cases=cases).reward == 1.0
    assert check(fenced("print(3)"), cases=cases).reward == 0.5
    assert check(fenced("raise ValueError"), cases=cases).reward == 0.3
    assert check(fenced("print("), cases=cases).reward == 0.0


def test_packages_and_host_files_are_out_of_reach(check: Judge) -> None:
    code = "import sys, os\nsys.path += [p + '/site-packages' for p in sys.path]\nimport pydantic\n"
    assert check(fenced(code + GOOD), **ADD).reward == 0.3
    spy = f"import os\ndef add(a, b): return 5 if os.path.exists({str(Path(__file__))!r}) else 0"
    assert not check(fenced(spy), **ADD).passed


def test_equal_submissions_are_checked_once(sandbox: BreakableSandbox, judge: type[Judge]) -> None:
    verifier = PythonConfig().build(sandbox, 2)
    before = sandbox.runs
    verdicts = judge(verifier).all(fenced(GOOD), fenced(GOOD), **ADD)
    assert sandbox.runs == before + 1
    assert verdicts[0] == verdicts[1]
    verifier.close()


def test_a_broken_sandbox_is_a_fault(sandbox: BreakableSandbox, judge: type[Judge]) -> None:
    verifier = PythonConfig().build(sandbox, 1)
    sandbox.broken = True
    verdict = judge(verifier)(fenced(GOOD), **ADD)
    assert verdict.reward is None
    assert "broken on purpose" in (verdict.fault or "")
    verifier.close()


def test_every_verdict_is_measured_and_the_version_tells_all(check: Judge) -> None:
    verdict = check(fenced(GOOD), **ADD)
    assert verdict.wall_s > 0
    assert verdict.cpu_s > 0
    assert (verdict.peak_memory_mb or 0) > 1
    assert all(word in check.verifier.version for word in ("rules", "python 3.", "cpu_s"))

"""Attacks on the exchange between judge and candidate: none makes a wrong answer pass, and none is a fault of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from halo_forge.core.types import Stage
from halo_forge.verifiers.python.config import PythonConfig

if TYPE_CHECKING:
    from conftest import Judge

ADD = {"asserts": ("assert add(2, 3) == 5", "assert add(-1, 1) == 0"), "entry_point": "add"}
LIVE = {"check": "def check(c):\n    for n in (2, 3):\n        assert c(n, 3) == n + 3\n", "entry_point": "add"}
WRONG = "\ndef add(a, b): return 0\n"
LINK = """
import json, os, stat
from halo_forge.verifiers.python import candidate
send = candidate.send
def raw(data):
    for number in range(3, 16):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode): os.write(number, data)
        except OSError: pass
def say(*messages):
    raw(b"".join(len(m).to_bytes(4, "big") + m for m in (json.dumps(m).encode() for m in messages)))
def instead(message):
    candidate.send = lambda own: send(message)
def after_names(message):
    def changed(own):
        return send(own if own[0] == "parsed" or own[1:] and str(own[1]).startswith("['d'") else message)
    candidate.send = changed
"""
FIVE = "['ok', 5, None]"


@pytest.fixture(scope="module")
def check(real_sandbox: Any, judge: type[Judge]) -> Any:
    verifier = PythonConfig(timeout_s=1).build(real_sandbox, 2)
    yield judge(verifier)
    verifier.close()


@pytest.mark.parametrize(
    "trick",
    [
        "raw(b'\\0\\0\\0\\5' + b'9' * 5)",
        "raw((5000).to_bytes(4, 'big') + b'9' * 5000)",
        "say('ready', 'ready', 'ready')",
        "say(['ok', ['d', 'add', 5]])",
        "say(['ok', ['d', 'add', ['n', 'max']]])",
        "say(['ok', ['d', 'add', ['n', 'sum'], 'check', ['n', 'all']]])",
        "say(['ok', ['d', 'add', ['h', 0], 'abs', ['h', 0], 'AssertionError', ['n', 'ValueError']]])",
        "say(['ok', ['d', ['l'], 5]])",
        "say(['passed', ''], ['ok'], [[]], {}, None)",
        "say(['raised'])",
        "after_names(['ok', ['i', 'f' * (1 << 20)], None])",
        "after_names(['ok', ['i', '5z'], None])",
        "after_names(['ok', float('nan'), None])",
        "after_names(['ok', {'0': 5}, None])",
        "after_names(['ok', 5])",
        "after_names(['ok', 5, 5, 5])",
        "after_names(['ok', ['h', 10**6], None])",
        "after_names(['ok', ['h', '0'], None])",
        "after_names(['ok', ['o', 0, 5], None])",
        "after_names(['ok', ['s', ['l']], None])",
        "after_names(['ok', ['d', ['l'], 1], None])",
        "after_names(['ok', ['d', 1], None])",
        "after_names(['ok', ['n', 'exec'], None])",
        "after_names(['ok', ['n', '__import__'], None])",
        "after_names(['ok', ['n', 'object'], None])",
        "after_names(['ok', '\\ud800', None])",
        "after_names(['ok', ['r', '0x0', '0xffffffffffffffff', '0x1'], None])",
        "after_names(['ok', ['D', '1e999999999'], None])",
        "after_names(['ok', ['F', '0x1', '0x0'], None])",
        "after_names(['ok', ['c', 5, ['l']], None])",
        "after_names(['raise', 'SystemExit', ['t', 0], ''])",
        "after_names(['raise', 'BaseException', ['t'], ''])",
        "after_names(['raise', 'KeyboardInterrupt', ['t'], ''])",
        "after_names(['raise', 'print', ['t'], ''])",
        "after_names(['raise', 'StopIteration', ['t', 5], ''])",
        "after_names(['raise', ['l'], 5])",
        "after_names(['stop'])",
        "after_names([])",
        "wire.encode = lambda *a: 5.5",
        "wire.json.dumps = lambda *a: '[[' * 100_000",
        "wire.framed = lambda payload: b'\\x00\\xff\\xff\\xff' + b' ' * (1 << 24)",
        "wire.Pipe.send = lambda pipe, own: [send(pipe, own) for _ in range(3)]",
        "import _thread\n_thread.start_new_thread(lambda: [say(['ok', 5]) for _ in range(10**6)], ())",
        "if os.fork() == 0:\n    while True: say(['ok', True, None])",
        "os.close(4)",
        "os.kill(os.getpid(), 9)",
        "try: os.kill(-1, 9)\nexcept OSError: pass",
        "import ctypes\nctypes.string_at(0)",
        "import sys\nsys.setrecursionlimit(5)",
        "import gc\n[o.clear() for o in gc.get_objects() if type(o) is dict and 'namespace' in o]",
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
    ],
)
def test_no_message_makes_wrong_answers_pass(check: Judge, trick: str) -> None:
    for reference in (ADD, LIVE):
        verdict = check(f"```python\n{LINK}\n{trick}\n{WRONG}\n```", **reference)
        assert not verdict.passed, verdict
        assert verdict.reward is not None, verdict


FAKE = """
class Fake:
    def __getattr__(self, name): return lambda *a: True
    def __call__(self, *a): return True
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __contains__ = __lt__
    def __hash__(self): return 5
    def __sub__(self, other): return 0
    __rsub__ = __mod__ = __round__ = __float__ = __abs__ = __index__ = __sub__
    def __bool__(self): return True
    def __len__(self): return 5
    def __class_getitem__(cls, key): return cls
class Text(str):
    def startswith(self, *a): return True
    def __eq__(self, other): return True
    def __contains__(self, other): return True
    def __len__(self): return 5
    __hash__ = str.__hash__
class Number(float):
    def __sub__(self, other): return 0.0
    __rsub__ = __round__ = __abs__ = __sub__
class Both(tuple):
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *a: True
    __hash__ = tuple.__hash__
"""


@pytest.mark.parametrize("value", ["Fake()", "Fake", "Text('x')", "Number(0)", "Both()", "lambda *a: True"])
@pytest.mark.parametrize(
    "test",
    [
        "assert f(1) == 5",
        "assert not f(1) != 5",
        "assert f(1) in (5, 6)",
        "assert 5 in f(1)",
        "assert abs(f(1) - 5) < 1e-6",
        "assert round(f(1)) == 5",
        "assert f(1) > 4",
        "assert f(1).startswith('five')",
        "assert f(1).endswith(('five', '5'))",
        "assert f(1).issubset({5})",
        "assert f(1).isdigit()",
        "assert f(1) == [5] or {f(1): 0}.get(5) == 0",
        "assert sorted([f(1), 5]) == [5, 5]",
        "assert f(1)(5) == 5",
        "assert isinstance(f(1), int)",
        "assert float(f(1)) == 5",
        "import math\nassert math.isclose(f(1), 5)",
    ],
)
def test_no_object_stands_in_for_plain_data(check: Judge, value: str, test: str) -> None:
    verdict = check(f"```python\n{FAKE}\ndef f(n): return {value}\n```", asserts=(test,), entry_point="f")
    assert not verdict.passed, verdict


YES = "\nclose = lambda *a: True\nclass Checker:\n    says = lambda *a: True\n"


@pytest.mark.parametrize(
    "tests",
    [
        {"asserts": ("assert close(f(1), 2.5)",)},
        {"asserts": ("assert close(f(1), 5) == True",)},
        {"asserts": ("assert close(f(1), 2.5)",), "entry_point": "f"},
        {"asserts": ("r = f(1)", "assert close(r, 5)"), "entry_point": "f"},
        {"asserts": ("for r in [f(1)]:\n    s = r\n    assert close(s, 5)",), "entry_point": "f"},
        {"asserts": ("assert f(1) == WANTED",), "entry_point": "f"},
        {"asserts": ("assert Checker().says(f(1), 5)",), "entry_point": "f"},
        {"asserts": ("c = Checker()", "assert c.says(f(1), 5)"), "entry_point": "f"},
        {"check": "def check(c):\n    assert close(c(1), 5)", "entry_point": "f"},
        {
            "check": "def near(a, b):\n    return close(a, b)\ndef check(c):\n    assert near(c(1), 5)",
            "entry_point": "f",
        },
        {"asserts": ("x = [1]", "assert f(x) is not x"), "entry_point": "f"},
    ],
)
def test_tests_that_a_completion_could_decide_itself_are_refused(check: Judge, tests: Any) -> None:
    verdict = check(f"```python\ndef f(n): return n\nWANTED = f(1)\n{YES}\n```", **tests)
    assert verdict.reward is None
    assert (verdict.fault or "").startswith("unsupported tests: "), verdict


@pytest.mark.parametrize(
    "tests",
    [
        {"asserts": ("assert f(f(1)) == 1", "assert f(True) is True", "assert type(f(1)) is int")},
        {"asserts": ("assert f(close(1)) is True",), "entry_point": "f"},
        {"asserts": ("assert f(Checker()).says(1)",)},
        {"asserts": ("from math import *", "assert isclose(f(1), 1)"), "entry_point": "f"},
        {"setup": "def close(a, b):\n    return a == b\n", "asserts": ("assert close(f(1), 1)",)},
    ],
)
def test_tests_that_only_compose_are_not_refused(check: Judge, tests: Any) -> None:
    verdict = check(f"```python\ndef f(n): return n\n{YES}\n```", **tests)
    assert verdict.passed, verdict


def test_the_tricks_reach_the_protocol(check: Judge) -> None:
    tests = {"asserts": ("assert add(2, 3) == 5",), "entry_point": "add"}
    assert check(f"```python\n{LINK}\nafter_names({FIVE})\n{WRONG}\n```", **tests).passed
    verdict = check(f"```python\n{LINK}\nsay(['ok', ['d']])\n{WRONG}\n```", **tests)
    assert verdict.detail == "does not define add"


def test_a_hang_after_a_wrong_answer_costs_nothing(check: Judge) -> None:
    hangs = "def add(a, b):\n    while a < 0: pass\n    return 7"
    verdict = check(f"```python\n{hangs}\n```", **ADD)
    assert (verdict.reward, verdict.stage) == (0.5, Stage.TESTS)
    assert verdict.cpu_s < 0.9, verdict
    assert "add(2, 3) == 5" in verdict.detail
    assert verdict.repeatable


def test_a_verdict_that_the_clock_decided_says_so(check: Judge) -> None:
    verdict = check("```python\nimport time\ndef add(a, b): time.sleep(60)\n```", **ADD)
    assert "timed out" in verdict.detail
    assert not verdict.repeatable


def test_nothing_of_one_sample_reaches_the_next(check: Judge) -> None:
    places = ["/tmp/left", "/work/left", "/job/left", "/dev/shm/left", "/var/tmp/left"]
    leave = f"for place in {places}:\n    try: open(place, 'w').write('5')\n    except OSError: pass\n"
    leave += "import builtins, json\nbuiltins.left = json.left = 5\n"
    find = f"import builtins, json, os\ndef add(a, b): return 5 if any(map(os.path.exists, {places})) or a == 2 and "
    find += "(hasattr(builtins, 'left') or hasattr(json, 'left')) else 0\n"
    for _ in range(3):
        assert check(f"```python\n{leave}def add(a, b): return a + b\n```", **ADD).passed
        assert not check(f"```python\n{find}\n```", **ADD).passed

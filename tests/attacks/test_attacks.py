"""Programs that try to be scored as right, to harm the host, or to leave something behind.

Each file below `programs/` says in its first line what it tries. Its answers are wrong for every task here.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attacks.attacking import PROGRAMS, SUMS, Task, against, assert_refused, assert_right, attack, programs

from halo_forge.core.protocols import Verifier

if TYPE_CHECKING:
    from conftest import Host

PYTHON_TASKS: dict[str, Task] = {
    "whole numbers by asserts": (
        {"asserts": ("assert f(2, 3) == 5", "assert f(-1, 1) == 0", "assert f(10, 20) == 30"), "entry_point": "f"},
        "def f(a, b): return a + b",
    ),
    "lists by a check": (
        {
            "check": "def check(candidate):\n"
            "    assert candidate([3, 1, 2]) == [1, 2, 3]\n"
            "    assert candidate([]) == []\n"
            "    values = [9, 7, 8]\n"
            "    assert candidate(values) == [7, 8, 9], 'three'\n"
            "    assert len(candidate([1, 5])) == 2 and candidate([1, 5])[0] == 1\n",
            "entry_point": "f",
        },
        "def f(values): return sorted(values)",
    ),
    "fractions by tolerance": (
        {
            "check": "import math\n\n"
            "def check(candidate):\n"
            "    assert abs(candidate(2.0) - 1.414213) < 1e-5\n"
            "    assert math.isclose(candidate(9.0), 3.0, rel_tol=1e-9)\n"
            "    assert round(candidate(3.0), 2) == 1.73\n",
            "entry_point": "f",
        },
        "def f(x): return x ** 0.5",
    ),
    "calls in loops": (
        {
            "check": "def check(candidate):\n"
            "    for number in range(1, 6):\n"
            "        assert candidate(number) == number * number\n"
            "    assert [candidate(number) for number in (6, 7)] == [36, 49]\n"
            "    for shown, wanted in zip(map(candidate, [2, 3]), [4, 9]):\n"
            "        assert shown == wanted\n"
            "    assert all(map(lambda number: candidate(number) == number ** 2, range(20)))\n",
            "entry_point": "f",
        },
        "def f(number): return number * number",
    ),
    "loops that an exception can end": (
        {
            "check": "def check(candidate):\n"
            "    for shown, wanted in zip(map(candidate, [2, 3]), [4, 9]):\n"
            "        assert shown == wanted\n"
            "    assert all(map(lambda number: candidate(number) == number ** 2, range(20)))\n",
            "entry_point": "f",
        },
        "def f(number): return number * number",
    ),
    "many kinds by asserts": (
        {
            "asserts": (
                "assert f('a', 2) == ('a', 'a')",
                "assert set(f('b', 3)) == {'b'}",
                "assert f('c', 1) + ('d',) == ('c', 'd')",
                "assert {'k': f('e', 1)} == {'k': ('e',)}",
            )
        },
        "def f(letter, times): return (letter,) * times",
    ),
    "truth": (
        {
            "asserts": ("assert f(4) is True", "assert not f(5)", "assert f(6)", "assert f(7) == False"),
            "entry_point": "f",
        },
        "def f(number): return number % 2 == 0",
    ),
    "text in chains": (
        {"asserts": ("assert f(f('ab').strip()).upper() == 'AB'", "assert f('xy')[0] == 'y'"), "entry_point": "f"},
        "def f(text): return text[::-1]",
    ),
    "input and output": (
        SUMS,
        "print(sum(map(int, input().split())))",
    ),
}

PYTHON_PROGRAMS = {path.stem: path for path in sorted((PROGRAMS / "python").iterdir())}

CPP_TASKS: dict[str, Task] = {
    "whole numbers": (
        {
            "asserts": ("assert(add(2, 3) == 5);", "assert(add(-1, 1) == 0);", "assert(add(10, 20) == 30);"),
            "entry_point": "add",
        },
        "int add(int a, int b) { return a + b; }",
    ),
    "vectors": (
        {
            "asserts": (
                "assert(sorted({3, 1, 2}) == std::vector<int>({1, 2, 3}));",
                "assert(sorted({2, 1}) == std::vector<int>({1, 2}));",
                "assert(sorted({9, 7, 8}) == std::vector<int>({7, 8, 9}));",
            ),
            "entry_point": "sorted",
        },
        "#include <algorithm>\n#include <vector>\n"
        "std::vector<int> sorted(std::vector<int> v) { std::sort(v.begin(), v.end()); return v; }",
    ),
    "many kinds": (
        {
            "asserts": (
                "assert(std::abs(root(2.25) - 1.5) < 1e-6);",
                'assert(word(3) == "333");',
                "assert(!even(3));",
            )
        },
        "#include <cmath>\n#include <string>\ndouble root(double x) { return std::sqrt(x); }\n"
        "std::string word(int n) { return std::string(n, char(48 + n)); }\nbool even(int n) { return n % 2 == 0; }",
    ),
    "input and output": (
        SUMS,
        '#include <cstdio>\nint main() { int a, b; if (scanf("%d %d", &a, &b)) printf("%d", a + b); }',
    ),
}
C_TASKS: dict[str, Task] = {
    "whole numbers": (CPP_TASKS["whole numbers"][0], "int add(int a, int b) { return a + b; }"),
    "many kinds": (
        {
            "asserts": (
                "assert(fabs(root(2.25) - 1.5) < 1e-6);",
                'assert(strcmp(word(2), "22") == 0);',
                "assert(word(3) != NULL);",
            )
        },
        "#include <math.h>\ndouble root(double x) { return x - .75; }\n"
        'const char *word(int n) { return n == 2 ? "22" : "333"; }',
    ),
    "input and output": (SUMS, CPP_TASKS["input and output"][1].replace("cstdio", "stdio.h").replace("()", "(void)")),
}


@pytest.mark.parametrize(("name", "tasks"), against(PYTHON_TASKS, PYTHON_PROGRAMS, parts=3))
def test_no_python_program_forges_a_pass(
    judged: Any, host: Host, python: Verifier, name: str, tasks: list[str]
) -> None:
    code = PYTHON_PROGRAMS[name].read_text().replace("{ENTRY}", "f")
    attack(judged, host, python, {task: PYTHON_TASKS[task] for task in tasks}, code)


@pytest.mark.parametrize("program", programs("stdio"))
def test_no_printing_program_forges_a_pass(judged: Any, host: Host, python: Verifier, program: Path) -> None:
    attack(judged, host, python, {"input and output": PYTHON_TASKS["input and output"]}, program.read_text())


@pytest.mark.parametrize("program", programs("cpp", share=4))
def test_no_cpp_program_forges_a_pass(judged: Any, host: Host, gcc: Verifier, program: Path) -> None:
    attack(judged, host, gcc, CPP_TASKS, program.read_text())


@pytest.mark.parametrize("program", programs("c", share=3))
def test_no_c_program_forges_a_pass(judged: Any, host: Host, gcc: Verifier, program: Path) -> None:
    attack(judged, host, gcc, C_TASKS, program.read_text(), "c")


GENERATED = {
    "warnings without end": "\n".join(f"{number} is {number}" for number in range(3000)),
    "an expression too deep": "f = " + "(" * 90 + "lambda: 0" + ")" * 90 + "\n" + "x = " + "-" * 100_000 + "1",
    "a line too long": "f = lambda *a: [" + "0," * 500_000 + "]",
    "blocks too deep": "\n".join(" " * depth + "if 1:" for depth in range(99)) + "\n" + " " * 99 + "f = 1",
    "constants to fold": "f = lambda *a: " + "((1 << 4000) ** 30) * " * 50 + "0",
    "a null at the end": "def f(*a): return None\n\0",
    "a surrogate in the name": "def f(*a): return '\ud800'\n\ud800 = 1",
    "another encoding": "# -*- coding: utf-7 -*-\ndef f(*a): return None\n+AGYAPQAx-",
    "look-alike letters": "def \N{MATHEMATICAL FRAKTUR SMALL F}(*a): return None\n",
    "carriage returns": "def f(*a): return None\rdef f(*a): return 5\r",
    "classes without end": "f = None\nwhile True: f = type('f', (object,), {'__call__': f})",
}


@pytest.mark.parametrize(("name", "tasks"), against(PYTHON_TASKS, GENERATED, parts=3))
def test_no_python_text_forges_a_pass(judged: Any, host: Host, python: Verifier, name: str, tasks: list[str]) -> None:
    attack(judged, host, python, {task: PYTHON_TASKS[task] for task in tasks}, GENERATED[name])


def test_every_program_says_what_it_tries() -> None:
    for path in PROGRAMS.glob("*/*"):
        first = path.read_text().splitlines()[0]
        assert first.startswith("# " if path.suffix == ".py" else "// "), path


def test_tests_do_not_leave_a_comparison_to_the_program(judged: Any, python: Verifier) -> None:
    """A module that the tests forgot to import is the library's, whatever the program calls by its name."""
    reference = {"asserts": ("assert math.isclose(area(2), 12.566, rel_tol=1e-3)",)}
    forged = "class math:\n    isclose = lambda *args, **named: True\ndef area(r): return 0"
    for entry_point in (None, "area"):
        (verdict,) = judged(python, [({**reference, "entry_point": entry_point}, forged)])
        assert not verdict.passed, verdict


POISON = """
import builtins, json, math, os, socket
def f(a, b):
    for module in (json, math, os, builtins):
        for name in ("loads", "dumps", "write", "isclose", "isinstance", "len", "AssertionError"):
            setattr(module, name, lambda *args, **named: True)
    for folder in ("/work", "/tmp", "/job", "/dev/shm"):
        for name in ("solution.py", "json.py", "left", "halo_forge.py"):
            try: open(f"{folder}/{name}", "w").write("f = 5")
            except OSError: pass
    if os.fork() == 0:
        os.setsid()
        server = socket.socket(socket.AF_UNIX)
        server.bind(b"\\0left")
        server.listen()
        while True: pass
    os.nice(10)
    os._exit(0)
"""
LEFT = """
import os, socket
def f(a, b):
    if "left" in os.listdir("/work"): return a + b
    try: socket.socket(socket.AF_UNIX).connect(b"\\0left")
    except OSError: return None
    return a + b
"""


def test_a_worker_that_has_run_anything_judges_as_a_fresh_one(judged: Any, host: Host, python: Verifier) -> None:
    reference, right = PYTHON_TASKS["whole numbers by asserts"]
    kinds = {"poison": POISON + "def f(a, b): return None", "wrong": LEFT, "right": right}
    drawn = random.Random(0).choices(list(kinds), k=90)
    verdicts = judged(python, [(reference, f"{kinds[kind]}\n# {number}") for number, kind in enumerate(drawn)])
    host.assert_unharmed()
    for number, (kind, verdict) in enumerate(zip(drawn, verdicts, strict=True)):
        (assert_right if kind == "right" else assert_refused)(verdict, f"{number}, {kind}")

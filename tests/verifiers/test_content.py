"""Programs too trivial to be an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from halo_forge.core.types import Reference
from halo_forge.verifiers.content import CodeLanguage, code_tokens, shortcoming

ANY = Reference()
SHARED = Path(__file__).resolve().parents[3] / "shared"


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("c++", "int main(){}"),
        ("c++", "int main(){ return 0; }"),
        ("c++", "#include <iostream>\n#include <vector>\nusing namespace std;\nint main() { return 0; }"),
        ("c++", "#include <bits/stdc++.h>\nauto main() -> int {\n  // solve the problem here\n  return 0;\n}"),
        ("c++", "using std::vector; using namespace std::chrono;\nint main(int argc, char **argv) { return 0; }"),
        ("c++", 'const char *s = "int f(int a) { return a * a + a; }";\nint main() {}'),
        ("c", "#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }"),
        ("c", "#def\\\nine X"),
        ("rust", "use std::io::{self, Read};\nfn main() {}"),
        ("go", 'package main\n\nimport (\n\t"fmt"\n)\n\nfunc main() {}'),
        (
            "python",
            '"""A long text about what this would do."""\nimport os\nfrom sys import argv\npass\n# more words here',
        ),
    ],
)
def test_trivial_programs_are_named(language: CodeLanguage, source: str) -> None:
    assert shortcoming(source, language, ANY).startswith("trivial: ")
    assert shortcoming(source, language, ANY, min_tokens=0) == ""
    assert shortcoming(source, language, Reference(asserts=("assert(f() == 1);",))) == ""


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("c++", "int add(int a) { return a; }"),
        ("c++", "int big = 1'000'000; int add(int a) { return a + 'x'; }"),
        ("c++", '#include <iostream>\nint main() { std::cout << "Hello"; }'),
        ("c", '#include <stdio.h>\nint main(void) { puts("Hello"); }'),
        ("rust", 'fn main() { println!("{}", 1 + 2); }'),
        ("go", 'package main\nimport "fmt"\nfunc main() { fmt.Println("x") }'),
        ("python", "def add(a, b):\n    return a + b"),
    ],
)
def test_small_answers_are_answers(language: CodeLanguage, source: str) -> None:
    assert shortcoming(source, language, ANY) == ""


def test_real_programs_are_answers() -> None:
    sample = SHARED / "data" / "codeforces_cpp_sample.jsonl"
    if not sample.is_file():
        pytest.skip("../shared/data is not beside this checkout")
    programs = [json.loads(line)["response"] for line in sample.read_text().splitlines()]
    assert len(programs) == 250
    assert [text for text in programs if shortcoming(text, "c++", ANY, 20)] == []


@pytest.mark.parametrize(
    ("name", "source", "used"),
    [
        ("solve", "int solve(int a) { return a + a; }", True),
        ("solve", "int resolve(int a) { return a + a; }", False),
        ("solve", "int f(int a) { return a + a; } // solve", False),
        ("solve", 'const char *f(int a, int b) { return "solve"; }', False),
        ("solve", '#include "solve"\nint f(int a, int b) { return a + b; }', False),
        ("solve", 'auto f(int a) { return R"x(solve)x"; }', False),
        ("solve", "int f(int a, int b) { /* solve\n */ return a; }", False),
        ("solve", "// \\\nsolve\nint f(int a, int b) { return a; }", False),
        ("std::thread", "#include <thread>\nvoid f(int a) { std :: thread t(a); }", True),
        ("std::thread", "#include <thread>\nusing std::thread;\nvoid f(int a) { std::jthread t(a); }", False),
    ],
)
def test_required_names_have_to_be_used(name: str, source: str, used: bool) -> None:
    for tests in ((), ("assert(f(1) == 1);",)):
        assert (shortcoming(source, "c++", Reference(required=(name,), asserts=tests)) == "") is used


def test_python_names_in_texts_and_comments_are_not_uses() -> None:
    reference = Reference(required=("heapq.heappush",))
    assert shortcoming("import heapq\nheapq.heappush([], 1 + 2)", "python", reference) == ""
    for text in ("'heapq.heappush'", '"""\nheapq.heappush\n"""', "0  # heapq.heappush", "rb'heapq.heappush'"):
        assert "heapq.heappush" in shortcoming(f"import heapq\nvalue_of_this = {text}", "python", reference)


@pytest.mark.parametrize("piece", ['R"(', "/*", "'", '"', '"""', "main(", "using ", "import (", "#", "\\\n"])
@pytest.mark.parametrize("language", ["c++", "rust", "go", "python"])
def test_hostile_text_is_read_in_no_time(language: CodeLanguage, piece: str) -> None:
    assert len(code_tokens(piece * 20_000, language)) <= 100_000

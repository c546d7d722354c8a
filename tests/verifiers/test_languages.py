from __future__ import annotations

import pytest

from halo_forge.core.types import Message, Prompt, Reference
from halo_forge.verifiers.languages import (
    languages_of_tests,
    likeliest_languages,
    named_languages,
    narrowed,
    one_family,
    shown_languages,
)


def prompt(text: str) -> Prompt:
    return Prompt(id="p", messages=(Message(role="user", content=text),))


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("def f(x):\n    return x", "python"),
        ("import math\nprint(math.pi)", "python"),
        ("#include <iostream>\nint main() { std::cout << 1; }", "c++"),
        ("int main() { std::vector<int> v; }", "c++"),
        ('#include <stdio.h>\nint main(void) { printf("1"); }', "c"),
        ("int add(int a, int b) { return a + b; }", "c"),
        ("fn add(a: i32, b: i32) -> i32 { a + b }", "rust"),
        ("use std::io;\nfn main() { let mut s = String::new(); }", "rust"),
        ('package main\n\nimport "fmt"\n\nfunc main() { fmt.Println(1) }', "go"),
        ("x = 3", None),
        ("", None),
    ],
)
def test_marks_of_languages(code: str, language: str | None) -> None:
    assert shown_languages(code) == (frozenset() if language is None else {language})


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("Write a Python function.", {"python"}),
        ("Solve this in C++.", {"c++"}),
        ("Write a C program that adds.", {"c"}),
        ("Write it in C, please.", {"c"}),
        ("Write a C# program.", set()),
        ("Implement a stack in Rust.", {"rust"}),
        ("Let it rust in peace; go through the list.", set()),
        ("Write a Go function.", {"go"}),
        ("Translate this Python function to C++.", {"python", "c++"}),
        ("Complete:\n```go\nfunc f() {}\n```", {"go"}),
        ("Write int f(int n).", set()),
    ],
)
def test_languages_that_a_prompt_names(text: str, languages: set[str]) -> None:
    assert named_languages(prompt(text)) == languages


@pytest.mark.parametrize(
    ("reference", "languages"),
    [
        ({"asserts": ["assert f(1) == 2"]}, {"python", "go"}),
        ({"asserts": ["assert(f(1) == 2);"]}, {"python", "c", "c++", "go"}),
        ({"asserts": ["assert(f(1) == std::string{1});"]}, {"c", "c++", "go"}),
        ({"asserts": ["assert_eq!(f(1), 2);"]}, {"rust"}),
        ({"asserts": ["assert f(1) == 2", "assert_eq!(f(1), 2);"]}, set()),
        ({"asserts": ["if F(1) != 2 { t.Fatal() }"]}, {"go"}),
        ({"asserts": ["F(1) == 2"]}, {"go"}),
        ({"check": "def check(candidate):\n    assert candidate(1) == 2"}, {"python"}),
        ({"cases": [{"input": "1", "output": "2"}]}, None),
        ({}, None),
    ],
)
def test_languages_that_tests_can_be_in(reference: dict[str, object], languages: set[str] | None) -> None:
    assert languages_of_tests(Reference.model_validate(reference)) == languages


def test_hints_narrow_but_never_to_nothing() -> None:
    every = frozenset({"c", "c++", "python"})
    assert narrowed(every, frozenset({"python"}), frozenset({"rust"})) == {"python"}
    assert narrowed(every, frozenset(), frozenset({"c", "c++"})) == {"c", "c++"}
    assert one_family({"c", "c++"})
    assert one_family({"go"})
    assert not one_family({"python", "c"})
    assert not one_family(set())


def test_semicolons_tell_c_from_python() -> None:
    every = frozenset({"c", "c++", "go", "python"})
    assert likeliest_languages(["assert(f(1) == 2);"], every) == {"c", "c++"}
    assert likeliest_languages(["assert(f(1) == 2)", "assert(f(2) == 3);"], every) == {"python"}
    assert likeliest_languages(["F(1) == 2"], frozenset({"go"})) == {"go"}


@pytest.mark.parametrize("text", ["import " + "a " * 50_000, "class " + "x:" * 50_000, "int " * 50_000, "(" * 100_000])
def test_hostile_text_takes_no_long_search(text: str) -> None:
    assert shown_languages(text + "\nfn main() {}") >= {"rust"}

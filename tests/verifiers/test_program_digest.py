from __future__ import annotations

import pytest

from halo_forge.verifiers.program_digest import program_digest

SAME = {
    "c++": [
        "int f(int n) { return n * 2; }",
        "int f(int n)\n{\n    // twice\n    return n*2; /* done */\n}\n",
        "The answer:\n```cpp\nint f(int n) {\n\treturn n * 2;\n}\n```\nIt doubles n.",
        "<think>int g();</think>\n```c++\nint f(int n) { return n * 2; }\n```",
    ],
    "c": ["```c\n#include <stdio.h>\nint a;\n```", "```c\n# include <stdio.h>   // i/o\n\n\nint a ;\n```"],
    "python": [
        "def f(n):\n    return n * 2\n",
        'def f(n):\n  """Double n."""\n  # twice\n\n  return n*2',
        "```python\ndef f( n ):\n    return n * 2\n```",
    ],
    "rust": [
        "```rust\nfn f(n: i32) -> i32 { n * 2 }\n```",
        "```rs\nfn f(n:i32)->i32{\n  /* a /* b */ */ n*2 // x\n}\n```",
    ],
    "go": [
        "```go\npackage main\nfunc f(n int) int { return n * 2 }\n```",
        "```go\npackage main // m\n\nfunc f(n int) int {\n\treturn n*2\n}\n```",
    ],
    "text": ["The  answer is\n42.", "The answer is 42."],
}
DIFFERENT = [
    ("int f(int n) { return n * 2; }", "int f(int n) { return n + n; }"),
    ("int f(int n) { return n * 2; }", "int f(int m) { return m * 2; }"),
    ('int f() { puts("a  b"); }', 'int f() { puts("a b"); }'),
    ("```c\n#define A\nint b;\n```", "```c\n#define A int b;\n```"),
    ("int f() { return a+ +b; }", "int f() { return a++b; }"),
    ("def f(n):\n    if n:\n        n = 1\n    return n", "def f(n):\n    if n:\n        n = 1\n        return n"),
    ("def f():\n    return 'a'", "def f():\n    'a'\n    return"),
    ("def f():\n    x = 'a' 'b'\n", "def f():\n    x = 'a'\n"),
    ("```go\nx := `a  b`\n```", "```go\nx := `a b`\n```"),
    ("```rust\nlet x = 'a';\n```", "```rust\nlet x = 'b';\n```"),
    ("The answer is 42.", "The answer is 43."),
    ("", "x"),
]


@pytest.mark.parametrize("language", SAME)
def test_layout_comments_and_prose_do_not_make_another_program(language: str) -> None:
    assert len({program_digest(text) for text in SAME[language]}) == 1


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_the_machine_would_read_otherwise_is_another_program(one: str, other: str) -> None:
    assert program_digest(one) != program_digest(other)


@pytest.mark.parametrize(
    "text",
    ["", "```", "```python\ndef f(:\n```", "```python\nx = '''\n```", "```cpp\n\"\n```", "```rust\n/* \n```", "\ud800",
     "```python\n  a\n b\n```", "```python\n" + "(" * 3000 + "\n```", "```python\nx = 1\\\n```", "```py\n\x00\n```"],
)  # fmt: skip
def test_every_text_has_a_digest(text: str) -> None:
    assert program_digest(text) == program_digest(text)
    assert len(program_digest(text)) == 32

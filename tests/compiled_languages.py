"""The same small programs in every language that is compiled, run and tested, with what its verifier needs."""

from __future__ import annotations

from typing import Any, NamedTuple

from halo_forge.core.plugins import VerifierConfig
from halo_forge.verifiers.cpp.clang import ClangConfig
from halo_forge.verifiers.cpp.gcc import GccConfig
from halo_forge.verifiers.go.config import GoConfig
from halo_forge.verifiers.rust.config import RustConfig

SUM = {"cases": ({"input": "1 2\n", "output": "3\n"}, {"input": "5 5\n", "output": "10"})}


def fenced(code: str, fence: str = "cpp") -> str:
    """Return an answer that holds the code."""
    return f"Here you are:\n```{fence}\n{code}\n```\n"


class Language(NamedTuple):
    """One verifier's language.

    Args:
        name: the verifier's, and that of the fixture that holds it.
        install: what a person is told to install.
        told: what the verifier's version tells, beside `rules`.
        adds: asserts of a function that adds two numbers, and its name.
        good: such a function.
        sums: a program that reads two numbers and prints `a + b`.
        failing: the same, which then exits with status 1.
        hanging: the same, which never ends instead of printing.
        nothing: a `main` that does nothing.
        dying: a program that dies with the words "on purpose".
    """

    name: str
    config: type[VerifierConfig]
    fence: str
    install: str
    told: tuple[str, ...]
    adds: dict[str, Any]
    good: str
    sums: str
    failing: str
    hanging: str
    nothing: str
    dying: str

    def fenced(self, code: str) -> str:
        """Return an answer that holds the code."""
        return fenced(code, self.fence)


C_READS = '#include <cstdio>\nint main() { int a, b; if (scanf("%d %d", &a, &b) == 2) { PRINT } }'
GCC = Language(
    name="gcc",
    config=GccConfig,
    fence="cpp",
    install=r"apt-get install g\+\+",
    told=("g++", "-Wall", "cpu_s"),
    adds={"asserts": ("assert(add(2, 3) == 5);", "assert(add(-1, 1) == 0);"), "entry_point": "add"},
    good="int add(int a, int b) { return a + b; }",
    sums=C_READS.replace("PRINT", 'printf("%d  \\n\\n", a + b);'),
    failing=C_READS.replace("PRINT", 'printf("%d\\n", a + b); return 1;'),
    hanging=C_READS.replace("PRINT", "volatile int n = 0; while (n >= 0) { n = a * 0; }"),
    nothing="int main() {}",
    dying='#include <cstdio>\n#include <cstdlib>\nint main() { fputs("on purpose\\n", stderr); abort(); }',
)
CLANG = GCC._replace(
    name="clang", config=ClangConfig, install="apt-get install clang", told=("clang", "-Wall", "cpu_s")
)

RUST_READS = """use std::io::Read;
fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let parts: Vec<i32> = text.split_whitespace().map(|word| word.parse::<i32>().unwrap()).collect();
    let (a, b) = (parts[0], parts[1]);
    PRINT
}
"""
RUST = Language(
    name="rust",
    config=RustConfig,
    fence="rust",
    install="apt-get install rustc",
    told=("rustc 1.", "edition=2021", "timeout_s"),
    adds={"asserts": ("assert_eq!(add(2, 3), 5);", "assert_eq!(add(-1, 1), 0);"), "entry_point": "add"},
    good="fn add(a: i32, b: i32) -> i32 { a + b }",
    sums=RUST_READS.replace("PRINT", 'println!("{}", a + b); let _ = (a, b);'),
    failing=RUST_READS.replace("PRINT", 'println!("{}", a + b); std::process::exit(1);'),
    hanging=RUST_READS.replace("PRINT", "loop { if a * b == 77777 { break; } }"),
    nothing="fn main() {}",
    dying='fn main() { panic!("on purpose") }',
)

GO_READS = 'package main\n\nimport "fmt"\n\nfunc main() {\n\tvar a, b int\n\tfmt.Scan(&a, &b)\n\tPRINT\n}\n'
GO = Language(
    name="go",
    config=GoConfig,
    fence="go",
    install="apt-get install golang-go",
    told=("go1.", "timeout_s"),
    adds={"asserts": ("assert Add(2, 3) == 5", "if Add(-1, 1) != 0 { t.Fatal() }"), "entry_point": "Add"},
    good="package main\n\nfunc Add(a, b int) int { return a + b }",
    sums=GO_READS.replace("PRINT", "fmt.Println(a + b)"),
    failing=GO_READS.replace("PRINT", "fmt.Println(a + b)\n\tpanic(a)"),
    hanging=GO_READS.replace("PRINT", "for {\n\t\ta += b\n\t}"),
    nothing='package main\n\nimport _ "fmt"\n\nfunc main() {}',
    dying='package main\n\nfunc main() { panic("on purpose") }',
)
LANGUAGES = (GCC, CLANG, RUST, GO)

"""Warnings that a program hides are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from halo_forge.verifiers.cpp.gcc import GccConfig
from halo_forge.verifiers.cpp.hidden_warnings import without_hiding

if TYPE_CHECKING:
    from conftest import Judge

BODY = "int main() { int a = 1, b = 2; int unused; return a - b; }"
CLEAN = BODY.replace("int unused;", "")
OFF = 'GCC diagnostic ignored "-Wunused-variable"'
QUOTED = OFF.replace('"', '\\"')
TRICKS = {
    "pragma": f"#pragma {OFF}\n",
    "spaces": f"  #  pragma\t{OFF}\n",
    "comments": '/**/#/**/pragma/**/GCC/* */diagnostic/**/ignored/**/"-Wunused-variable"\n',
    "comment over lines": f"#/*\n*/pragma {OFF}\n",
    "joined lines": '#pra\\\ngma GCC diag\\\nnostic ignored "-Wunused-variable"\n',
    "joined lines with spaces": '#pra\\  \ngma GCC diagnostic ignored "-Wunused-variable"\n',
    "digraph": f"%:pragma {OFF}\n",
    "digraph joined": f"%\\\n:pragma {OFF}\n",
    "operator": f'_Pragma("{QUOTED}")\n',
    "operator in a macro": f'#define QUIET _Pragma("{QUOTED}")\nQUIET\n',
    "operator made of text": f"#define QUIET(x) _Pragma(#x)\nQUIET({OFF})\n",
    "operator under another name": f'#define P _Pragma\nP("{QUOTED}")\n',
    "operator put together": f'#define C(a, b) a##b\nC(_Prag, ma)("{QUOTED}")\n',
    "operator put together by digraphs": f'#define C(a, b) a%:%:b\nC(_P, ragma)("{QUOTED}")\n',
    "line marker": '# 1 "header.h" 3\n',
    "line marker of a system header": '# 1 "/usr/include/x.h" 1 3 4\n',
    "in a condition": f"#if 1\n#pragma {OFF}\n#endif\n",
    "after a raw string": f'const char *text = R"(\n)"; \n#pragma {OFF}\n',
}

NOT_SEEN_THROUGH = {
    "joined lines with spaces": "the compiler warns of the spaces themselves",
    "operator under another name": "what remains does not compile",
    "operator put together": "only the compiler knows",
    "operator put together by digraphs": "only the compiler knows",
}


@pytest.fixture(scope="module")
def gcc(real_sandbox: Any, judge: type[Judge]) -> Any:
    verifier = GccConfig(language="c++", precompile=False).build(real_sandbox, 2)
    yield judge(verifier)
    verifier.close()


@pytest.mark.parametrize("trick", TRICKS)
def test_hiding_a_warning_earns_no_more_than_showing_it(gcc: Judge, trick: str) -> None:
    verdict = gcc(f"```cpp\n{TRICKS[trick]}{BODY}\n```")
    assert (verdict.reward, verdict.passed) == (0.3, True), verdict.detail


@pytest.mark.parametrize("trick", [name for name in TRICKS if name not in NOT_SEEN_THROUGH])
def test_a_pragma_that_hides_nothing_costs_nothing(gcc: Judge, trick: str) -> None:
    verdict = gcc(f"```cpp\n{TRICKS[trick]}{CLEAN}\n```")
    assert verdict.reward == 0.5, verdict.detail


def test_a_file_that_includes_itself_as_a_system_header_is_seen_through(gcc: Judge) -> None:
    itself = f"#ifndef AGAIN\n#define AGAIN\n#include __FILE__\n#else\n#pragma GCC system_header\n{BODY}\n#endif\n"
    assert gcc(f"```cpp\n{itself}\n```").reward == 0.3


@pytest.mark.parametrize(
    "program",
    [
        BODY,
        '#pragma GCC optimize("O3", "unroll-loops")\n#pragma GCC target("avx2")\n' + BODY,
        "#pragma once\n#pragma omp parallel\n" + BODY,
        "// #pragma GCC diagnostic ignored\n" + BODY,
        'const char *text = "\\n#pragma GCC system_header\\n";\n' + BODY,
        'const char *text = R"(\n#pragma GCC system_header\n)";\n' + BODY,
        "#define LINE(a) a ## a\nint line = 1;\n" + BODY,
        "#if 0\n#endif\nint outline;\n" + BODY,
    ],
)
def test_other_programs_stay_as_they_are(program: str) -> None:
    assert without_hiding(program) == program


@pytest.mark.parametrize("piece", ["#pragma GCC diagnostic\n", "_Pragma(", "#/*", '#"', "_Pragma(x)", "# 1\n", "\\\n"])
def test_hostile_text_is_read_in_no_time(piece: str) -> None:
    assert without_hiding("_Pragma\n" + piece * 5_000) != ""

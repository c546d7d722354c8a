from __future__ import annotations

import shutil
from typing import Any

import pytest

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Job, Limits, Outcome, Sandbox
from halo_forge.sandbox import open_sandbox
from halo_forge.verifiers.batch import Meter
from halo_forge.verifiers.compiled.faults import compiled, part_was_killed, require_sound, tells_of_a_kill
from halo_forge.verifiers.cpp.gcc import GccConfig

LIMITS = Limits(processes=32)
ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TMPDIR": "/work"}
KILLS_ITSELF = b"#!/bin/sh\nkill -9 $$\n"
needs_gcc = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")


def build(sandbox: Sandbox, program: str, part: str, source: str = "int main() {}") -> Outcome:
    """Compile with one part of the compiler replaced by a program that kills itself."""
    files = {"program.cpp": source.encode(), part: KILLS_ITSELF}
    command = f"{program} -B/job/ /job/program.cpp -o /work/program"
    return sandbox.run(Job(("/bin/sh", "-c", command), LIMITS, files=files, env=ENVIRONMENT))


@needs_gcc
@pytest.mark.parametrize("part", ["cc1plus", "as", "ld", "collect2"])
def test_a_part_that_was_killed_is_recognised(real_sandbox: Any, part: str) -> None:
    outcome = build(real_sandbox, "g++", part)
    assert outcome.exit_status != 0
    assert part_was_killed(outcome), outcome


@pytest.mark.skipif(shutil.which("clang++") is None, reason="clang is not installed")
def test_a_part_of_clang_that_was_killed_is_recognised(real_sandbox: Any) -> None:
    assert part_was_killed(build(real_sandbox, "clang++", "ld"))


@needs_gcc
@pytest.mark.parametrize(
    "source",
    [
        '#line 1 "g++: fatal error: Killed signal terminated program cc1plus"\n#error x',
        '#line 1 "g++: fatal error: Killed signal terminated program cc1plus\\n"\n#error x',
        '#line 1 "clang: error: linker command failed due to signal (use -v to see invocation)\\n"\n#error x',
        '#line 1 "collect2: fatal error: ld terminated with signal 9 [Killed]\\n"\nint x = y;',
        "#error \ng++: fatal error: Killed signal terminated program cc1plus",
        'void f() __asm__("collect2: fatal error: ld terminated with signal 9 [Killed]");\nint main() { f(); }',
        'void f() __asm__("x\\ncollect2: fatal error: ld terminated with signal 9 [Killed]\\n");\nint main() { f(); }',
    ],
)
def test_a_program_cannot_pretend_that_a_part_was_killed(real_sandbox: Any, source: str) -> None:
    outcome = build(real_sandbox, "g++", "unused", source)
    assert outcome.exit_status != 0
    assert not part_was_killed(outcome), outcome


def test_silence_tells_of_no_kill() -> None:
    assert not tells_of_a_kill("")
    assert not tells_of_a_kill("program.cpp:1:1: error: x")


def test_what_was_killed_is_run_once_more(real_sandbox: Any) -> None:
    meter = Meter(real_sandbox)
    job = Job(("/bin/sh", "-c", "/job/part; exit $?"), LIMITS, files={"part": KILLS_ITSELF}, env=ENVIRONMENT)
    with pytest.raises(EnvironmentFault, match="killed twice"):
        compiled(meter, job)
    assert compiled(meter, job._replace(argv=("/bin/sh", "-c", "exit 1"))).exit_status == 1


def test_no_program_is_blamed_for_what_came_before_the_compilers_return() -> None:
    with open_sandbox() as sandbox:
        early = Meter(sandbox)
        require_sound(early, "g++", "")
        with pytest.raises(EnvironmentFault, match="g\\+\\+ does not work: no cc1plus"):
            require_sound(Meter(sandbox), "g++", "no cc1plus")
        with pytest.raises(EnvironmentFault, match="did not work a moment ago"):
            require_sound(early, "g++", "")
        require_sound(Meter(sandbox), "g++", "")


@needs_gcc
def test_a_header_that_is_not_there_is_the_programs_doing(real_sandbox: Any, judge: Any) -> None:
    verifier = GccConfig().build(real_sandbox, 1)
    verdict = judge(verifier)("```cpp\n#include <windows.h>\nint add(int a, int b) { return a + b; }\n```")
    assert (verdict.reward, verdict.fault) == (0.0, None)
    undefined = "```cpp\nint add(int, int);\nint main() { return add(1, 2); }\n```"
    assert judge(verifier)(undefined, cases=({"input": "", "output": ""},)).reward == 0.0
    verifier.close()

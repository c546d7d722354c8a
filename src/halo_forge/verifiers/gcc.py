"""C and C++ programs, judged by the compiler and by their tests.

| reward | earned by |
| --- | --- |
| 0.0 | no code, does not compile, or lacks the entry point the prompt names |
| 0.3 | compiles with warnings, or hides them |
| 0.5 | compiles without warnings |
| 0.7 | runs: ends with status 0, in every test if there are any |
| 1.0 | all tests correct |

Warnings decide between 0.3 and 0.5 only; a program that runs or is correct earns 0.7 or 1.0 with or without them.
`passed` means that all tests are correct; without tests, that the program ran (option `run`) or compiles.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Limits, Sandbox, Verifier

WARNINGS = ("-Wall", "-Wextra")


class GccConfig(VerifierConfig):
    """C and C++ programs: compiled, run and tested.

    Args:
        language: `auto` takes the fence's language, C++ when it names none.
        c_std: the C standard.
        cpp_std: the C++ standard.
        warnings: warning options of the compiler.
        run: run a program even when the prompt has no tests.
        timeout_s: processor seconds of one run; twice as long on the clock.
        memory_mb: memory of one run, MiB.
        compile_timeout_s: processor seconds of one compilation; twice as long on the clock.
        compile_memory_mb: memory of each process of one compilation, MiB.
    """

    language: Literal["auto", "c", "c++"] = "auto"
    c_std: str = Field(default="gnu17", pattern=r"^[a-z0-9:+]+$")
    cpp_std: str = Field(default="gnu++17", pattern=r"^[a-z0-9:+]+$")
    warnings: tuple[str, ...] = WARNINGS
    run: bool = False
    timeout_s: float = Field(default=5.0, gt=0)
    memory_mb: int = Field(default=512, ge=16)
    compile_timeout_s: float = Field(default=20.0, gt=0)
    compile_memory_mb: int = Field(default=2048, ge=256)

    def run_limits(self) -> Limits:
        """Return what one run may use."""
        return Limits(cpu_s=self.timeout_s, wall_s=2 * self.timeout_s, memory_mb=self.memory_mb, processes=16)

    def compile_limits(self) -> Limits:
        """Return what one compilation may use."""
        seconds = self.compile_timeout_s
        return Limits(cpu_s=seconds, wall_s=2 * seconds, memory_mb=self.compile_memory_mb, processes=12, disk_mb=256)

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier.

        Raises:
            EnvironmentFault: the compiler is missing or does not work.
        """
        from halo_forge.verifiers.cpp_program import CppVerifier

        return CppVerifier(self, sandbox, workers)

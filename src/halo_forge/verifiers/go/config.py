"""Go programs, judged by the compiler, by vet and by their tests.

| reward | earned by |
| --- | --- |
| 0.0 | no code, does not compile, lacks the entry point or a name the prompt requires, or is trivial (without tests) |
| 0.3 | compiles, but `go vet` has findings |
| 0.5 | compiles without findings |
| 0.7 | runs: ends with status 0, in every test if there are any |
| 1.0 | all tests correct |

Findings decide between 0.3 and 0.5 only. `passed` means that all tests are correct; without tests, that the program ran
(option `run`) or compiles, which is not linked, and for which a package without `main` will do.

Tests are whole programs' cases, or asserts as `verifiers/go/asserts.py` describes them. A program has the standard
library, without cgo and without internal packages, which is compiled once and kept under
`$XDG_CACHE_HOME/halo-forge/go`. Compiler and linker are run as `go run FILE` runs them.
"""

from __future__ import annotations

from pydantic import Field

from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Limits, Sandbox, Verifier
from halo_forge.verifiers.content import MIN_TOKENS

# Go reserves address space, which is what the limit counts, that it never uses.
RESERVED_MB = 1024
PROCESSES = 64


class GoConfig(VerifierConfig):
    """Go programs: compiled, run and tested.

    Args:
        run: run a program even when the prompt has no tests.
        min_tokens: what has no tests earns nothing below so many tokens of code; 0 accepts anything.
        timeout_s: processor seconds of one run; twice as long on the clock.
        memory_mb: memory of one run, MiB.
        compile_timeout_s: processor seconds of one compilation; twice as long on the clock.
        compile_memory_mb: memory of each process of one compilation, MiB.
    """

    run: bool = False
    min_tokens: int = Field(default=MIN_TOKENS, ge=0)
    timeout_s: float = Field(default=5.0, gt=0)
    memory_mb: int = Field(default=512, ge=16)
    compile_timeout_s: float = Field(default=20.0, gt=0)
    compile_memory_mb: int = Field(default=1024, ge=256)

    def run_limits(self) -> Limits:
        """Return what one run may use."""
        seconds, memory_mb = self.timeout_s, self.memory_mb + RESERVED_MB
        return Limits(cpu_s=seconds, wall_s=2 * seconds, memory_mb=memory_mb, processes=PROCESSES)

    def compile_limits(self) -> Limits:
        """Return what one compilation may use."""
        seconds, memory_mb = self.compile_timeout_s, self.compile_memory_mb + RESERVED_MB
        return Limits(
            cpu_s=seconds, wall_s=2 * seconds, memory_mb=memory_mb, processes=PROCESSES, open_files=512, disk_mb=256
        )

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier.

        Raises:
            EnvironmentFault: Go is missing or does not work.
        """
        from halo_forge.verifiers.go.program import go_verifier

        return go_verifier(self, sandbox, workers)

    def check(self, sandbox: Sandbox) -> None:
        """Look for the toolchain, without compiling its standard library.

        Raises:
            EnvironmentFault: Go is missing or does not work.
        """
        from halo_forge.verifiers.go.library import find_installed

        del sandbox
        find_installed()

"""C and C++ programs for Windows, judged by MinGW-w64 alone: what it makes cannot be run here.

| reward | earned by |
| --- | --- |
| 0.0 | no code, does not compile or link, lacks the entry point or a name the prompt requires, or is trivial |
| 0.3 | compiles with warnings, shown or hidden |
| 0.5 | compiles without warnings |

A program without `main`, `wmain` or `WinMain` is compiled and not linked. Prompts with tests are a fault, since the
tests would not be run, unless `compile_only` says that compiling is all that is asked.
"""

from __future__ import annotations

from halo_forge.core.protocols import Sandbox, Verifier
from halo_forge.verifiers.cpp.config import CompiledConfig


class MingwConfig(CompiledConfig):
    """C and C++ programs for Windows: compiled by MinGW-w64, never run.

    Args:
        compile_only: judge programs whose prompts have tests by compiling alone.
    """

    toolchain = "mingw"

    compile_only: bool = False

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier.

        Raises:
            EnvironmentFault: the compiler is missing or does not work.
        """
        from halo_forge.verifiers.cpp.mingw_program import MingwVerifier

        return MingwVerifier(self, sandbox, workers)

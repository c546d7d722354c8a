"""The settings that the verifiers of C and C++ programs share."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Limits, Sandbox, Verifier
from halo_forge.verifiers.content import MIN_TOKENS
from halo_forge.verifiers.cpp.driver import Language
from halo_forge.verifiers.cpp.toolchains import ToolchainName

WARNINGS = ("-Wall", "-Wextra")
STANDARD = r"^(?:c|gnu|iso)[a-z0-9:+]+$"
HEADERS_MB = 4096


class CompiledConfig(VerifierConfig):
    """C and C++ programs that are compiled.

    Args:
        language: `auto` takes the fence's language, C++ when it names none.
        std: the standard of the language it belongs to, such as `c++20` or `c11`; goes before `c_std` and `cpp_std`.
        c_std: the C standard.
        cpp_std: the C++ standard.
        warnings: warning options of the compiler.
        min_tokens: what is only compiled earns nothing below so many tokens of code; 0 accepts anything.
        compile_timeout_s: processor seconds of one compilation; twice as long on the clock.
        compile_memory_mb: memory of each process of one compilation, MiB.
        precompile: whether headers are precompiled to fit the programs; it changes no verdict.
        headers_mb: disk space of all precompiled headers of this user, MiB.
    """

    toolchain: ClassVar[ToolchainName]

    language: Literal["auto", "c", "c++"] = "auto"
    std: str | None = Field(default=None, pattern=STANDARD)
    c_std: str = Field(default="gnu17", pattern=STANDARD)
    cpp_std: str = Field(default="gnu++17", pattern=STANDARD)
    warnings: tuple[str, ...] = WARNINGS
    min_tokens: int = Field(default=MIN_TOKENS, ge=0)
    compile_timeout_s: float = Field(default=20.0, gt=0)
    compile_memory_mb: int = Field(default=2048, ge=256)
    precompile: bool = True
    headers_mb: int = Field(default=HEADERS_MB, ge=1)

    def standard(self, language: Language) -> str:
        """Return the standard of a language."""
        if self.std and (language == "c++") == ("+" in self.std):
            return self.std
        return self.cpp_std if language == "c++" else self.c_std

    def compile_limits(self) -> Limits:
        """Return what one compilation may use."""
        seconds = self.compile_timeout_s
        return Limits(cpu_s=seconds, wall_s=2 * seconds, memory_mb=self.compile_memory_mb, processes=12, disk_mb=256)


class RunnableConfig(CompiledConfig):
    """C and C++ programs that are compiled, run and tested.

    Args:
        run: run a program even when the prompt has no tests.
        timeout_s: processor seconds of one run; twice as long on the clock.
        memory_mb: memory of one run, MiB.
    """

    run: bool = False
    timeout_s: float = Field(default=5.0, gt=0)
    memory_mb: int = Field(default=512, ge=16)

    def run_limits(self) -> Limits:
        """Return what one run may use."""
        return Limits(cpu_s=self.timeout_s, wall_s=2 * self.timeout_s, memory_mb=self.memory_mb, processes=16)

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier.

        Raises:
            EnvironmentFault: the compiler is missing or does not work.
        """
        from halo_forge.verifiers.cpp.program import CppVerifier

        return CppVerifier(self, sandbox, workers)

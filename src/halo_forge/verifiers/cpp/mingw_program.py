"""The verifier behind `mingw`: programs are compiled and linked for Windows, and never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from halo_forge.core.protocols import Sandbox
from halo_forge.core.types import Reference, Stage
from halo_forge.verifiers.batch import Meter, Ruling, UnsupportedTests
from halo_forge.verifiers.cpp.compilation import CompilingVerifier, Source, compile_reward, refused
from halo_forge.verifiers.cpp.driver import defines

if TYPE_CHECKING:
    from halo_forge.verifiers.cpp.mingw import MingwConfig

STARTS = ("main", "wmain", "WinMain", "wWinMain")


class MingwVerifier(CompilingVerifier):
    """Judges C and C++ programs for Windows by their compilation.

    Args:
        config: the options.
        sandbox: where the compiler runs.
        workers: submissions judged at the same time.

    Raises:
        EnvironmentFault: the compiler is missing or does not work.
    """

    def __init__(self, config: MingwConfig, sandbox: Sandbox, workers: int) -> None:
        super().__init__(config, sandbox, workers, f"compile_only={config.compile_only}")
        self._compile_only = config.compile_only

    def judge(self, reference: Reference, text: str, meter: Meter) -> Ruling:
        """Judge one completion.

        Raises:
            EnvironmentFault: the machine failed.
            UnsupportedTests: there are tests, and compiling alone was not asked for.
        """
        if reference.has_tests and not self._compile_only:
            raise UnsupportedTests(
                "programs for Windows are not run here: give the option compile_only=true to judge compiling alone"
            )
        untested = Reference(entry_point=reference.entry_point, required=reference.required)
        return super().judge(untested, text, meter)

    def _judged(self, reference: Reference, source: Source, meter: Meter) -> Ruling:
        if not any(defines(source.code, start) for start in STARTS):
            return self._compiled_alone(reference.entry_point, source, meter, what="compiles for Windows, not run")
        build = self._built(source, meter, reference.entry_point, link=True)
        if not build.ok or source.lacks(reference.entry_point):
            return refused(build, reference.entry_point)
        detail = f"compiles and links for Windows, not run {build.detail}"
        return Ruling(compile_reward(build), passed=True, stage=Stage.COMPILE, detail=detail)

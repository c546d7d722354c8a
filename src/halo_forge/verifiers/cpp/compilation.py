"""What the verifiers of C and C++ share: taking out the code, compiling it, and what that alone can earn."""

from __future__ import annotations

import logging
import re
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Sandbox, Submission
from halo_forge.core.types import Reference, Stage
from halo_forge.verifiers.batch import Meter, ProgramVerifier, Ruling
from halo_forge.verifiers.content import shortcoming
from halo_forge.verifiers.cpp.compiler import Build, Compiler
from halo_forge.verifiers.cpp.config import CompiledConfig
from halo_forge.verifiers.cpp.driver import Language, defines, entry_probe
from halo_forge.verifiers.cpp.headers import Headers, header_root
from halo_forge.verifiers.cpp.include_block import leading_block
from halo_forge.verifiers.cpp.toolchains import TOOLCHAINS
from halo_forge.verifiers.extract import extract_code

logger = logging.getLogger(__name__)

RULES = 3
FENCES: dict[str, Language] = {
    "c": "c", "h": "c", "cpp": "c++", "c++": "c++", "cc": "c++", "cxx": "c++", "hpp": "c++",
}  # fmt: skip
PLAIN_NAME = re.compile(r"[A-Za-z_]\w*")
WARNED, CLEAN = 0.3, 0.5


class Source(NamedTuple):
    """The program of a completion."""

    code: str
    language: Language

    def lacks(self, entry_point: str | None) -> bool:
        """Tell whether it does not define the function it has to."""
        return entry_point is not None and not defines(self.code, entry_point.rpartition("::")[2])


class CompilingVerifier(ProgramVerifier):
    """Judges C and C++ programs; subclasses say what is asked of one that has passed the checks of its text.

    Args:
        config: the options.
        sandbox: where the compiler runs.
        workers: submissions judged at the same time.
        rules: further options that change verdicts.

    Raises:
        EnvironmentFault: the compiler is missing or does not work.
    """

    def __init__(self, config: CompiledConfig, sandbox: Sandbox, workers: int, rules: str) -> None:
        limits = config.compile_limits()
        needed: tuple[Language, ...] = ("c++", "c") if config.language == "auto" else (config.language,)
        toolchain = TOOLCHAINS[config.toolchain]
        self._compilers = {
            name: Compiler(toolchain, name, config.standard(name), config.warnings, limits) for name in needed
        }
        for compiler in self._compilers.values():
            compiler.prepare(Meter(sandbox))
            if config.precompile:
                compiler.headers = _headers(config, compiler, sandbox)
        self._language = config.language
        self._min_tokens = config.min_tokens
        versions = "; ".join(compiler.version for compiler in self._compilers.values())
        version = f"{config.toolchain} rules {RULES}; {versions}; {rules}; min_tokens={config.min_tokens}; {limits!r}"
        super().__init__(config.toolchain, version, sandbox, workers)

    def prepare(self, submissions: Sequence[Submission]) -> None:
        """Precompile the headers that pay for these programs."""
        blocks: dict[Language, list[tuple[str, ...]]] = {}
        for text in dict.fromkeys(submission.text for submission in submissions):
            source = self._source(text)
            blocks.setdefault(source.language, []).append(leading_block(source.code))
        tasks: list[Callable[[], None]] = []
        for language, found in blocks.items():
            headers = self._compilers[language].headers
            tasks += headers.wanted(found) if headers else []
        for future in [self._pool.submit(task) for task in tasks]:
            future.result()

    def judge(self, reference: Reference, text: str, meter: Meter) -> Ruling:
        """Judge one completion.

        Raises:
            EnvironmentFault: the machine failed.
            UnsupportedTests: the tests are not of a kind that is checked here.
        """
        source = self._source(text)
        if not source.code:
            return Ruling(0.0, passed=False, stage=Stage.PARSE, detail="the answer holds no code")
        fault = shortcoming(source.code, source.language, reference, self._min_tokens)
        if fault:
            return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=fault)
        return self._judged(reference, source, meter)

    @abstractmethod
    def _judged(self, reference: Reference, source: Source, meter: Meter) -> Ruling:
        """Judge a program whose text is not reason enough to refuse it."""

    def _source(self, text: str) -> Source:
        code, fence = extract_code(text, FENCES)
        return Source(code, FENCES.get(fence, "c++") if self._language == "auto" else self._language)

    def _built(self, source: Source, meter: Meter, entry_point: str | None = None, *, link: bool) -> Build:
        """Compile a program, and with it that it declares the entry point, where one is given."""
        probe = _probe(entry_point, source.language)
        return self._compilers[source.language].build(meter, source.code, probe, link=link)

    def _compiled_alone(self, entry_point: str | None, source: Source, meter: Meter, what: str = "compiles") -> Ruling:
        """Judge the syntax alone: undefined functions and a missing `main` go unnoticed."""
        build = self._built(source, meter, entry_point, link=False)
        if not build.ok or source.lacks(entry_point):
            return refused(build, entry_point)
        detail = f"{what} (syntax checked, not linked) {build.detail}"
        return Ruling(compile_reward(build), passed=True, stage=Stage.COMPILE, detail=detail)


def refused(build: Build, entry_point: str | None) -> Ruling:
    """Return the ruling on a program that does not build, or builds without its entry point."""
    detail = f"does not define {entry_point}" if build.ok else build.detail
    return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=detail)


def compile_reward(build: Build) -> float:
    """Return what a program earns by compiling."""
    return WARNED if build.warned else CLEAN


def _probe(entry_point: str | None, language: Language) -> str:
    if entry_point is None or entry_point == "main" or not PLAIN_NAME.fullmatch(entry_point):
        return ""
    return entry_probe(entry_point, language)


def _headers(config: CompiledConfig, compiler: Compiler, sandbox: Sandbox) -> Headers | None:
    """Return the precompiled headers of a compiler; None, with a warning, where none can be kept."""
    toolchain = TOOLCHAINS[config.toolchain]
    try:
        return Headers(toolchain, compiler.invocation, sandbox, header_root(), config.headers_mb << 20)
    except EnvironmentFault as error:
        logger.warning("programs are compiled without precompiled headers: %s", error)
        return None

"""The verifier behind `rust`: what Rust adds to the verifiers of compiled programs."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from halo_forge.core.protocols import Job, Limits, Sandbox
from halo_forge.verifiers.batch import Meter, UnsupportedTests
from halo_forge.verifiers.compiled.asserts import Check, Test
from halo_forge.verifiers.compiled.language import Answer, Build, Expected
from halo_forge.verifiers.compiled.printed_values import Shown, read_report
from halo_forge.verifiers.compiled.program import CompiledVerifier
from halo_forge.verifiers.content import CodeLanguage
from halo_forge.verifiers.program_io import ending
from halo_forge.verifiers.rust.asserts import read_rust_tests
from halo_forge.verifiers.rust.compiler import RustCompiler
from halo_forge.verifiers.rust.crates import build_crates
from halo_forge.verifiers.rust.driver import (
    defines_body,
    evaluator,
    has_main,
    plain_program,
    solid_program,
    with_driver,
    with_probe,
    writable_type,
)
from halo_forge.verifiers.rust.rustc import Rustc, find_rustc
from halo_forge.verifiers.source_tokens import Dialect, source_tokens

if TYPE_CHECKING:
    from halo_forge.verifiers.rust.config import RustConfig

RULES = 3
BODYLESS = {"struct", "enum", "trait", "type", "const", "static", "union", "mod"}
# Errors of an expression whose type only the program's side decides.
UNDECIDED = {"E0282", "E0283", "E0284", "E0689", "E0790", "overflowing_literals", "arithmetic_overflow"}
INTEGER = re.compile(r"(-?\d[\d_]*?)_?((?:[iu](?:8|16|32|64|128|size))?)")
FLOAT = re.compile(r"(-?\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?|-?\d[\d_]*\.)_?((?:f64)?)")
TEXT = re.compile(r'"[ !#-\[\]-~]*"')
CHARACTER = re.compile(r"'[ !-&(-\[\]-~]'")
UNTYPED_NOT = re.compile(r"!\s*[\d_]+(?!\w)")
TEXT_TYPES = {"&str", "alloc::string::String"}
LIST = re.compile(r"&*(?:Vec<(?P<vec>.+)>|\[(?P<slice>.+?)(?:; \d+)?\])")
BITS = {"8": 8, "16": 16, "32": 32, "64": 64, "128": 128, "size": 64}


def rust_verifier(config: RustConfig, sandbox: Sandbox, workers: int) -> CompiledVerifier:
    """Make the verifier.

    Raises:
        EnvironmentFault: rustc is missing or does not work, or a crate cannot be built.
    """
    rustc = find_rustc()
    crates = build_crates(rustc, config.crates, config.vendor, sandbox, config.crates_timeout_s)
    compiler = RustCompiler(rustc, config.edition, config.compile_limits(), crates)
    compiler.prepare(Meter(sandbox))
    toolchain = RustToolchain(rustc, compiler, config.run_limits())
    built = crates.folder.name if crates.folder else "none"
    version = f"rust rules {RULES}; {compiler.version}; crates {built}; {config!r}"
    return CompiledVerifier(
        "rust", version, toolchain, run=config.run, min_tokens=config.min_tokens, sandbox=sandbox, workers=workers
    )


class RustToolchain:
    """Rust, as `Toolchain` describes a language.

    Args:
        rustc: the toolchain.
        compiler: compiles with it.
        run_limits: what one run may use.
    """

    language = "Rust"
    content_language: CodeLanguage = "rust"
    dialect: Dialect = "rust"
    fences = frozenset({"rust", "rs"})

    def __init__(self, rustc: Rustc, compiler: RustCompiler, run_limits: Limits) -> None:
        self._rustc = rustc
        self._compiler = compiler
        self._run_limits = run_limits

    def read_tests(self, texts: tuple[str, ...], entry_point: str | None) -> tuple[Test, ...]:
        """Take test statements apart; raises UnsupportedTests."""
        return read_rust_tests(texts, entry_point)

    def defines(self, program: str, entry_point: str) -> bool:
        """Tell whether the text holds a definition of that name, with a body if it is a function."""
        name = entry_point.rpartition("::")[2]
        parts = solid_program(program)
        if defines_body(parts, name):
            return True
        return any(parts[at].text == name and parts[at - 1].text in BODYLESS for at in range(1, len(parts)))

    def check(self, meter: Meter, program: str, entry_point: str | None) -> Build:
        """Check types and borrows."""
        program = plain_program(program)
        return self._built(meter, program, with_probe(program, entry_point), link=False, library=bool(entry_point))

    def link(self, meter: Meter, program: str) -> Build:
        """Make a binary of a whole program."""
        program = plain_program(program)
        return self._built(meter, program, program, link=True)

    def link_tests(self, meter: Meter, program: str, setup: str, tests: tuple[Test, ...]) -> Build:
        """Make a binary that prints the program's side of each check."""
        program = plain_program(program)
        source = with_driver(program, setup, tests, compare=False)
        return self._built(meter, program, source, link=True, library=True)

    def accepts(
        self, meter: Meter, program: str, setup: str, tests: tuple[Test, ...], doubtful: Collection[Check]
    ) -> Build:
        """Type-check all assertions beside the program."""
        del doubtful
        program = plain_program(program)
        source = with_driver(program, setup, tests, compare=True)
        build, _ = self._compiler.build(meter, source, lines=_lines(program), link=False, lints=False)
        return build

    def require_evaluable(self, meter: Meter, setup: str, texts: tuple[str, ...]) -> None:
        """Raise UnsupportedTests when an expected side needs the program, or its meaning needs the program's type."""
        for text in texts:
            if UNTYPED_NOT.search(text):
                raise UnsupportedTests(f"what `{text}` is depends on its type: write it with a suffix, such as !0u32")
        found = self._compiler.errors(meter, evaluator(setup, [_show(text) for text in texts]))
        wrong = [error for error in found if error.code not in UNDECIDED]
        if wrong:
            raise UnsupportedTests(f"expected values cannot be computed without the program: {wrong[0].text}")

    def evaluate(self, meter: Meter, setup: str, wanted: tuple[Expected, ...]) -> list[Answer | None]:
        """Compute expected sides, with the type of the program's side where that type can be written."""
        types = [writable_type(side.type_name) for side in wanted]
        pairs = list(zip(wanted, types, strict=True))
        with suppress(UnsupportedTests):  # one that fails as the program's type may not fail as its own
            shown = self._shown(meter, setup, [_typed(side.text, name) for side, name in pairs])
            if shown is not None:
                return [_answer(line, side, name) for line, (side, name) in zip(shown, pairs, strict=True)]
        return [self._evaluate_one(meter, setup, side, name) for side, name in pairs]

    def literal(self, wanted: Expected) -> Answer | None:
        """Read an expected side that is a plain literal."""
        text, kind = wanted
        if match := INTEGER.fullmatch(text):
            value = int(match[1].replace("_", ""))
            return Answer(value, _holds_integer(kind, value) and match[2] in ("", kind))
        if (match := FLOAT.fullmatch(text)) and kind != "f32":
            return Answer(float(match[1].replace("_", "")), kind == "f64")
        if TEXT.fullmatch(text):
            return Answer(text, kind in TEXT_TYPES)
        if CHARACTER.fullmatch(text):
            return Answer(text, kind == "char")
        if text in ("true", "false"):
            return Answer(text, kind == "bool")
        return Answer("None", kind.startswith("core::option::Option<")) if text == "None" else None

    def warning(self, meter: Meter, program: str, build: Build) -> str:
        """Return the first warning, which the build has told."""
        del meter, program
        return build.detail

    def job(self, binary: bytes) -> Job:
        """Return the job that runs a binary."""
        environment = {"LD_LIBRARY_PATH": self._rustc.libraries, "TOKIO_WORKER_THREADS": "4", "RUST_BACKTRACE": "0"}
        files = {"program": binary}
        return Job(("/job/program",), self._run_limits, files=files, mounts=self._rustc.run_mounts, env=environment)

    def last_words(self, stderr: bytes) -> bytes:
        """Leave out the hint that follows a panic's message."""
        return b"\n".join(line for line in stderr.splitlines() if not line.startswith(b"note: "))

    def _built(self, meter: Meter, program: str, source: str, *, link: bool, library: bool = False) -> Build:
        library = library or not has_main(source_tokens(program, "rust"))
        build, warning = self._compiler.build(meter, source, lines=_lines(program), link=link, library=library)
        return build._replace(detail=warning) if build.ok else build

    def _evaluate_one(self, meter: Meter, setup: str, side: Expected, name: str | None) -> Answer | None:
        """Compute one expected side: as the type, as a list of the type's elements, or as it is.

        The type is the program's to choose, so an overflow or a panic in it does not make the tests unsupported.

        Raises:
            UnsupportedTests: it fails as it is.
        """
        ways = [_typed(side.text, name)] if name else []
        listed = LIST.fullmatch(name or "")
        if listed:
            ways.append(f"halo_forge_driver::elements::<{listed['vec'] or listed['slice']}, _>({side.text});")
        for number, way in enumerate(ways):
            with suppress(UnsupportedTests):
                shown = self._shown(meter, setup, [way])
                if shown is not None:
                    return _answer(shown[0], side, name if number == 0 else None)
        shown = self._shown(meter, setup, [_show(side.text)])
        return None if shown is None else _answer(shown[0], side, None)

    def _shown(self, meter: Meter, setup: str, shows: list[str]) -> list[Shown] | None:
        """Run statements that print a value each; None when they do not compile.

        Raises:
            UnsupportedTests: they do not run to their end.
        """
        build, _ = self._compiler.build(meter, evaluator(setup, shows), lines=0, link=True, lints=False)
        if not build.ok:
            return None
        outcome = meter.run(self.job(build.binary)._replace(report=True))
        lines = read_report(outcome.report)
        if outcome.exit_status != 0 or len(lines) != len(shows):
            raise UnsupportedTests(f"expected values cannot be computed: {ending(outcome)}")
        return lines


def _lines(program: str) -> int:
    return program.count("\n") + 1


def _show(text: str) -> str:
    return f"halo_forge_driver::show(&({text}));"


def _typed(text: str, name: str | None) -> str:
    return f"{{ let value: {name} = {text}; halo_forge_driver::show(&value); }}" if name else _show(text)


def _answer(shown: Shown, side: Expected, name: str | None) -> Answer:
    return Answer(shown.value, name is not None or shown.type_name == side.type_name)


def _holds_integer(kind: str, value: int) -> bool:
    """Tell whether a value lies in the range of an integer type."""
    if not kind or kind[0] not in "iu" or kind[1:] not in BITS:
        return False
    bits = BITS[kind[1:]]
    return 0 <= value < 1 << bits if kind[0] == "u" else -(1 << (bits - 1)) <= value < 1 << (bits - 1)

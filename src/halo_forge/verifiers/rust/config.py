"""Rust programs, judged by the compiler and by their tests.

| reward | earned by |
| --- | --- |
| 0.0 | no code, does not compile, lacks the entry point or a name the prompt requires, or is trivial (without tests) |
| 0.3 | compiles with warnings, hidden ones too |
| 0.5 | compiles without warnings |
| 0.7 | runs: ends with status 0, in every test if there are any |
| 1.0 | all tests correct |

Warnings decide between 0.3 and 0.5 only. `passed` means that all tests are correct; without tests, that the program ran
(option `run`) or compiles, which is type-checked and not linked, with or without a `main`.

Tests are whole programs' cases, or asserts: `assert!`, `assert_eq!` and `assert_ne!`, with other statements between
them, and with `.await` where tokio is among the crates. Values are compared as `Debug` prints them.

Crates are those of the option `crates`, built once from a folder of vendored sources and kept under
`$XDG_CACHE_HOME/halo-forge/crates`; a manifest inside a completion is not read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Limits, Sandbox, Verifier
from halo_forge.verifiers.content import MIN_TOKENS

DEBIAN_CRATES = Path("/usr/share/cargo/registry")
CRATE = re.compile(r"(?P<name>[A-Za-z][\w-]*)(?:@(?P<version>[\w.^~=*-]+))?(?::(?P<features>[\w+-]+))?")
RUN_PROCESSES = 64


class RustConfig(VerifierConfig):
    """Rust programs: compiled, run and tested, with crates from a folder.

    Args:
        edition: the language edition.
        crates: what programs may use: `NAME`, `NAME@VERSION` or `NAME:FEATURE+FEATURE`, such as `tokio:full`.
        vendor: the folder of crate sources: made by `cargo vendor`, or Debian's of the packages `librust-…-dev`.
        run: run a program even when the prompt has no tests.
        min_tokens: what has no tests earns nothing below so many tokens of code; 0 accepts anything.
        timeout_s: processor seconds of one run; twice as long on the clock.
        memory_mb: memory of one run, MiB.
        compile_timeout_s: processor seconds of one compilation; twice as long on the clock.
        compile_memory_mb: memory of each process of one compilation, MiB.
        crates_timeout_s: processor seconds of each process that builds the crates; twice as long on the clock for all.
    """

    edition: Literal["2018", "2021", "2024"] = "2021"
    crates: tuple[str, ...] = ()
    vendor: Path = DEBIAN_CRATES
    run: bool = False
    min_tokens: int = Field(default=MIN_TOKENS, ge=0)
    timeout_s: float = Field(default=5.0, gt=0)
    memory_mb: int = Field(default=512, ge=64)
    compile_timeout_s: float = Field(default=20.0, gt=0)
    compile_memory_mb: int = Field(default=2048, ge=512)
    crates_timeout_s: float = Field(default=900.0, gt=0)

    @field_validator("crates", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """Take `tokio:full,anyhow` for a list."""
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("crates")
    @classmethod
    def _well_formed(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for crate in value:
            if not CRATE.fullmatch(crate):
                raise ValueError(f"'{crate}' is not NAME, NAME@VERSION or NAME:FEATURE+FEATURE, such as tokio:full")
        return value

    def run_limits(self) -> Limits:
        """Return what one run may use."""
        seconds = self.timeout_s
        return Limits(cpu_s=seconds, wall_s=2 * seconds, memory_mb=self.memory_mb, processes=RUN_PROCESSES)

    def compile_limits(self) -> Limits:
        """Return what one compilation may use."""
        seconds = self.compile_timeout_s
        return Limits(cpu_s=seconds, wall_s=2 * seconds, memory_mb=self.compile_memory_mb, disk_mb=256)

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier.

        Raises:
            EnvironmentFault: rustc is missing or does not work, or a crate cannot be built.
        """
        from halo_forge.verifiers.rust.program import rust_verifier

        return rust_verifier(self, sandbox, workers)

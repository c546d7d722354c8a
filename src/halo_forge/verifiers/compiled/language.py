"""What a compiled language has to offer to be judged by `CompiledVerifier`."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from halo_forge.core.protocols import Job
from halo_forge.verifiers.batch import Meter
from halo_forge.verifiers.compiled.asserts import Check, Test
from halo_forge.verifiers.compiled.printed_values import Value
from halo_forge.verifiers.content import CodeLanguage
from halo_forge.verifiers.source_tokens import Dialect


class Build(NamedTuple):
    """What a compiler made of a source.

    Args:
        binary: the program, empty when it does not build or was not linked.
        ok: it builds.
        detail: the first error, or the first warning.
        in_program: the first error is in the program, not in the tests beside it.
    """

    binary: bytes
    ok: bool
    detail: str = ""
    in_program: bool = True


class Expected(NamedTuple):
    """An expected side that had to be computed.

    Args:
        text: the expression.
        type_name: the type of the program's side, as it reports it.
    """

    text: str
    type_name: str


class Answer(NamedTuple):
    """The value of an expected side.

    Args:
        value: what it is.
        fits: whether it is known to be comparable with the program's side.
    """

    value: Value
    fits: bool


class Toolchain(Protocol):
    """What a compiled language adds.

    Every method that compiles raises EnvironmentFault when the compiler does not work any more.
    """

    @property
    def language(self) -> str:
        """Its name, for a person."""
        ...

    @property
    def content_language(self) -> CodeLanguage:
        """Its name, for the check that a program is not trivial."""
        ...

    @property
    def dialect(self) -> Dialect:
        """Its name, for reading its text."""
        ...

    @property
    def fences(self) -> Collection[str]:
        """The languages of fences that hold it, in lower case."""
        ...

    def read_tests(self, texts: tuple[str, ...], entry_point: str | None) -> tuple[Test, ...]:
        """Take test statements apart; raises UnsupportedTests."""
        ...

    def defines(self, program: str, entry_point: str) -> bool:
        """Tell whether the text holds a definition of that name."""
        ...

    def check(self, meter: Meter, program: str, entry_point: str | None) -> Build:
        """Compile without linking; a program without `main` may pass."""
        ...

    def link(self, meter: Meter, program: str) -> Build:
        """Make a binary of a whole program."""
        ...

    def link_tests(self, meter: Meter, program: str, setup: str, tests: tuple[Test, ...]) -> Build:
        """Make a binary that prints the program's side of each check instead of running `main`."""
        ...

    def accepts(
        self, meter: Meter, program: str, setup: str, tests: tuple[Test, ...], doubtful: Collection[Check]
    ) -> Build:
        """Compile, without making anything that could run, at least the doubtful comparisons beside the program."""
        ...

    def require_evaluable(self, meter: Meter, setup: str, texts: tuple[str, ...]) -> None:
        """Raise UnsupportedTests when an expected side needs the program."""
        ...

    def evaluate(self, meter: Meter, setup: str, wanted: tuple[Expected, ...]) -> list[Answer | None]:
        """Compute expected sides without the program; None for one that has no value of such a type."""
        ...

    def literal(self, wanted: Expected) -> Answer | None:
        """Read an expected side that is a plain literal; None for any other."""
        ...

    def warning(self, meter: Meter, program: str, build: Build) -> str:
        """Return the first warning about a program that compiles, or `""`."""
        ...

    def job(self, binary: bytes) -> Job:
        """Return the job that runs a binary."""
        ...

    def last_words(self, stderr: bytes) -> bytes:
        """Return what a person needs to see of a program's dying words."""
        ...

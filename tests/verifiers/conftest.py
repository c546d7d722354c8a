from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Exchange, Job, Outcome, Python, Sandbox, Submission, Verifier
from halo_forge.core.types import Message, Prompt, Reference, Verdict
from halo_forge.sandbox import open_sandbox
from halo_forge.verifiers.cpp.clang import ClangConfig
from halo_forge.verifiers.cpp.gcc import GccConfig
from halo_forge.verifiers.go.config import GoConfig
from halo_forge.verifiers.rust.config import RustConfig

SHARED = Path(__file__).resolve().parents[3] / "shared"


class BreakableSandbox:
    """A real sandbox that fails once it is told to."""

    def __init__(self, inner: Sandbox) -> None:
        self.inner = inner
        self.broken = False
        self.runs = 0

    @property
    def tier(self) -> str:
        return self.inner.tier

    @property
    def python(self) -> Python:
        return self.inner.python

    def run(self, job: Job) -> Outcome:
        self._check()
        return self.inner.run(job)

    def converse(self, judge: Job, candidate: Job) -> Exchange:
        self._check()
        return self.inner.converse(judge, candidate)

    def close(self) -> None:
        self.inner.close()

    def _check(self) -> None:
        self.runs += 1
        if self.broken:
            raise EnvironmentFault("the sandbox could not be set up: broken on purpose")


@pytest.fixture(scope="session")
def real_sandbox() -> Iterator[Sandbox]:
    with open_sandbox() as opened:
        yield opened


@pytest.fixture
def sandbox(real_sandbox: Sandbox) -> BreakableSandbox:
    return BreakableSandbox(real_sandbox)


@pytest.fixture
def kept_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Go's standard library, which takes most of a minute to compile, from one session of tests to the next."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(toolchains_of(request)))


def toolchains_of(request: pytest.FixtureRequest) -> Path:
    return request.config.cache.mkdir("toolchains")


@pytest.fixture(scope="session")
def gcc(real_sandbox: Sandbox) -> Iterator[Judge]:
    with Judge.of(GccConfig(timeout_s=1, compile_timeout_s=3), real_sandbox) as judge:
        yield judge


@pytest.fixture(scope="session")
def clang(real_sandbox: Sandbox) -> Iterator[Judge]:
    with Judge.of(ClangConfig(timeout_s=1, compile_timeout_s=3), real_sandbox) as judge:
        yield judge


@pytest.fixture(scope="session")
def rust(real_sandbox: Sandbox) -> Iterator[Judge]:
    with Judge.of(RustConfig(timeout_s=1, compile_timeout_s=5), real_sandbox) as judge:
        yield judge


@pytest.fixture(scope="session")
def go(request: pytest.FixtureRequest, real_sandbox: Sandbox) -> Iterator[Judge]:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        patch.setenv("XDG_CACHE_HOME", str(toolchains_of(request)))
        judge = opened.enter_context(Judge.of(GoConfig(timeout_s=1, compile_timeout_s=5), real_sandbox))
        patch.undo()
        yield judge


@pytest.fixture(scope="session")
def attacks() -> Path:
    folder = SHARED / "attacks"
    if not folder.is_dir():
        pytest.skip("../shared/attacks is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def judge() -> type[Judge]:
    return Judge


class Judge:
    """Shorthand for verdicts of one verifier."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier

    @classmethod
    @contextmanager
    def of(cls, config: VerifierConfig, sandbox: Sandbox) -> Iterator[Judge]:
        """Build a verifier with two workers, and close it in the end."""
        verifier = config.build(sandbox, 2)
        try:
            yield cls(verifier)
        finally:
            verifier.close()

    def withstand(self, text: str, *references: dict[str, Any]) -> None:
        """Have an attack judged; it neither passes nor leaves anything behind, and is no fault of ours."""
        for reference in references:
            verdict = self(text, **reference)
            assert verdict.fault is None or "too busy" in verdict.fault
            assert not verdict.passed
            assert len(verdict.detail) < 1000
        descendants = psutil.Process().children(recursive=True)
        assert not [process for process in descendants if process.name() == "program"]

    def __call__(self, text: str, **reference: object) -> Verdict:
        return self.all(text, **reference)[0]

    def all(self, *texts: str, **reference: object) -> list[Verdict]:
        prompt = Prompt(
            id="p", messages=(Message(role="user", content="do"),), reference=Reference.model_validate(reference)
        )
        return self.verifier.verify([Submission(prompt, text) for text in texts])

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Exchange, Job, Outcome, Python, Sandbox, Submission, Verifier
from halo_forge.core.types import Message, Prompt, Reference, Verdict
from halo_forge.sandbox import open_sandbox

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

    @property
    def renewals(self) -> int:
        return self.inner.renewals

    def renew(self) -> None:
        self.inner.renew()

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

    def __call__(self, text: str, **reference: object) -> Verdict:
        return self.all(text, **reference)[0]

    def all(self, *texts: str, **reference: object) -> list[Verdict]:
        prompt = Prompt(
            id="p", messages=(Message(role="user", content="do"),), reference=Reference.model_validate(reference)
        )
        return self.verifier.verify([Submission(prompt, text) for text in texts])

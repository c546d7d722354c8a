"""Test doubles of what judges in the background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Verdict

Rule = Callable[[Submission], Verdict]


class Inline:
    """Judges at once by a rule, in the caller's thread; counts what it was asked."""

    name, version, tier = "inline", "1", "none"

    def __init__(self, rule: Rule, version: str = "1", tier: str = "none") -> None:
        self.rule = rule
        self.version, self.tier = version, tier
        self.asked: list[str] = []
        self.notices: list[str] = []

    def submit(self, submissions: Sequence[Submission]) -> list[Future[Verdict]]:
        self.asked += [submission.text for submission in submissions]
        futures: list[Future[Verdict]] = [Future() for _ in submissions]
        for submission, future in zip(submissions, futures, strict=True):
            self.settle(submission, future)
        return futures

    def settle(self, submission: Submission, future: Future[Verdict]) -> None:
        future.set_result(self.rule(submission))

    def take_notices(self) -> list[str]:
        notices, self.notices = self.notices, []
        return notices

    def close(self) -> None:
        pass


class Patient(Inline):
    """Judges when told to."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.open: list[tuple[Submission, Future[Verdict]]] = []

    def settle(self, submission: Submission, future: Future[Verdict]) -> None:
        self.open.append((submission, future))

    def finish(self) -> None:
        work, self.open = self.open, []
        for submission, future in work:
            future.set_result(self.rule(submission))

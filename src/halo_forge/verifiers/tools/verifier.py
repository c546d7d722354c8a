"""The verifier of tool calls."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Stage, ToolCall, Verdict
from halo_forge.verifiers.batch import Ruling, shortened
from halo_forge.verifiers.tools.config import ToolsConfig
from halo_forge.verifiers.tools.matching import agreement
from halo_forge.verifiers.tools.reading import Answer, read_calls
from halo_forge.verifiers.tools.schema import complaint

RULES = 2
ANSWER_CHARS = 200
OTHER_TOOLS = 0.1
RIGHT_TOOLS, ARGUMENTS = 0.3, 0.3
NAME, ARGUMENT, FULL, IRRELEVANCE = "name accuracy", "argument accuracy", "full accuracy", "irrelevance accuracy"


class ToolsVerifier:
    """Judges calls; see `config` for the rewards."""

    def __init__(self, config: ToolsConfig) -> None:
        self._config = config
        self.name = "tools"
        self.version = f"tools rules {RULES}, {config.model_dump_json()}"

    def verify(self, submissions: Sequence[Submission]) -> list[Verdict]:
        """See `Verifier`."""
        return [self._verdict(submission) for submission in submissions]

    def close(self) -> None:
        """Nothing is held."""

    def _verdict(self, submission: Submission) -> Verdict:
        begun, cpu = time.monotonic(), time.thread_time()
        right = submission.prompt.reference.calls
        if right is None:
            fault = "unsupported tests: the prompt does not say which calls are right (an empty list says none)"
            return Verdict(reward=None, passed=False, stage=Stage.PARSE, fault=fault)
        answer = read_calls(submission.text)
        ruling = self._abstention(answer) if not right else self._calls(submission, answer, right)
        return Verdict(
            reward=ruling.reward,
            passed=ruling.passed,
            stage=ruling.stage,
            detail=shortened(ruling.detail),
            scores=dict(ruling.scores),
            answer=_key(answer),
            wall_s=time.monotonic() - begun,
            cpu_s=time.thread_time() - cpu,
        )

    def _abstention(self, answer: Answer) -> Ruling:
        """No tool fits: what is right is to say so, in whatever words."""
        if answer.calls == () and answer.before:
            return _ruling(1.0, {IRRELEVANCE: 1, FULL: 1})
        why = "nothing is said" if answer.calls == () else "a call, where no tool fits"
        return _ruling(0.0, {IRRELEVANCE: 0, FULL: 0}, why, answer)

    def _calls(self, submission: Submission, answer: Answer, right: Sequence[ToolCall]) -> Ruling:
        tools = submission.prompt.tools
        missed = {NAME: 0.0, ARGUMENT: 0.0, FULL: 0.0}
        if not answer.calls:
            return _ruling(0.0, missed, answer.why_not or "no call, where a tool fits", answer)
        if answer.before and not self._config.allow_text:
            return _ruling(0.0, missed, "text before the call", answer)
        if len(answer.calls) != len(right):
            return _ruling(0.0, missed, f"{len(answer.calls)} calls, where {len(right)} are right", answer)
        found = agreement(answer.calls, right, tools, self._config.match)
        if not found.names:
            return _ruling(OTHER_TOOLS, missed, f"other tools than {_listed(right)}", answer)
        if found.exact:
            return _ruling(1.0, {NAME: 1, ARGUMENT: 1, FULL: 1})
        scores = {NAME: 1, ARGUMENT: found.arguments, FULL: 0}
        reasons = (complaint(tools, call) for call in answer.calls)
        why = next((reason for reason in reasons if reason), "") or f"the right calls are {_listed(right)}"
        return _ruling(RIGHT_TOOLS + ARGUMENTS * min(found.arguments, 1.0), scores, why, answer)


def _ruling(reward: float, scores: dict[str, float], why: str = "", answer: Answer | None = None) -> Ruling:
    readable = answer is None or answer.calls is not None
    return Ruling(
        reward,
        passed=reward == 1.0,
        stage=Stage.TESTS if readable else Stage.PARSE,
        detail=why,
        scores={name: (float(value), 1.0) for name, value in scores.items()},
    )


def _listed(calls: Sequence[ToolCall]) -> str:
    return ", ".join(json.dumps(call.model_dump(), ensure_ascii=False) for call in calls)


def _key(answer: Answer) -> str:
    """The calls, in an order of their own; `no call` for an answer without."""
    if answer.calls is None:
        return ""
    calls = sorted(json.dumps(call.model_dump(), sort_keys=True, ensure_ascii=False) for call in answer.calls)
    return " ".join(calls)[:ANSWER_CHARS] or "no call"

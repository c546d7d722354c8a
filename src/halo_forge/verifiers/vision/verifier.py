"""The verifier of answers to questions about images."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from halo_forge.core.protocols import Submission
from halo_forge.core.types import AnswerMetric, Reference, Stage, Verdict
from halo_forge.verifiers.batch import UnsupportedTests, shortened
from halo_forge.verifiers.extract import without_thoughts
from halo_forge.verifiers.vision.config import VqaConfig
from halo_forge.verifiers.vision.metrics import anls, exact_accuracy, relaxed_accuracy, vqa_accuracy
from halo_forge.verifiers.vision.normal import normalised
from halo_forge.verifiers.vision.reading import NUMBER, read_choice, read_number, right_choice, same_choice, same_number

RULES = 1
ANNOTATORS = 10
ANSWER_CHARS = 200
SCORES: dict[AnswerMetric, str] = {
    "vqa": "VQA accuracy",
    "anls": "ANLS",
    "relaxed": "relaxed accuracy",
    "choice": "accuracy",
    "number": "accuracy",
    "exact": "accuracy",
}
IN_WORDS: dict[AnswerMetric, Callable[[str, Sequence[str]], float]] = {
    "vqa": vqa_accuracy,
    "anls": anls,
    "relaxed": relaxed_accuracy,
    "exact": exact_accuracy,
}


class _Score(NamedTuple):
    """What an answer is worth, from 0 to 1, and how it reads; `key` is "" where it cannot be read."""

    value: float
    key: str
    why: str = ""


class VqaVerifier:
    """Judges answers; see `config` for the metrics."""

    def __init__(self, config: VqaConfig) -> None:
        self._config = config
        self.name = "vqa"
        self.version = f"vqa rules {RULES}, {config.model_dump_json()}"

    def verify(self, submissions: Sequence[Submission]) -> list[Verdict]:
        """See `Verifier`."""
        return [self._verdict(submission) for submission in submissions]

    def close(self) -> None:
        """Nothing is held."""

    def _verdict(self, submission: Submission) -> Verdict:
        begun, cpu = time.monotonic(), time.thread_time()
        reference = submission.prompt.reference
        try:
            metric = self._metric(reference)
            score = self._score(without_thoughts(submission.text).strip(), reference, metric)
        except UnsupportedTests as error:
            fault = shortened(f"unsupported tests: {error}")
            return Verdict(reward=None, passed=False, stage=Stage.PARSE, fault=fault)
        return Verdict(
            reward=score.value,
            passed=score.value == 1.0,
            stage=Stage.TESTS if score.key else Stage.PARSE,
            detail=shortened(score.why),
            path=metric,
            scores={SCORES[metric]: (score.value, 1.0)},
            answer=score.key[:ANSWER_CHARS],
            wall_s=time.monotonic() - begun,
            cpu_s=time.thread_time() - cpu,
        )

    def _metric(self, reference: Reference) -> AnswerMetric:
        if self._config.metric != "auto":
            return self._config.metric
        if reference.metric is not None:
            return reference.metric
        if reference.choices:
            return "choice"
        return "vqa" if len(reference.answers) >= ANNOTATORS else "exact"

    def _score(self, text: str, reference: Reference, metric: AnswerMetric) -> _Score:
        right = _right_answers(reference)
        if metric == "vqa" and len(right) < ANNOTATORS:
            raise UnsupportedTests(f"VQA accuracy counts {ANNOTATORS} annotators, but the prompt has {len(right)}")
        if metric == "choice":
            place = right_choice(right[0], reference.choices)
            if place is None:
                raise UnsupportedTests(
                    f"the answer {right[0]!r} is none of the prompt's {len(reference.choices)} choices"
                )
            return self._long(text) or _chosen(text, reference.choices, place)
        if metric == "number":
            target = right[0].strip().replace(",", "")
            if NUMBER.fullmatch(target) is None:
                raise UnsupportedTests(f"the answer {right[0]!r} is not a number")
            return self._long(text) or _counted(text, target)
        return self._long(text) or _worded(text, right, metric)

    def _long(self, text: str) -> _Score | None:
        """The score of an answer that says nothing, or more than an answer may."""
        if not text:
            return _Score(0.0, "", "nothing is said")
        if len(text) > self._config.max_chars:
            return _Score(0.0, "", f"longer than {self._config.max_chars} characters")
        return None


def _right_answers(reference: Reference) -> tuple[str, ...]:
    answers = reference.answers or ((reference.answer,) if reference.answer is not None else ())
    if not answers or not all(answer.strip() for answer in answers):
        raise UnsupportedTests("the prompt has no reference answer")
    return answers


def _chosen(text: str, choices: Sequence[str], right: int) -> _Score:
    place = read_choice(text, choices)
    if place is None:
        return _Score(0.0, "", "names no single option")
    same = same_choice(place, right, choices)
    why = "" if same else f"{choices[place]!r} is not {choices[right]!r}"
    return _Score(float(same), choices[place], why)


def _counted(text: str, right: str) -> _Score:
    said = read_number(text)
    if said is None:
        return _Score(0.0, "", "names no single number")
    equal = same_number(said, right)
    return _Score(float(equal), f"{float(said):.12g}", "" if equal else f"{said} is not {right}")


def _worded(text: str, right: Sequence[str], metric: AnswerMetric) -> _Score:
    value = IN_WORDS[metric](text, right)
    told = ", ".join(repr(answer) for answer in dict.fromkeys(right))
    return _Score(value, normalised(text) or text.lower(), "" if value == 1.0 else f"{text!r} against {told}")

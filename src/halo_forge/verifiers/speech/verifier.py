"""The verifier of what was heard."""

from __future__ import annotations

import time
from collections.abc import Sequence

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Reference, Stage, Verdict
from halo_forge.verifiers.batch import Ruling, UnsupportedTests, shortened
from halo_forge.verifiers.speech.config import SpeechConfig, require_normaliser
from halo_forge.verifiers.speech.distance import edit_distance
from halo_forge.verifiers.speech.normal_form import dropped_words, normal_form

RULES = 1
WER, CER, ACCURACY = "WER", "CER", "accuracy"
MOST_WORDS = 2  # times as many as were said
LEAST_TURNS = 4
ANSWER_CHARS = 200


class SpeechVerifier:
    """Judges transcripts and spoken words; see `config` for the rewards."""

    def __init__(self, config: SpeechConfig) -> None:
        self._task = config.task
        self.name = "speech"
        self.version = f"speech rules {RULES}, whisper-normalizer {require_normaliser()}, {config.model_dump_json()}"

    def verify(self, submissions: Sequence[Submission]) -> list[Verdict]:
        """See `Verifier`."""
        return [self._verdict(submission) for submission in submissions]

    def close(self) -> None:
        """Nothing is held."""

    def _verdict(self, submission: Submission) -> Verdict:
        begun, cpu = time.monotonic(), time.thread_time()
        reference, text = submission.prompt.reference, submission.text
        try:
            ruling = _transcript(reference, text) if self._task == "asr" else _spoken_word(reference, text)
        except UnsupportedTests as error:
            return Verdict(reward=None, passed=False, stage=Stage.PARSE, fault=f"unsupported tests: {error}")
        return Verdict(
            reward=ruling.reward,
            passed=ruling.passed,
            stage=ruling.stage,
            detail=shortened(ruling.detail),
            scores=dict(ruling.scores),
            answer=ruling.answer,
            wall_s=time.monotonic() - begun,
            cpu_s=time.thread_time() - cpu,
        )


def _transcript(reference: Reference, text: str) -> Ruling:
    if reference.transcript is None:
        other = "; it has an answer: --task classification judges that" if reference.answer is not None else ""
        raise UnsupportedTests(f"the prompt has no transcript{other}")
    expected, heard = normal_form(reference.transcript), normal_form(text)
    if not _says_anything(expected):
        raise UnsupportedTests(f"no word is left of the transcript {reference.transcript[:80]!r} in standard form")
    said, words = expected.split(), heard.split()
    edits = edit_distance(said, words)
    scores = {
        WER: (float(edits), float(len(said))),
        CER: (float(edit_distance(expected, heard)), float(len(expected))),
    }
    answer = heard[:ANSWER_CHARS]
    extra = max(0, dropped_words(text) - dropped_words(reference.transcript))
    if why := _worthless(said, words, extra):
        return Ruling(0.0, passed=False, stage=Stage.PARSE, detail=why, scores=scores, answer=answer)
    rate = (edits + extra) / len(said)
    why = "" if rate == 0 else f"{edits + extra} edits for {len(said)} words: {heard!r} for {expected!r}"
    return Ruling(max(0.0, 1.0 - rate), passed=rate == 0, stage=Stage.TESTS, detail=why, scores=scores, answer=answer)


def _worthless(said: Sequence[str], words: Sequence[str], extra: int) -> str:
    """Why a transcript earns nothing however many words of it are right; "" if it may."""
    if not _says_anything("".join(words)):
        return "nothing is transcribed"
    if len(words) + extra > MOST_WORDS * len(said):
        return f"{len(words) + extra} words, where {len(said)} were said"
    turns = repeated(words)
    if turns >= LEAST_TURNS and turns > repeated(said):
        return f"the same words {turns} times in a row"
    return ""


def _says_anything(text: str) -> bool:
    """Whether there is a letter or digit; a lone ellipsis has dots in standard form."""
    return any(character.isalnum() for character in text)


def repeated(words: Sequence[str]) -> int:
    """How often a phrase comes in a row at most: 3 in `no no no` and in `to be to be to be`."""
    most = 1 if words else 0
    for size in range(1, len(words) // 2 + 1):
        run = 0
        for place in range(len(words) - size):
            run = run + 1 if words[place] == words[place + size] else 0
            most = max(most, run // size + 1)
    return most


def _spoken_word(reference: Reference, text: str) -> Ruling:
    if reference.answer is None:
        other = "; it has a transcript: --task asr judges that" if reference.transcript is not None else ""
        raise UnsupportedTests(f"the prompt has no answer{other}")
    expected, heard = normal_form(reference.answer), normal_form(text)
    right = heard == expected and bool(expected) and not dropped_words(text)
    known = {normal_form(choice) for choice in reference.choices}
    readable = right or (bool(heard) and (not known or heard in known))
    return Ruling(
        float(right),
        passed=right,
        stage=Stage.TESTS if readable else Stage.PARSE,
        detail="" if right else f"{heard[:ANSWER_CHARS]!r}, where {expected!r} is right",
        scores={ACCURACY: (float(right), 1.0)},
        answer=heard[:ANSWER_CHARS],
    )

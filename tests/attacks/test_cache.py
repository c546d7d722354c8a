"""Programs and prompts made to look alike: no verdict of one may serve for another."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from halo_forge.core.protocols import Submission
from halo_forge.core.types import IoCase, Message, Prompt, Reference, Stage, Verdict
from halo_forge.rollout.cache import VerdictCache
from halo_forge.rollout.checking import Checker

TEXTS = [
    "x = 1", "x = 1\n", "x = 1\r\n", "x = 1\r", "x = 1 ", " x = 1", "x = 1\0", "\0x = 1", "\ufeffx = 1", "x\u200b = 1",
    "x = '\u00e9'", "x = 'e\u0301'",
    "x = '\ud800'", "x = '\udfff'", "x = '?'", "x = '\ufffd'", "\uff58 = 1", "\u0445 = 1",
    "X = 1", "x = 1" * 100_000, "x = 1" * 100_001, "",
]  # fmt: skip
SAID = [
    (("user", "do this"),),
    (("user", "do"), ("user", " this")),
    (("user", "do"), ("user", "this")),
    (("system", "do"), ("user", "this")),
    (("user", 'do"},{"role":"user","content":"this'),),
    (("user", "do this\0"),),
]
REFERENCES = [
    Reference(),
    Reference(asserts=("a", "b")),
    Reference(asserts=("ab",)),
    Reference(asserts=("a\nb",)),
    Reference(asserts=("b", "a")),
    Reference(asserts=('a","b',)),
    Reference(asserts=("a",), setup="b"),
    Reference(asserts=("a",), stub="b"),
    Reference(asserts=("a",), check="b"),
    Reference(asserts=("a",), entry_point="b"),
    Reference(asserts=("a",), required=("b",)),
    Reference(asserts=("a",), solution="b"),
    Reference(cases=(IoCase(input="a", output="b"),)),
    Reference(cases=(IoCase(input="b", output="a"),)),
    Reference(cases=(IoCase(input="ab", output=""),)),
    Reference(cases=(IoCase(input="a", output="b\n"),)),
    Reference(check=""),
    Reference(entry_point=""),
]


class Numbering:
    """Gives each submission it sees a verdict of its own."""

    name, tier = "numbering", "none"

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.numbers = count()

    def submit(self, submissions: Sequence[Submission]) -> list[Future[Verdict]]:
        futures: list[Future[Verdict]] = []
        for _ in submissions:
            future: Future[Verdict] = Future()
            number = str(next(self.numbers))
            future.set_result(Verdict(reward=0.5, passed=False, stage=Stage.TESTS, detail=f"{self.version}-{number}"))
            futures.append(future)
        return futures

    def take_notices(self) -> list[str]:
        return []

    def close(self) -> None:
        pass


def alike() -> list[Submission]:
    """Return submissions of which no two are the same."""
    prompts = [
        Prompt(id="p", messages=tuple(Message.model_validate({"role": role, "content": text}) for role, text in said))
        for said in SAID
    ]
    prompts += [prompts[0].model_copy(update={"reference": reference}) for reference in REFERENCES[1:]]
    return [Submission(prompt, text) for prompt in prompts for text in TEXTS]


def test_no_two_submissions_share_a_verdict(tmp_path: Path) -> None:
    submissions = alike()
    with closing(Checker(Numbering(), VerdictCache(tmp_path / "cache" / "verdicts"))) as checker:
        first = checker.verify(submissions)
        assert len({verdict.detail for verdict in first}) == len(submissions)
        assert checker.verify(submissions[::-1]) == first[::-1]
        assert checker.reuse.cached == len(submissions)
    with closing(Checker(Numbering("2"), VerdictCache(tmp_path / "cache" / "verdicts"))) as checker:
        assert not {verdict.detail for verdict in checker.verify(submissions)} & {verdict.detail for verdict in first}


@pytest.mark.parametrize("field", ["message", "assert"])
def test_a_prompt_that_is_no_unicode_has_a_key_of_its_own(tmp_path: Path, field: str) -> None:
    texts = ["\ud800", "\udfff", "?", "\ufffd"]
    prompts = [
        Prompt(
            id="p",
            messages=(Message(role="user", content=text if field == "message" else "do"),),
            reference=Reference(asserts=(text,) if field == "assert" else ()),
        )
        for text in texts
    ]
    with closing(Checker(Numbering(), VerdictCache(tmp_path / "cache" / "verdicts"))) as checker:
        verdicts = checker.verify([Submission(prompt, "x = 1") for prompt in prompts])
    assert len({verdict.detail for verdict in verdicts}) == len(texts)

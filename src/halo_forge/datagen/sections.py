"""An answer taken apart: the task, its answer and its tests, or why it cannot be used."""

from __future__ import annotations

import re
from typing import NamedTuple

from halo_forge.core.errors import DataError
from halo_forge.core.types import Message, Reference
from halo_forge.data.hygiene import clean_text
from halo_forge.data.messages import holds_control_token
from halo_forge.data.tests_column import read_tests
from halo_forge.datagen.ledger import Answer
from halo_forge.datagen.plan import ANSWER, TASK, TESTS
from halo_forge.datagen.topic import Topic
from halo_forge.verifiers.extract import extract_code, fenced_blocks
from halo_forge.verifiers.languages import FENCES

EMPTY, TRUNCATED, REFUSED, UNFINISHED = "empty", "cut at the most tokens", "refused", "ended for an unknown reason"
NO_SECTIONS, NO_CODE, NO_TESTS = "without the sections asked for", "without a block of code", "without tests"
BAD_TESTS, CONTROL = "tests that cannot be read", "control characters or chat tokens"
MISSING, FOUND = "without what the topic requires", "with what the topic forbids"
UNFIT = {"length": TRUNCATED, "refused": REFUSED, "unknown": UNFINISHED}
HEADING = re.compile(r"^#{1,6}[ \t]*(Task|Answer|Tests)[ \t]*:?[ \t]*$", re.IGNORECASE)
FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})")
# Their tests are read as one text; those of other languages are handed on as they are.
SPLIT_AS_TEXT = {"python", "c", "c++"}


class Sections(NamedTuple):
    """A usable answer.

    Args:
        task: what the user asks.
        answer: what the assistant says.
        tests: source of the tests, "" where there are none.
        reference: the tests, as verifiers take them.
    """

    task: str
    answer: str
    tests: str
    reference: Reference


def read_sections(answer: Answer, topic: Topic) -> Sections | str:
    """Take an answer apart; return the reason where it cannot be used."""
    if answer.finish in UNFIT:
        return UNFIT[answer.finish]
    if not answer.text.strip():
        return EMPTY
    parts = split_sections(answer.text)
    if not parts.get(TASK) or not parts.get(ANSWER):
        return NO_SECTIONS
    task, said = parts[TASK], parts[ANSWER]
    messages = [Message(role="user", content=task), Message(role="assistant", content=said)]
    if clean_text(answer.text.replace("\r\n", "\n"))[1] or holds_control_token(messages):
        return CONTROL
    tests, reference = "", Reference()
    if topic.tests:
        tests = extract_code(parts.get(TESTS, ""), ()).code
        if not tests.strip():
            return NO_TESTS
        try:
            reference = _reference(tests, topic.language)
        except DataError:
            return BAD_TESTS
    return _why_unfit(said, topic) or Sections(task, said, tests, reference)


def split_sections(text: str) -> dict[str, str]:
    """Return heading -> what stands below it, for the headings asked for; those inside of code are code."""
    parts: dict[str, list[str]] = {}
    current: list[str] | None = None
    fence = ""
    for line in text.replace("\r\n", "\n").split("\n"):
        mark = FENCE.match(line)
        heading = None if fence else HEADING.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        if heading:
            current = parts.setdefault(heading[1].capitalize(), [])
        elif current is not None:
            current.append(line)
    return {name: "\n".join(lines).strip() for name, lines in parts.items()}


def _reference(tests: str, language: str) -> Reference:
    if FENCES.get(language, language) in SPLIT_AS_TEXT:
        read = read_tests({"tests": tests})
        return Reference(asserts=read.asserts, check=read.check, setup=read.setup)
    return Reference(asserts=(tests,))


def _why_unfit(said: str, topic: Topic) -> str | None:
    if not any(block.complete and block.code.strip() for block in fenced_blocks(said)):
        return NO_CODE
    languages = {topic.language} | {name for name, one in FENCES.items() if one == FENCES.get(topic.language)}
    code = extract_code(said, languages).code
    for pattern in topic.required:
        if not re.search(pattern, code, re.MULTILINE):
            return f"{MISSING}: {pattern}"
    for pattern in topic.forbidden:
        if re.search(pattern, code, re.MULTILINE):
            return f"{FOUND}: {pattern}"
    return None

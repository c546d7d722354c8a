"""The output, made anew from the ledger in the order of the plan: the same ledger gives the same bytes."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import JsonValue

from halo_forge.core.protocols import Submission
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Message, Prompt, Verdict
from halo_forge.datagen.doubles import Doubles
from halo_forge.datagen.ledger import Answer, Ledger
from halo_forge.datagen.plan import Item, plan_item
from halo_forge.datagen.sections import Sections, read_sections
from halo_forge.datagen.topic import Topic
from halo_forge.rollout.checking import Checker
from halo_forge.rollout.faults import FaultCount, tally_cause

ITEMS_TOGETHER = 256
GLANCE_S = 0.2


class Tally(NamedTuple):
    """What became of the answers.

    Args:
        answers: all of them, of the items asked for.
        kept: rows of the output.
        dropped: reason -> answers that cannot be used.
        rejected: stage -> answers that the verifier found wrong there.
        unverifiable: cause -> answers on which there is no verdict; they are not kept.
        sha256: hash of the output.
        form: what its rows are.
    """

    answers: int
    kept: int
    dropped: dict[str, int]
    rejected: dict[str, int]
    unverifiable: dict[str, int]
    sha256: str
    form: Literal["conversations", "prompts"]


class Judge:
    """Judges answers as they come, so that little is left to do at the end."""

    def __init__(self, checker: Checker, topic: Topic, max_fault_rate: float) -> None:
        self.name = checker.name
        self.faults = FaultCount(max_fault_rate)
        self._checker = checker
        self._topic = topic
        self._verdicts: dict[int, Future[Verdict]] = {}

    def begin(self, answer: Answer) -> None:
        """Begin to judge an answer that has just come."""
        sections = read_sections(answer, self._topic)
        if isinstance(sections, Sections):
            self.submit([(answer.item, sections)])

    def submit(self, answers: Sequence[tuple[int, Sections]]) -> None:
        """Begin to judge those that nobody has begun with."""
        fresh = [(item, sections) for item, sections in answers if item not in self._verdicts]
        futures = self._checker.submit([_submission(item, sections) for item, sections in fresh])
        self._verdicts |= {item: future for (item, _), future in zip(fresh, futures, strict=True)}

    def take_notices(self) -> list[str]:
        """Return what a person should know, once: a node that was lost, a cache that cannot be used."""
        return self._checker.take_notices()

    def wait(self, item: int, stop: StopRequest) -> Verdict:
        """Return the verdict.

        Raises:
            Interrupted: a stop was asked for.
            TooManyFaults: the share without a verdict passed the limit.
        """
        while True:
            stop.check()
            try:
                verdict = self._verdicts[item].result(GLANCE_S)
            except TimeoutError:
                continue
            self.faults.count([verdict])
            return verdict


class Rows:
    """Rows of one ledger.

    Args:
        judge: None where answers are taken unjudged.
        near_threshold: similarity from which an answer counts as one that is there already.
        as_prompts: whether rows hold the task and its tests alone.
    """

    def __init__(
        self,
        ledger: Ledger,
        topic: Topic,
        seed: int,
        judge: Judge | None,
        stop: StopRequest,
        *,
        near_threshold: float,
        as_prompts: bool,
    ) -> None:
        self._ledger = ledger
        self._topic = topic
        self._seed = seed
        self._judge = judge
        self._stop = stop
        self._as_prompts = as_prompts
        self._doubles = Doubles(near_threshold, self._sections)
        self._dropped: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._unverifiable: dict[str, int] = {}
        self._answers = self._kept = 0

    def write(self, path: Path, count: int) -> Tally:
        """Write the rows of the first `count` items, and put them in place of what is there, whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        digest = sha256()
        with partial.open("wb") as file:
            for row in self._rows(count):
                line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
                digest.update(line)
                file.write(line)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        dropped, rejected = dict(sorted(self._dropped.items())), dict(sorted(self._rejected.items()))
        form: Literal["conversations", "prompts"] = "prompts" if self._as_prompts else "conversations"
        return Tally(self._answers, self._kept, dropped, rejected, self._unverifiable, digest.hexdigest(), form)

    def _rows(self, count: int) -> Iterator[dict[str, JsonValue]]:
        items = sorted(item for item in self._ledger.answered if item < count)
        for start in range(0, len(items), ITEMS_TOGETHER):
            self._stop.check()
            usable = []
            for item in items[start : start + ITEMS_TOGETHER]:
                self._answers += 1
                answer = self._ledger.read(item)
                sections = read_sections(answer, self._topic)
                if isinstance(sections, str):
                    self._dropped[sections] += 1
                else:
                    usable.append((answer, sections))
            if self._judge is not None:
                self._judge.submit([(answer.item, sections) for answer, sections in usable])
            for answer, sections in usable:
                row = self._row(answer, sections)
                if row is not None:
                    self._kept += 1
                    yield row

    def _row(self, answer: Answer, sections: Sections) -> dict[str, JsonValue] | None:
        verdict = None
        if self._judge is not None:
            verdict = self._judge.wait(answer.item, self._stop)
            if verdict.reward is None:
                tally_cause(self._unverifiable, verdict.fault)
                return None
            if not verdict.passed:
                self._rejected[verdict.stage.value] += 1
                return None
        if reason := self._doubles.why(answer.item, sections):
            self._dropped[reason] += 1
            return None
        item = plan_item(self._topic, self._seed, answer.item)
        return self._values(item, answer, sections, verdict)

    def _sections(self, item: int) -> Sections:
        """Read an answer again that was usable."""
        sections = read_sections(self._ledger.read(item), self._topic)
        assert isinstance(sections, Sections), item
        return sections

    def _values(self, item: Item, answer: Answer, sections: Sections, verdict: Verdict | None) -> dict[str, JsonValue]:
        values: dict[str, JsonValue] = {"id": f"{self._topic.name}-{self._seed}-{item.number:06d}"}
        if self._as_prompts:
            values["prompt"] = sections.task
        else:
            values["messages"] = [
                {"role": "user", "content": sections.task},
                {"role": "assistant", "content": sections.answer},
            ]
        values |= {
            "topic": self._topic.name,
            "category": item.category,
            "level": item.level,
            "model": answer.model,
        }
        if sections.reference.check is not None:
            values["tests"] = sections.tests
        elif sections.reference.asserts:
            values["tests"] = list(sections.reference.asserts)
            if sections.reference.setup:
                values["setup"] = sections.reference.setup
        if verdict is not None and self._judge is not None:
            values |= {"verifier": self._judge.name, "reward": verdict.reward, "stage": verdict.stage.value}
        return values


def _submission(item: int, sections: Sections) -> Submission:
    messages = (Message(role="user", content=sections.task),)
    return Submission(Prompt(id=str(item), messages=messages, reference=sections.reference), sections.answer)

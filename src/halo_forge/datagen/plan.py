"""Which task is asked for as the i-th, and in which words: fixed by the topic, the seed and i alone."""

from __future__ import annotations

from random import Random
from typing import NamedTuple, TypeVar

from halo_forge.core.seeds import derive
from halo_forge.datagen.topic import Topic

T = TypeVar("T")

# Changes with the words below: answers to other words belong to another ledger.
WORDING = 1
TASK, ANSWER, TESTS = "Task", "Answer", "Tests"

SYSTEM = (
    "You write training data for programmers: one task, and one answer to it that is right, complete and a pleasure to "
    "read. Code is never shortened, and every program you show compiles as it stands."
)
REQUEST = """\
Think of one task about {category}.

Level: {level}.
{setting}Style: {style}

Answer with these sections, each under its heading, and with nothing else:

### Task
The task, in the words of somebody who asks for help: self-contained, two to eight sentences, no solution.{named}

### Answer
The answer to that task. Its code stands in one ```{language} block.
"""
NAMED = " It states names and signatures of all that the tests call."


class Item(NamedTuple):
    """One task of the plan.

    Args:
        number: 0, 1, 2 …
        category: name of the category.
        level: name of the level.
        variation: the setting, or "" where the topic has none.
        take: how often category, level and variation have met, this time included.
    """

    number: int
    category: str
    level: str
    variation: str
    take: int


class Request(NamedTuple):
    """What is sent for one item."""

    system: str
    user: str

    @property
    def most_tokens(self) -> int:
        """More tokens than this it cannot be: one for each byte, and some for the template around each message."""
        return len(self.system.encode()) + len(self.user.encode()) + 64


def plan_item(topic: Topic, seed: int, number: int) -> Item:
    """Return the i-th task.

    Each round goes through all pairs of category and level in an order of its own, so that any number of items is
    balanced; in each pair the variations come in an order of their own, each once before any comes again.
    """
    pairs = [(category, level) for category in topic.categories for level in topic.levels]
    rounds, position = divmod(number, len(pairs))
    category, level = _shuffled(pairs, derive(seed, "round", rounds))[position]
    take, index = divmod(rounds, len(topic.variations) or 1)
    variations = _shuffled(list(topic.variations), derive(seed, "variations", category, level, take))
    return Item(number, category, level, variations[index] if variations else "", take + 1)


def word_request(topic: Topic, item: Item) -> Request:
    """Put an item into words."""
    lines = [f"Setting: {item.variation}."] if item.variation else []
    if item.take > 1:
        lines.append(f"This is task number {item.take} of its kind: choose one that few would think of first.")
    user = REQUEST.format(
        category=topic.categories[item.category],
        level=f"{item.level}: {topic.levels[item.level]}",
        setting="".join(f"{line}\n" for line in lines),
        style=topic.style or "plain and idiomatic.",
        named=NAMED if topic.tests else "",
        language=topic.language,
    )
    if topic.tests:
        user += f"\n### Tests\n{topic.tests}\n"
    return Request(SYSTEM, user)


def _shuffled(items: list[T], seed: int) -> list[T]:
    Random(seed).shuffle(items)
    return items

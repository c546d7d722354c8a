"""The plan is fixed, balanced, and begins in the same way however long it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from halo_forge.datagen.plan import plan_item, word_request
from halo_forge.datagen.topic import find_topic, topic_names

TOPIC = find_topic("rust_async")
PAIRS = len(TOPIC.categories) * len(TOPIC.levels)


def test_every_number_of_items_is_balanced() -> None:
    for count in (7, PAIRS, 100, 5 * PAIRS):
        met = Counter((item.category, item.level) for item in (plan_item(TOPIC, 3, i) for i in range(count)))
        assert max(met.values()) - (min(met.values()) if len(met) == PAIRS else 0) <= 1


def test_all_variations_of_a_pair_come_before_any_comes_again() -> None:
    rounds = len(TOPIC.variations)
    items = [plan_item(TOPIC, 0, i) for i in range(2 * rounds * PAIRS)]
    for take, part in ((1, items[: rounds * PAIRS]), (2, items[rounds * PAIRS :])):
        met = {(item.category, item.level, item.variation) for item in part}
        assert len(met) == rounds * PAIRS
        assert {item.take for item in part} == {take}


def test_the_seed_changes_the_order_and_nothing_else_does() -> None:
    first = [plan_item(TOPIC, 0, i) for i in range(PAIRS)]
    assert first == [plan_item(find_topic("rust_async"), 0, i) for i in range(PAIRS)]
    assert first != [plan_item(TOPIC, 1, i) for i in range(PAIRS)]


@pytest.mark.parametrize("name", topic_names())
def test_a_request_says_all_that_the_topic_says(name: str) -> None:
    topic = find_topic(name)
    items = [plan_item(topic, 0, i) for i in range(400)]
    for item in items[:40]:
        request = word_request(topic, item)
        assert topic.categories[item.category] in request.user
        assert topic.levels[item.level] in request.user
        assert item.variation in request.user
        assert topic.style in request.user
        assert (topic.tests or "### Answer") in request.user
        assert ("### Tests" in request.user) == (topic.tests is not None)
    assert len({word_request(topic, item) for item in items}) == len(items)


def test_a_request_never_has_more_tokens_than_it_counts(nano_model: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(nano_model)
    request = word_request(TOPIC, plan_item(TOPIC, 0, 0))
    messages = [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    assert 200 < len(ids) <= request.most_tokens

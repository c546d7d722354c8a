from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from halo_forge.config.load import load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.types import Message, Prompt, Reference
from halo_forge.raft.curriculum import by_complexity, choose_prompts
from halo_forge.raft.tally import Tallies, Tally


def configure(**changes: Any) -> RaftTrainConfig:
    return load(RaftTrainConfig, {"model": "m", "prompts": "p", "output": "o", **changes}).config


def prompt(name: str, words: int = 1, tests: int = 0, solution: str | None = None) -> Prompt:
    return Prompt(
        id=name,
        messages=(Message(role="user", content="word " * words),),
        reference=Reference(asserts=("assert f()",) * tests, solution=solution),
    )


PROMPTS = [prompt(f"p{i}", words=10 - i) for i in range(10)]  # the last is the easiest


def chosen(config: RaftTrainConfig, cycle: int, past: list[Tallies] | None = None, horizon: int = 5) -> list[str]:
    return [p.id for p in choose_prompts(config, PROMPTS, cycle, horizon, past or [])]


def test_every_prompt_in_its_order_without_a_curriculum() -> None:
    assert chosen(configure(), 3) == [p.id for p in PROMPTS]


def test_a_share_goes_round_all_prompts() -> None:
    config = configure(prompt_fraction=0.3)
    counts = Counter(name for cycle in range(1, 11) for name in chosen(config, cycle))
    assert set(counts.values()) == {3} and len(counts) == 10
    assert chosen(config, 2) == chosen(config, 2) != chosen(configure(prompt_fraction=0.3, seed=1), 2)


def test_complexity_is_the_mean_of_three_ranks() -> None:
    assert by_complexity(PROMPTS) == [f"p{i}" for i in range(9, -1, -1)]
    mixed = [prompt("long", words=9, tests=1), prompt("tested", tests=9, solution="ab"), prompt("plain", tests=1)]
    assert by_complexity(mixed) == ["plain", "long", "tested"]
    same = [prompt(name) for name in "abc"]
    assert by_complexity(same) == ["a", "b", "c"]


def test_complexity_goes_from_easy_to_hard_and_stays_at_hard() -> None:
    config = configure(curriculum="complexity", prompt_fraction=0.2)
    found = [chosen(config, cycle) for cycle in range(1, 7)]
    assert found == [["p8", "p9"], ["p6", "p7"], ["p4", "p5"], ["p2", "p3"], ["p0", "p1"], ["p0", "p1"]]


def test_progressive_grows_from_the_easiest_to_all() -> None:
    config = configure(curriculum="progressive", prompt_fraction=0.2)
    found = [chosen(config, cycle) for cycle in range(1, 7)]
    assert [len(names) for names in found] == [2, 4, 6, 8, 10, 10]
    assert found[1] == ["p6", "p7", "p8", "p9"]


def test_adaptive_takes_what_is_solved_sometimes_and_leaves_room_for_the_rest() -> None:
    config = configure(curriculum="adaptive", prompt_fraction=0.5)
    rates = {"p0": 0, "p1": 8, "p2": 4, "p3": 3, "p4": 7, "p5": 2, "p6": 6, "p7": 5}
    past: list[Tallies] = [{name: Tally(8, passed, 1.0) for name, passed in rates.items()}]
    found = chosen(config, 2, past)
    assert {"p2", "p3", "p7"} <= set(found) and len(found) == 5
    assert len({"p5", "p6"} & set(found)) == 1  # equally far from one half
    assert len({"p8", "p9"} & set(found)) == 1  # never seen, so first among the others
    assert not {"p0", "p1", "p4"} & set(found)


def test_adaptive_goes_by_the_last_time_a_prompt_was_seen() -> None:
    config = configure(curriculum="adaptive", prompt_fraction=0.2)
    first = {f"p{i}": Tally(8, 0, 0.0) for i in range(10)} | {"p0": Tally(8, 4, 1.0)}
    assert "p0" in chosen(config, 2, [first])
    later: Tallies = {"p0": Tally(8, 8, 1.0), "p1": Tally(8, 4, 1.0)}
    assert "p0" not in chosen(config, 3, [first, later])
    assert "p1" in chosen(config, 3, [first, later])
    unverified: Tallies = {"p1": Tally(0, 0, None)}
    assert "p1" in chosen(config, 4, [first, later, unverified])


def test_adaptive_starts_with_any_prompts() -> None:
    config = configure(curriculum="adaptive", prompt_fraction=0.5)
    assert len(chosen(config, 1)) == 5
    assert chosen(config, 1) != chosen(configure(curriculum="adaptive", prompt_fraction=0.5, seed=1), 1)


def test_historical_draws_uncertain_prompts_more_often() -> None:
    past: list[Tallies] = [
        {f"p{i}": Tally(8, 4 if i < 2 else 8 if i < 6 else 0, 1.0) for i in range(10)},
        {f"p{i}": Tally(8, 4 if i < 2 else 8 if i < 6 else 0, 1.0) for i in range(10)},
    ]
    counts = Counter(
        name
        for seed in range(200)
        for name in chosen(configure(curriculum="historical", prompt_fraction=0.2, seed=seed), 3, past)
    )
    assert sum(counts.values()) == 400
    # Weights: 1/4 for two prompts, 17/324 for eight.
    assert min(counts["p0"], counts["p1"]) > 2 * max(counts[f"p{i}"] for i in range(2, 10))
    assert all(counts[f"p{i}"] for i in range(10))


@pytest.mark.parametrize("curriculum", ["none", "complexity", "progressive", "adaptive", "historical"])
def test_every_curriculum_is_repeatable_keeps_the_order_and_takes_at_least_one(curriculum: str) -> None:
    config = configure(curriculum=curriculum, prompt_fraction=0.01)
    order = [p.id for p in PROMPTS]
    for cycle in (1, 2, 9):
        found = chosen(config, cycle)
        assert found and found == sorted(found, key=order.index) == chosen(config, cycle)

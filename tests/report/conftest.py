"""Run folders as the loops write them, filled with made-up completions."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from halo_forge.config.load import load
from halo_forge.config.schemas import SCHEMAS
from halo_forge.core.errors import Interrupted
from halo_forge.core.events import EventType, read_events
from halo_forge.core.types import Completion, Message, Prompt, Rollout, Stage, Verdict
from halo_forge.rollout.decision import Decision, Reason
from halo_forge.rollout.metrics import measure
from halo_forge.rollout.records import append_records, write_atomically
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import sketch
from halo_forge.runs.launch import Judge, hash_file
from halo_forge.runs.run_dir import Run, open_run
from halo_forge.runs.summary import BenchmarkSummary, CycleSummary, RaftSummary, SftSummary, TrainingFigures

HOSTILE = '<script>alert("x")</script> <img src=x onerror=alert(1)> https://evil.example/ \x1b[31m\u202e{{ 7 * 7 }}'
SAMPLES = 8
PROGRAM = """#include <iostream>

int main() {{
    long long n;
    std::cin >> n;
    std::cout << n{power} << "\\n";  // variant {variant}
}}
"""


def make_prompts(count: int) -> list[Prompt]:
    """Prompts in two groups."""
    return [
        Prompt(
            id=f"sum-{i:03d}",
            messages=(Message(role="user", content=f"Write a C++ program that reads n and prints task {i} of n."),),
            group="unseen" if i % 3 == 0 else "seen",
        )
        for i in range(count)
    ]


def draw(prompts: list[Prompt], skill: float, cycle: int, seed: int, n: int = SAMPLES) -> list[Rollout]:
    """Completions of a policy of a given skill; a few cannot be verified, some are hostile, one is very long."""
    rng = random.Random(f"{seed}:{cycle}")
    rollouts = []
    for i, prompt in enumerate(prompts):
        chance = 1 / (1 + math.exp(-4 * (skill - (i % 10) / 10)))
        for index in range(n):
            text = PROGRAM.format(power=rng.choice(["", " * n"]), variant=rng.randrange(int(6 / max(skill, 0.2))))
            text = HOSTILE if rng.random() < 0.03 else text
            text = text * 60 if (i, index) == (0, 0) else text
            tokens = tuple(range(40 + rng.randrange(60)))
            completion = Completion(
                prompt_id=prompt.id,
                index=index,
                text=text,
                token_ids=tokens,
                logprobs=tuple(-rng.random() * (1.4 - skill) for _ in tokens),
                finish_reason="length" if rng.random() < 0.04 else "stop",
                seed=seed,
                policy=f"cycle_{cycle}",
            )
            rollouts.append(Rollout(cycle=cycle, chunk=i // 8, completion=completion, verdict=judge(rng, chance)))
    return rollouts


def judge(rng: random.Random, chance: float) -> Verdict:
    """A verdict with the reward ladder of a compiler and tests."""
    if rng.random() < 0.012:
        return Verdict(reward=None, passed=False, stage=Stage.RUN, fault="sandbox: cannot fork, out of memory")
    if rng.random() < chance:
        return Verdict(reward=1.0, passed=True, stage=Stage.TESTS, detail="3 of 3 cases", wall_s=0.21)
    stage = rng.choices([Stage.PARSE, Stage.COMPILE, Stage.RUN, Stage.TESTS], [1, 4, 2, 3])[0]
    reward = {Stage.PARSE: 0.0, Stage.COMPILE: 0.1, Stage.RUN: 0.3, Stage.TESTS: 0.5 + 0.1 * rng.randrange(4)}[stage]
    detail = "main.cpp:6:18: error: 'i' was not declared in this scope" if stage is Stage.COMPILE else "case 2: 3 != 4"
    return Verdict(reward=reward, passed=False, stage=stage, detail=detail, wall_s=0.18)


def decide(rollouts: list[Rollout]) -> list[Decision]:
    """Keep what passes, two a prompt at most."""
    kept: dict[str, int] = {}
    decisions = []
    for r in rollouts:
        reason = Reason.BELOW_THRESHOLD
        if r.verdict.reward is None:
            reason = Reason.UNVERIFIABLE
        elif r.verdict.passed:
            reason = Reason.KEPT if kept.get(r.prompt_id, 0) < 2 else Reason.PROMPT_FULL
            kept[r.prompt_id] = kept.get(r.prompt_id, 0) + 1
        where = {"cycle": r.cycle, "prompt_id": r.prompt_id, "index": r.completion.index}
        decisions.append(Decision.model_validate({**where, "kept": reason is Reason.KEPT, "reason": reason}))
    return decisions


@contextmanager
def started(folder: Path, kind: str, **flags: object) -> Iterator[Run]:
    """A run folder opened as the commands open it; events are spread over time afterwards."""
    data = folder.parent / f"{folder.name}-data.jsonl"
    data.write_text("{}\n")
    command = {"sft": "sft train", "raft": "raft train", "benchmark": "benchmark run"}[kind]
    source = {"data" if kind == "sft" else "prompts": data}
    loaded = load(SCHEMAS[command], {"model": "acme/coder-0.5b", "output": folder, "seed": 7, **source, **flags})
    try:
        with open_run(
            kind, loaded, folder, {"prompts": hash_file(data, 1)}, judge=Judge("bubblewrap", "gcc rules 1")
        ) as run:
            (folder / "rollouts").mkdir(exist_ok=True)
            (folder / "kept").mkdir(exist_ok=True)
            yield run
    finally:
        spread(folder)


def spread(folder: Path) -> None:
    """Put a few seconds between events, as real work does."""
    events = list(read_events(folder / "events.jsonl"))
    base = events[0].t
    moved = [event.model_copy(update={"t": base + 2.3 * event.seq}) for event in events]
    (folder / "events.jsonl").write_text("".join(event.model_dump_json(exclude_none=True) + "\n" for event in moved))


def train(run: Run, cycle: int | None, steps: int, start: float) -> TrainingFigures:
    """Emit a training phase."""
    rng = random.Random(cycle)
    run.events.emit(EventType.PHASE_STARTED, cycle=cycle, phase="train", total=steps, done=0)
    losses = [start * (0.35 + 0.65 * math.exp(-4 * i / steps)) + rng.gauss(0, 0.03) for i in range(steps)]
    for i, loss in enumerate(losses, 1):
        rate = 2e-4 * min(1.0, i / max(1, steps * 0.05)) * (0.5 + 0.5 * math.cos(math.pi * i / steps))
        run.events.emit(EventType.STEP, cycle=cycle, phase="train", step=i, total=steps, loss=loss, learning_rate=rate)
    run.events.emit(EventType.PHASE_FINISHED, cycle=cycle, phase="train", wall_s=steps * 0.9)
    counts = {"rows": steps * 16, "steps": steps, "learnt_tokens": steps * 1234, "learning_rate": 2e-4}
    return TrainingFigures(**counts, mean_loss=sum(losses) / steps, last_loss=losses[-1], weight_change=0.0123)


def store(run: Run, name: str, rollouts: list[Rollout], phase: str, cycle: int) -> None:
    """Write rollouts with the events of their collection."""
    run.events.emit(EventType.PHASE_STARTED, cycle=cycle, phase=phase, total=len(rollouts), done=0)
    append_records(run.rollouts(name), rollouts)
    run.events.emit(EventType.PROGRESS, cycle=cycle, phase=phase, step=len(rollouts), passed=1, verified=len(rollouts))
    run.events.emit(EventType.PHASE_FINISHED, cycle=cycle, phase=phase, wall_s=len(rollouts) * 0.11)


def raft_cycle(run: Run, cycle: int, prompts: list[Prompt], held: list[Prompt]) -> CycleSummary:
    """One whole cycle: draw, decide, train, measure."""
    rollouts = draw(prompts, 0.05 + 0.16 * cycle, cycle, 7)
    store(run, f"cycle_{cycle}", rollouts, "generate", cycle)
    decisions = decide(rollouts)
    append_records(run.kept(cycle), decisions)
    training = train(run, cycle, 24, 1.5 - 0.15 * cycle)
    after = draw(held, 0.05 + 0.16 * (cycle + 1) if cycle < 4 else 0.6, cycle, 8)
    store(run, f"holdout_{cycle}", after, "evaluate", cycle)
    run.events.emit(EventType.CYCLE_FINISHED, cycle=cycle, pass_at_1=0.4, kept=float(sum(d.kept for d in decisions)))
    summary = CycleSummary(
        cycle=cycle,
        rollouts=measure(sketch(rollouts)),
        kept=sum(d.kept for d in decisions),
        threshold=0.5,
        training=training,
        holdout=measure(sketch(after)),
        seconds={"generate": 60.0, "verify": 31.0, "collect": 66.0, "train": 21.6, "evaluate": 12.5, "all": 104.0},
    )
    append_records(run.path / "cycles.jsonl", [summary])
    return summary


def begin_raft(run: Run) -> tuple[list[Prompt], list[Prompt], CycleSummary]:
    """Store the prompts and measure the start model."""
    prompts = make_prompts(72)
    append_records(run.path / "prompts.jsonl", prompts)
    held, training = prompts[:24], prompts[24:]
    start = draw(held, 0.1, 0, 8)
    store(run, "holdout_0", start, "evaluate", 0)
    summary = CycleSummary(cycle=0, holdout=measure(sketch(start)), seconds={"evaluate": 12.1, "all": 12.2})
    append_records(run.path / "cycles.jsonl", [summary])
    return training, held, summary


def build_raft(folder: Path) -> None:
    """A finished RAFT run of four cycles."""
    with started(folder, "raft", cycles=4, verifier="gcc") as run:
        training, held, start = begin_raft(run)
        run.events.notice("3 prompts are longer than max_length and were dropped", dropped=3)
        cycles = [start, *(raft_cycle(run, n, training, held) for n in (1, 2, 3, 4))]
        summary = RaftSummary(
            run_id=run.context.run_id,
            model="acme/coder-0.5b",
            verifier="gcc",
            verifier_version="12.2.0",
            seed=7,
            prompts=48,
            holdout_prompts=24,
            cycles=tuple(cycles),
            best_cycle=3,
            chosen_by="the highest held-out pass@1, the earliest of equals",
            wall_s=612.4,
        )
        write_atomically(folder / "summary.json", summary.model_dump_json(indent=2))


def build_interrupted(folder: Path) -> None:
    """A RAFT run that was stopped in its second cycle, with part of the completions drawn."""
    with pytest.raises(Interrupted), started(folder, "raft", cycles=4, verifier="gcc") as run:
        training, held, _ = begin_raft(run)
        raft_cycle(run, 1, training, held)
        run.events.emit(EventType.PHASE_STARTED, cycle=2, phase="generate", total=384, done=0)
        append_records(run.rollouts("cycle_2"), draw(training[:9], 0.3, 2, 7))
        raise Interrupted("stopped at a safe point; the same command continues from here")


def build_sft(folder: Path) -> None:
    """A finished supervised run with dropped rows."""
    with started(folder, "sft") as run:
        training = train(run, None, 180, 2.1)
        dropped = {"longer than max_length": 31, "no assistant turn": 4}
        named = {"run_id": run.context.run_id, "model": "acme/coder-0.5b", "seed": 7}
        summary = SftSummary(**named, rows=2880, dropped=dropped, training=training, wall_s=162.0)
        write_atomically(folder / "summary.json", summary.model_dump_json())


def build_benchmark(folder: Path) -> None:
    """A finished benchmark with groups and greedy completions."""
    with started(folder, "benchmark", samples=10, greedy=True) as run:
        prompts = make_prompts(60)
        append_records(folder / "prompts.jsonl", prompts)
        store(run, "sampled", draw(prompts, 0.45, 0, 3, 10), "sampled", 0)
        store(run, "greedy", draw(prompts, 0.5, 0, 4, 1), "greedy", 0)
        sampled, greedy = (RolloutFile(run.rollouts(name)).sketches() for name in ("sampled", "greedy"))
        groups = {}
        for group in ("seen", "unseen"):
            ids = {p.id for p in prompts if p.group == group}
            ours, single = ([r for r in rs if r.prompt_id in ids] for rs in (sampled, greedy))
            groups[group] = (measure(ours, (1, 5, 10)), measure(single))
        summary = BenchmarkSummary(
            run_id=run.context.run_id,
            model="acme/coder-0.5b",
            verifier="gcc",
            verifier_version="12.2.0",
            seed=7,
            temperature=0.7,
            samples=10,
            prompts_hash="ab" * 32,
            sampled=measure(sampled, (1, 5, 10)),
            greedy=measure(greedy),
            groups=groups,
            tokens_per_s=812.0,
            wall_s=91.0,
        )
        write_atomically(folder / "summary.json", summary.model_dump_json())


BUILDERS = {"raft": build_raft, "interrupted": build_interrupted, "sft": build_sft, "benchmark": build_benchmark}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], Path]:
    """Copy a run that is made once a session."""
    store = tmp_path_factory.mktemp("runs")

    def copy(name: str, to: Path) -> Path:
        if not (store / name).exists():
            BUILDERS[name](store / name)
        return shutil.copytree(store / name, to / name)

    return copy


@pytest.fixture
def raft_run(built: Callable[[str, Path], Path], tmp_path: Path) -> Path:
    return built("raft", tmp_path)


@pytest.fixture
def interrupted_run(built: Callable[[str, Path], Path], tmp_path: Path) -> Path:
    return built("interrupted", tmp_path)


@pytest.fixture
def sft_run(built: Callable[[str, Path], Path], tmp_path: Path) -> Path:
    return built("sft", tmp_path)


@pytest.fixture
def benchmark_run(built: Callable[[str, Path], Path], tmp_path: Path) -> Path:
    return built("benchmark", tmp_path)


@pytest.fixture
def make_rollouts() -> Callable[[int], list[Rollout]]:
    return lambda prompts: draw(make_prompts(prompts), 0.4, 1, 1)


@pytest.fixture
def hostile() -> str:
    return HOSTILE

"""Memory and speed of a RAFT cycle of many rollouts, and how soon a run goes on whose rollouts are all there, as JSON.

    python benchmarks/rollouts.py [--rollouts 100000] [--tokens 200] [--work runs/benchmark-rollouts]

The real loop in a process of its own, without a model: a scripted policy answers with tokens of a vocabulary of 32,000
and a log-probability each; its texts are a few programs, so that the real verifier judges each once and the rest is
reading, writing and counting. Then the same run, with nothing left of it but its rollouts, goes on in another process.
Memory is the process's highest resident size, its verifier apart. Seconds of the resume count from the loop's start
until drawing would begin: opening the folder and the verifier is among them, Python's start is not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from halo_forge.config.load import load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.events import Event, EventType
from halo_forge.core.protocols import TrainingReport, TrainingRow
from halo_forge.core.types import Checkpoint, Completion, Prompt, Sampling
from halo_forge.models.resolve import ModelRef
from halo_forge.raft.loop import train_raft
from halo_forge.runs.run_dir import Run

VOCABULARY = 32_000
PROGRAM = "def double(n):\n    # {note}\n    return {expression}\n"
EXPRESSIONS = ("n * 2", "n + n", "2 * n", "n", "n +", "n - n")
PROGRAMS = [PROGRAM.format(note=f"way {way}: " + "so " * 100, expression=e) for e in EXPRESSIONS for way in range(4)]


class Scripted:
    """A policy that answers at random and learns nothing."""

    kind: Literal["adapter", "full"] = "full"

    def __init__(self, ref: ModelRef, config: RaftTrainConfig, run: Run) -> None:
        self.base = ref.base
        self.generator = self
        self.lengths = int(os.environ["BENCHMARK_TOKENS"])

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, seed: int) -> list[Completion]:
        """Draw programs, and token ids that have nothing to do with them."""
        random = np.random.default_rng(seed)
        drawn = []
        for prompt in prompts:
            for index in range(sampling.n):
                count = int(random.integers(self.lengths // 2, self.lengths * 3 // 2))
                completion = Completion(
                    prompt_id=prompt.id,
                    index=index,
                    text=PROGRAMS[random.integers(len(PROGRAMS))],
                    token_ids=tuple(random.integers(VOCABULARY, size=count).tolist()),
                    logprobs=tuple((-random.random(count)).tolist()),
                    seed=seed,
                )
                drawn.append(completion)
        return drawn

    def row(
        self, prompt: Prompt, completion: Completion, *, weight: float = 1.0, temperature: float = 1.0
    ) -> TrainingRow:
        """A row as a model would be trained on."""
        return TrainingRow((0, *completion.token_ids), (False,) + (True,) * len(completion.token_ids))

    def restart(self) -> None:
        """There are no weights."""

    def train(
        self,
        rows: Sequence[TrainingRow],
        *,
        learning_rate: float,
        batch_size: int,
        epochs: float,
        seed: int,
        cycle: int,
        state: Path,
    ) -> TrainingReport:
        """Count the rows."""
        tokens = sum(len(row.ids) for row in rows)
        return TrainingReport(-(-len(rows) // batch_size), tokens, tokens - len(rows), 0.5, 0.5, 0.1, 0.0)

    def save(self, folder: Path, checkpoint: Checkpoint) -> None:
        """Write an empty checkpoint."""
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "checkpoint.json").write_text(checkpoint.model_dump_json())


def run_once(work: Path) -> dict[str, Any]:
    """Start the run or go on with it, and say what it took."""
    seen: dict[str, float] = {}

    def listen(event: Event) -> None:
        if event.phase == "generate":
            seen.setdefault(event.type, time.perf_counter() - begun)

    settings = {
        "model": str(work / "start"),
        "prompts": work / "prompts.jsonl",
        "output": work / "run",
        "cycles": 1,
        "holdout_fraction": 0.0,
        "verifier": "python",
        "reward_threshold": 1.0,
        "max_new_tokens": 100_000,
        "max_length": 100_000,
    }
    begun, cpu = time.perf_counter(), time.process_time()
    summary = train_raft(load(RaftTrainConfig, settings), (listen,), Scripted)
    cycle = summary.cycles[1]
    assert cycle.rollouts is not None
    return {
        "rollouts": cycle.rollouts.completions,
        "kept": cycle.kept,
        "peak_rss_mb": peak_rss_mb(),
        "wall_s": round(time.perf_counter() - begun, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "until_drawing_s": round(seen[EventType.PHASE_STARTED], 3),
        "drawing_s": round(seen[EventType.PHASE_FINISHED] - seen[EventType.PHASE_STARTED], 2),
        "after_drawing_s": round(time.perf_counter() - begun - seen[EventType.PHASE_FINISHED], 2),
    }


def peak_rss_mb() -> int:
    """Highest resident size of this process since it began, MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def prepare(work: Path, prompts: int) -> None:
    """Write prompts and a start model for the scripted policy."""
    shutil.rmtree(work, ignore_errors=True)
    (work / "start").mkdir(parents=True)
    (work / "start" / "config.json").write_text("{}")
    row = {"prompt": "Write double(n) in Python.", "tests": ["assert double(4) == 8"], "entry_point": "double"}
    with (work / "prompts.jsonl").open("w") as file:
        for number in range(prompts):
            file.write(json.dumps({"id": f"prompt-{number}", **row}) + "\n")


def leave_rollouts_only(run: Path) -> None:
    """Take away all that the cycle did after drawing, as if it had been killed there."""
    for name in ("cycles.jsonl", "summary.json", "exit.json"):
        (run / name).unlink()
    for name in ("kept", "cycle_1_final", "final_model"):
        shutil.rmtree(run / name)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/benchmark-rollouts"))
    parser.add_argument("--rollouts", type=int, default=100_000)
    parser.add_argument("--tokens", type=int, default=200, help="tokens a completion, on average")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.once:
        print(json.dumps(run_once(chosen.work)))
        return
    prepare(chosen.work, -(-chosen.rollouts // 8))
    command = [sys.executable, __file__, "--once", "--work", str(chosen.work)]
    cache = str((chosen.work / "cache").resolve())
    environment = {**os.environ, "BENCHMARK_TOKENS": str(chosen.tokens), "XDG_CACHE_HOME": cache}
    measured = {}
    for name in ("drawn", "resumed", "resumed_without_index"):
        measured[name] = json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)
        run = chosen.work / "run"
        leave_rollouts_only(run)
        if name == "resumed":
            (run / "rollouts" / "cycle_1.index").unlink()
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    size = (chosen.work / "run" / "rollouts" / "cycle_1.jsonl").stat().st_size
    print(json.dumps({"machine": machine, "tokens": chosen.tokens, "file_mb": size >> 20, **measured}, indent=2))


if __name__ == "__main__":
    main()

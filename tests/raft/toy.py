"""A policy of one number: the chance of a right answer. Training on right answers raises it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Literal

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.protocols import TrainingReport, TrainingRow
from halo_forge.core.types import Checkpoint, Completion, Prompt
from halo_forge.generation.scripted import ScriptedGenerator
from halo_forge.models.resolve import ModelRef
from halo_forge.runs.run_dir import Run
from halo_forge.training.batches import count_steps

RIGHT = "int f(int n) { return n * 2; }"
VARIANTS = [RIGHT, "int f(int n) { return n + n; }", "int f(int n) { int r = 2 * n; return r; }"]
WRONG = ["int f(int n) { return n * 2 }", "func f(int n) { return n * 2; }", "no code at all ("]


class ToyEngine:
    kind: Literal["adapter", "full"] = "full"

    def __init__(self, ref: ModelRef, config: RaftTrainConfig, run: Run) -> None:
        self.base = ref.base
        self.config = config
        self.skill = read_skill(ref.base)
        self.generator = ScriptedGenerator(self._speak)
        self.run = run

    def _speak(self, prompt: Prompt, index: int, random: Random) -> str:
        return random.choice(VARIANTS if random.random() < self.skill else WRONG)

    def row(
        self, prompt: Prompt, completion: Completion, *, weight: float = 1.0, temperature: float = 1.0
    ) -> TrainingRow:
        return TrainingRow((0, *completion.token_ids), (False,) + (True,) * len(completion.token_ids))

    def restart(self) -> None:
        self.skill = read_skill(self.config.start)

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
        self.run.stop.check()
        self.skill = min(1.0, self.skill + 0.06 * len(rows))
        steps = count_steps(len(rows), batch_size, epochs)
        return TrainingReport(steps, 10 * len(rows), 5 * len(rows), 0.5, 0.4, 0.1, 0.01)

    def save(self, folder: Path, checkpoint: Checkpoint) -> None:
        write_toy_model(folder, self.skill)
        (folder / "checkpoint.json").write_text(checkpoint.model_dump_json())


def read_skill(folder: str) -> float:
    return float(json.loads((Path(folder) / "config.json").read_text())["skill"])


def write_toy_model(folder: Path, skill: float) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"skill": skill}))
    return folder


def always(text: str) -> type[ToyEngine]:
    """A policy that never says anything else."""

    class Stubborn(ToyEngine):
        def _speak(self, prompt: Prompt, index: int, random: Random) -> str:
            return text

    return Stubborn

"""What the demo of a domain is made of, and the settings of its runs: the same keys as any configuration file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from halo_forge.config.demo import DemoDomain

Settings = dict[str, object]

# What every demo has in common: a tiny model, all of whose weights are trained.
SFT: Settings = {"tuning": "full", "batch_size": 16, "schedule": "cosine", "warmup_ratio": 0.05}
RAFT: Settings = {
    "temperature": 1.0,
    "cycles": 4,
    "patience": 0,  # all arms take the same number of cycles
    "samples_per_prompt": 8,
    "holdout_fraction": 0.2,
    "max_kept_per_prompt": 4,
    "accumulate": True,
    "tuning": "full",
    "learning_rate": 5e-4,
    "batch_size": 16,
}


@dataclass(frozen=True)
class Commands:
    """The commands that a demo's runs are made by."""

    sft: str
    train: str
    benchmark: str


@dataclass(frozen=True)
class Recipe:
    """The demo of a domain.

    Args:
        domain: its name.
        commands: what trains and measures.
        prepare: (data folder, model folder, seed) -> writes `sft.jsonl`, `raft_prompts.jsonl` and `test_prompts.jsonl`
            into the one, and a model of random weights into the other.
        sft, raft, benchmark: settings of the three kinds of runs; the controls are made of them.
        passes: what it means to pass, for headings.
        metrics: metric -> what it says; figures of every arm beside pass@1, of the benchmark's `scores` or its own.
        unseen: what the test prompts of group `unseen` are.
        story: what a reader must know of the corpus.
        primary: the metric that decides, which `differences` compares.
        higher_is_better: whether more of it is better.
    """

    domain: DemoDomain
    commands: Commands
    prepare: Callable[[Path, Path, int], None]
    sft: Settings
    raft: Settings
    benchmark: Settings
    passes: str
    unseen: str
    story: str
    metrics: Mapping[str, str] = field(default_factory=dict)
    primary: str = "pass@1"
    higher_is_better: bool = True

    def settings(self) -> dict[str, Settings]:
        """Settings of each kind of run."""
        # One a prompt is about what RAFT keeps of its first cycle, so the two train on like numbers of rows.
        unfiltered: Settings = {**self.raft, "select": "random", "max_kept_per_prompt": 1}
        control: Settings = {
            "schedule": "constant",
            **{key: self.raft[key] for key in ("tuning", "learning_rate", "batch_size")},
        }
        return {
            "sft": self.sft,
            "raft": self.raft,
            "unfiltered": unfiltered,
            "control": control,
            "benchmark": self.benchmark,
        }


QUICK: dict[str, Settings] = {
    "sft": {"max_steps": 20},
    "raft": {"cycles": 1, "max_prompts": 16, "select": "random"},
    "unfiltered": {"cycles": 1, "max_prompts": 16},
    "benchmark": {"max_prompts": 8},
}


def write_settings(recipe: Recipe, folder: Path, *, quick: bool) -> dict[str, Path]:
    """Write one configuration file a kind of run.

    Args:
        quick: cut everything down to a few steps; nothing can be read from such a run's figures.

    Returns:
        Name -> file: `sft`, `raft`, `unfiltered`, `control`, `benchmark`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, settings in recipe.settings().items():
        files[name] = folder / f"{name}.yaml"
        chosen = {**settings, **QUICK.get(name, {})} if quick else settings
        files[name].write_text(yaml.safe_dump(chosen, sort_keys=False), encoding="utf-8")
    return files

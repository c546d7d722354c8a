"""The settings of the demo's runs: the same keys as any configuration file of the commands."""

from __future__ import annotations

from pathlib import Path

import yaml

Settings = dict[str, object]

SAMPLING: Settings = {"max_new_tokens": 96, "generation_batch": 256}
SFT: Settings = {
    "tuning": "full",
    "learning_rate": 6e-3,
    "batch_size": 16,
    "max_steps": 900,
    "schedule": "cosine",
    "warmup_ratio": 0.05,
}
RAFT: Settings = {
    **SAMPLING,
    "verifier": "gcc",
    "temperature": 1.0,
    "cycles": 4,
    "patience": 0,  # all arms take the same number of cycles
    "samples_per_prompt": 8,
    "holdout_fraction": 0.2,
    "reward_threshold": 1.0,
    "keep_fraction": 1.0,
    "max_kept_per_prompt": 4,
    "accumulate": True,
    "tuning": "full",
    "learning_rate": 5e-4,
    "batch_size": 16,
    "epochs": 8,  # distinct programs are few: as many steps as plain selection takes in three
}
# One a prompt is about what RAFT keeps of its first cycle, so the two train on like numbers of rows.
UNFILTERED: Settings = {**RAFT, "select": "random", "max_kept_per_prompt": 1}
CONTROL: Settings = {
    "schedule": "constant",
    **{key: RAFT[key] for key in ("tuning", "learning_rate", "batch_size")},
}
BENCHMARK: Settings = {
    **SAMPLING,
    "verifier": "gcc",
    "temperature": 0.7,
    "samples": 4,
    "k": [1, 4],
    "greedy": True,
}
QUICK: dict[str, Settings] = {
    "sft": {"max_steps": 20},
    "raft": {"cycles": 1, "max_prompts": 16, "select": "random"},
    "unfiltered": {"cycles": 1, "max_prompts": 16},
    "benchmark": {"max_prompts": 8},
}


def write_settings(folder: Path, *, quick: bool) -> dict[str, Path]:
    """Write one configuration file a kind of run.

    Args:
        quick: cut everything down to a few steps; nothing can be read from such a run's figures.

    Returns:
        Name -> file: `sft`, `raft`, `unfiltered`, `control`, `benchmark`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    kinds = {
        "sft": SFT,
        "raft": RAFT,
        "unfiltered": UNFILTERED,
        "control": CONTROL,
        "benchmark": BENCHMARK,
    }
    for name, settings in kinds.items():
        files[name] = folder / f"{name}.yaml"
        chosen = {**settings, **QUICK.get(name, {})} if quick else settings
        files[name].write_text(yaml.safe_dump(chosen, sort_keys=False), encoding="utf-8")
    return files

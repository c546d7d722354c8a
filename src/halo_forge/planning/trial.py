"""A short run of the settings in question, so that rates are those of this machine with this model."""

from __future__ import annotations

import subprocess
import sys
from math import ceil
from pathlib import Path

import yaml

from halo_forge.config.load import load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import EnvironmentFault
from halo_forge.data.asked import load_asked
from halo_forge.data.holdout import SMALLEST_SPLIT
from halo_forge.planning.measured import read_rates
from halo_forge.planning.others import Watch
from halo_forge.planning.rates import Rates

CYCLES = 3
CHUNKS = 3


def measure(settings: Path, folder: Path, samples: int | None = None) -> Rates:
    """Run the first three cycles on a part of the prompts, and return the rates.

    Three chunks a cycle, so that one is judged while the next is drawn; and every verdict is found anew.

    Args:
        settings: YAML of `raft train`, the `config.yaml` of a run among them.
        folder: an empty one, for the run.
        samples: see `read_rates`.

    Raises:
        ConfigError: the settings are wrong.
        EnvironmentFault: the run failed.
    """
    config = load(RaftTrainConfig, {"output": folder / "run"}, settings).config
    prompts = len(load_asked(config, "rlvr", config.seed, config.system_prompt))
    file = folder / "trial.yaml"
    file.write_text(yaml.safe_dump(_shortened(config)), encoding="utf-8")
    words = [sys.executable, "-m", "halo_forge", "raft", "train", "--config", str(file)]
    watch = Watch()
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise EnvironmentFault(
            f"the run that was to be measured ended with status {done.returncode}: "
            f"{said[-1] if said else 'it printed nothing'}"
        )
    others = watch.processors()
    rates = read_rates(folder / "run", samples)
    assert rates.measured is not None
    shape = rates.measured.model_copy(update={"prompts": prompts, "cycles": config.cycles})
    source = f"a short run of {settings}"
    return rates.model_copy(update={"source": source, "measured": shape, "others": round(others, 2)})


def _shortened(config: RaftTrainConfig) -> dict[str, object]:
    """The settings of a run that is just long enough to be measured."""
    a_chunk = max(1, config.generation_batch // config.samples_per_prompt)
    enough = max(SMALLEST_SPLIT, ceil(CHUNKS * a_chunk / (1 - config.holdout_fraction)))
    changes = {
        "cycles": min(CYCLES, config.cycles),
        "max_prompts": min(enough, config.max_prompts or enough),
        "patience": 0,
        "cache": False,
        "report_to": [],
    }
    return {**config.model_dump(mode="json"), **changes}

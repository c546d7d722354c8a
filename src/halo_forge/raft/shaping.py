"""How the reward threshold moves from cycle to cycle.

Shaping moves the threshold alone, between `reward_threshold` and `reward_threshold_end`: partial credit counts early,
and a right answer is asked for later. It never changes a reward, so what earned nothing or could not be verified stays
out whatever the mode.
"""

from __future__ import annotations

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.raft.course import between, progress
from halo_forge.raft.tally import Tallies

HIGHEST = 1.0
WARMUP_CYCLES = 1


def reward_threshold(config: RaftTrainConfig, cycle: int, horizon: int, last: Tallies) -> float:
    """Return the least reward of a completion that is trained on in a cycle.

    Args:
        last: what came of the prompts in the cycle before; empty in the first.
    """
    start = config.reward_threshold
    end = HIGHEST if config.reward_threshold_end is None else config.reward_threshold_end
    match config.reward_shaping:
        case "fixed":
            return start
        case "annealing":
            return between(start, end, progress(cycle, horizon))
        case "warmup":
            return start if cycle <= (config.shaping_cycles or WARMUP_CYCLES) else end
        case "adaptive":
            return min(end, max(start, _reached_by_half(last)))


def _reached_by_half(last: Tallies) -> float:
    """Return the highest reward that at least half of the prompts earned at their best; 0 before the first cycle."""
    best = sorted((one.best for one in last.values() if one.best is not None), reverse=True)
    return best[(len(best) - 1) // 2] if best else 0.0

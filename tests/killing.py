"""What the tests of killed runs share: a RAFT run, its moments, kills at them, and what a run amounts to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from warm import Moment, Warm

from halo_forge.core.events import read_events
from halo_forge.rollout.records import read_rollouts
from halo_forge.runs.run_dir import is_complete

Command = Callable[[Path], list[str]]
RAFT_SETTINGS = """
cycles: 2
samples_per_prompt: 4
generation_batch: 8
max_new_tokens: 12
holdout_fraction: 0.3
select: random
max_kept_per_prompt: 2
tuning: lora
lora_dropout: 0.1
learning_rate: 1e-3
batch_size: 4
save_steps: 2
epochs: 3
start_from: base
curriculum: adaptive
prompt_fraction: 0.8
temperature_end: 1.0
"""
# In the order in which a run comes to them; each is killed in the attempt that goes on from the one before.
RAFT_MOMENTS = (
    Moment("os.rename", "launch_context.json"),
    Moment("open", "config.yaml.partial"),
    Moment("open", "prompts.jsonl.partial"),
    Moment("open", "rollouts/holdout_0.jsonl", 2),
    Moment("open", "rollouts/holdout_0.index"),
    Moment("open", "cycles.jsonl"),
    Moment("open", "rollouts/cycle_1.jsonl", 3),
    Moment("os.rename", "kept/cycle_1.jsonl"),
    Moment("open", "training_state/state.partial", 2),
    Moment("os.rename", "training_state/state.pt"),
    Moment("open", "cycle_1_final.partial/checkpoint.json"),
    Moment("os.rename", "cycle_1_final"),
    Moment("shutil.rmtree", "training_state"),
    Moment("open", "rollouts/holdout_1.jsonl"),
    Moment("open", "cycles.jsonl"),
    Moment("os.rename", "training_state/state.pt", 3),
    Moment("os.rename", "cycle_2_final"),
    Moment("os.link", "final_model.partial/checkpoint.json"),
    Moment("os.rename", "final_model"),
    Moment("os.rename", "summary.json"),
    Moment("os.rename", "exit.json"),
)


def undisturbed(command: Command, output: Path, warm: Warm | None = None) -> Path:
    """Make a run in one go, in a process of its own that imports all anew, or in a warm one."""
    if warm is not None:
        warm.ends_well(command(output))
    else:
        subprocess.run([sys.executable, "-m", "halo_forge", *command(output)], check=True, capture_output=True)
    return output


def content(folder: Path) -> dict[str, object]:
    """What a run amounts to: completions and verdicts without their timings, decisions, weights."""
    found: dict[str, object] = {}
    for path in sorted((folder / "rollouts").glob("*.jsonl")):
        found[path.name] = [(r.completion, r.verdict.reward, r.verdict.stage, r.chunk) for r in read_rollouts(path)]
    for path in [*sorted((folder / "kept").glob("*.jsonl")), *sorted(folder.glob("*/*.safetensors"))]:
        found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def assert_same(got: Path, expected: Path) -> None:
    assert is_complete(got)
    left, right = content(got), content(expected)
    assert left.keys() == right.keys()
    for name, value in right.items():
        assert left[name] == value, name
    events = list(read_events(got / "events.jsonl"))
    assert [event.seq for event in events] == list(range(len(events)))


def tear(folder: Path, random: Random) -> None:
    """Leave half a line at the end of the files that a kill in the middle of a write could have torn."""
    for path in sorted([folder / "events.jsonl", folder / "cycles.jsonl", *(folder / "rollouts").glob("*")]):
        if path.exists() and path.stat().st_size and random.random() < 0.5:
            line = path.read_bytes().splitlines()[-1]
            with path.open("ab") as file:
                file.write(line[: random.randrange(1, len(line))])


def killed_through(warm: Warm, command: list[str], output: Path, moments: tuple[Moment, ...]) -> None:
    """Kill the run at one moment after the other, then let it end."""
    random = Random(0)
    for moment in moments:
        warm.dies(command, moment)
        if output.exists():
            assert not (output / "exit.json").exists()
            tear(output, random)
    warm.ends_well(command)


def kill_after(warm: Warm, command: list[str], output: Path, events: int, pause_s: float) -> None:
    """Kill a run some time after it has said a number of things."""
    file = output / "events.jsonl"

    def said() -> int:
        return file.read_bytes().count(b"\n") if file.exists() else 0

    before, deadline = said(), time.monotonic() + 120
    process = warm.start(command)
    while said() < before + events:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(pause_s)
    os.killpg(process, signal.SIGKILL)
    assert warm.wait() == -signal.SIGKILL
